"""`upload`: a file or a tree of the machine where Holdfast runs is on the target, with these permissions and owners.

It is put there as `file` and `tree` put things: complete, checked against its digest, switched at once, undone exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from holdfast.core.change import Change, Claim, Depth, Facts
from holdfast.core.predict import View
from holdfast.kinds.contract import Mode
from holdfast.kinds.file import File, source_node
from holdfast.kinds.ground import Room, ground_of
from holdfast.kinds.node import Node
from holdfast.kinds.paths import OnConflict, Owned, check_owner, placing, reads
from holdfast.kinds.tree import Form, Tree

_HERE = "local"


class Upload(Owned, frozen=True, kw_only=True):
    """Permissions are those of the source where none are asked for; `mode` is that of files, in a tree of every one."""

    kind: ClassVar[str] = "upload"
    main: ClassVar[str] = "source"
    here: ClassVar[tuple[str, ...]] = ("source",)
    there: ClassVar[tuple[str, ...]] = ("to",)

    source: str
    to: str
    on_conflict: OnConflict = "fail"

    def sources(self) -> Sequence[str]:
        return [self.source]

    def claims(self) -> Sequence[Claim]:
        own = Claim(self.to, beneath=True, depth=Depth.TREE)
        read = reads(self.source, Depth.TREE, _HERE, beneath=True)
        return [own, *placing(self.to, self.on_conflict)[1:], read, *self.accounts()]

    def changes(self, view: View, /) -> Sequence[Change]:
        _, source = source_node(view, self.source, Depth.TREE, _HERE)
        if source.type == "dir":
            return self._tree(view).changes(view)
        mode = Mode(source.mode & 0o777) if self.mode is None else self.mode
        put = File(
            path=self.to, source=self.source, mode=mode, owner=self.owner, group=self.group, on_conflict=self.on_conflict
        )
        return put.changes(view)

    def _tree(self, view: View) -> Tree:
        return OwnedTree(
            path=self.to,
            source=self.source,
            on_conflict=self.on_conflict,
            mode=self.mode,
            uid=self.uid(view, -1),
            gid=self.gid(view, -1),
        )


class OwnedTree(Tree, frozen=True, kw_only=True):
    """A tree of copies whose permissions and owners may be given; -1 where they are not."""

    mode: Mode | None = None
    uid: int = -1
    gid: int = -1

    def changes(self, view: View, /) -> Sequence[Change]:
        facts = ground_of(view).facts()
        made = Node("dir", 0o755, facts.uid, facts.gid)
        check_owner(facts, self.path, made, self._owned(made))
        return super().changes(view)

    def form_in(self, facts: Facts, room: Room, source: str) -> Form:
        form = super().form_in(facts, room, source)
        return lambda name, node: self._owned(form(name, node))

    def met(self, found: Node, wanted: Node) -> Node:
        uid = found.uid if self.uid < 0 else self.uid
        gid = found.gid if self.gid < 0 else self.gid
        return found._replace(mode=wanted.mode, uid=uid, gid=gid)

    def _owned(self, node: Node) -> Node:
        mode = node.mode if self.mode is None or node.type != "file" else int(self.mode)
        uid = node.uid if self.uid < 0 else self.uid
        return node._replace(mode=mode, uid=uid, gid=node.gid if self.gid < 0 else self.gid)
