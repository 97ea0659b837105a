"""`restored`: a path is again in a state that was recorded. Of this the plan of a checkpoint's restore is made.

Not a kind of plan files: a recorded state is written by the engine, and its contents lie in the store of objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from holdfast.core.change import Change, Claim, Depth
from holdfast.core.predict import Unfit, View
from holdfast.kinds.content import Content
from holdfast.kinds.ground import Ground, ground_of, split
from holdfast.kinds.node import ABSENT, Node
from holdfast.kinds.paths import anew, check_own, check_owner, check_removable, reads, reset, size_of, unchanged
from holdfast.kinds.states import depth_of

Xattrs = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """`kept` is the folder of the objects; `xattrs` holds, by digest, the extended attributes that the state names."""

    kind: ClassVar[str] = "restored"
    family: ClassVar[str] = "files"
    batched: ClassVar[bool] = True

    path: str
    state: Node
    kept: str
    xattrs: Mapping[str, Xattrs]

    def claims(self) -> Sequence[Claim]:
        whole = self.state.type != "dir" or self.state.entries is not None
        return [Claim(self.path, beneath=whole, depth=depth_of(self.state)), reads(split(self.path)[0])]

    def changes(self, view: View, /) -> Sequence[Change]:
        ground = ground_of(view)
        found = ground.node(self.path, depth_of(self.state))
        wanted = self._wanted(found)
        if found.same(wanted):
            return unchanged(self.path, found)
        if found._replace(mode=wanted.mode, uid=wanted.uid, gid=wanted.gid).same(wanted):
            return (self._reset(ground, found, wanted),)
        room = ground.room(self.path)
        if found.exists:
            found = self._replaceable(ground, found)
            check_removable(ground.facts(), room, self.path, found)
        if not wanted.exists:
            return (Change(self.path, found, ABSENT),)
        _check_may_own(ground, self.path, wanted)
        ground.spend(room, size_of(wanted))
        means, content = self._means(view), self._shown(view)
        return (Change(self.path, found, anew(wanted)._replace(content=content), means=means),)

    def _wanted(self, found: Node) -> Node:
        """A directory that is there keeps its own extended attributes: it is never replaced for them."""
        alone = self.state.type == "dir" and self.state.entries is None
        return self.state._replace(xattrs=None) if alone and found.type == "dir" else self.state

    def _reset(self, ground: Ground, found: Node, wanted: Node) -> Change:
        facts, after = ground.facts(), found._replace(mode=wanted.mode, uid=wanted.uid, gid=wanted.gid)
        check_own(facts, self.path, found)
        check_owner(facts, self.path, found, after)
        return reset(self.path, found, after)

    def _replaceable(self, ground: Ground, found: Node) -> Node:
        """Nothing goes that was not recorded: a directory in the way must be empty by then."""
        if found.type != "dir" or self.state.entries is not None:
            return found
        if not ground.is_empty(self.path):
            hint = "move away what was not recorded, then restore again"
            raise Unfit("not_empty", f"`{self.path}` holds something that the checkpoint does not know", hint)
        return found._replace(empty=True)

    def _means(self, view: View) -> Content | Mapping[str, Content] | None:
        if self.state.entries is None:
            return self._content(view, self.state)
        found = {path: self._content(view, node) for path, node in ({"": self.state} | self.state.entries).items()}
        return {path: content for path, content in found.items() if content is not None}

    def _shown(self, view: View) -> bytes | None:
        """The recorded content of a file, as far as it is small enough to be shown."""
        if self.state.type != "file":
            return None
        kept = view.seen(f"{self.kept}/{self.state.digest}", Depth.CONTENT, "local")
        assert isinstance(kept, Node)
        if kept.digest != self.state.digest:
            raise Unfit(
                "before_image_lost", f"the recorded content of `{self.path}` was damaged in the store", "use another checkpoint"
            )
        return kept.content

    def _content(self, view: View, node: Node) -> Content | None:
        xattrs = self.xattrs.get(node.xattrs or "", ())
        if node.type != "file" or node.digest is None:
            return Content(xattrs=xattrs) if xattrs else None
        path = f"{self.kept}/{node.digest}"
        if not view.seen(path, target="local").exists:
            raise Unfit("before_image_lost", f"the recorded content of `{self.path}` is not kept any more")
        return Content(path=path, digest=node.digest, size=node.size, xattrs=xattrs)


def _check_may_own(ground: Ground, path: str, wanted: Node) -> None:
    facts = ground.facts()
    mine = Node(wanted.type, uid=facts.uid, gid=facts.gid)
    for node in (wanted, *(wanted.entries or {}).values()):
        check_owner(facts, path, mine, node)
