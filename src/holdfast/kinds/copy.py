"""`copy`: another object like the source, a file or a whole tree, with its metadata."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from holdfast.core.change import Change, Claim, Depth, Facts
from holdfast.core.predict import Unfit, View
from holdfast.kinds.content import Content
from holdfast.kinds.ground import ground_of
from holdfast.kinds.node import Node
from holdfast.kinds.paths import FromTo, check_apart, copied, placing, put, reads, stays, unchanged


class Copy(FromTo, frozen=True, kw_only=True):
    """A link is copied as a link. Who is not root owns the copies."""

    kind: ClassVar[str] = "copy"

    def claims(self) -> Sequence[Claim]:
        return [*placing(self.to, self.on_conflict, Depth.TREE), reads(self.source, Depth.TREE, beneath=True)]

    def changes(self, view: View, /) -> Sequence[Change]:
        ground = ground_of(view)
        source = ground.node(self.source, Depth.TREE)
        if not source.exists:
            raise Unfit("source_not_found", f"`{self.source}` does not exist", missing=self.source)
        check_apart(ground, self.source, self.to)
        _check_readable(self.source, source)
        standing = ground.node(self.to, Depth.TREE)
        room = ground.room(self.to)
        after = tree_copied(ground.facts(), source, room.gid)
        if standing.same(after) or stays(self.to, standing, self.on_conflict):
            return unchanged(self.to, standing)
        means = Content(origin=ground.real(self.source), digest=source.digest, size=source.size)
        return put(ground, room, self.to, standing, after, self.on_conflict, means)


def tree_copied(facts: Facts, source: Node, gid: int) -> Node:
    made = copied(facts, source, gid)
    if source.entries is None:
        return made
    return made._replace(entries={path: copied(facts, node, gid) for path, node in source.entries.items()})


def _check_readable(path: str, node: Node) -> None:
    closed = [path] if not node.readable else []
    closed += [f"{path}/{name}" for name, child in (node.entries or {}).items() if not child.readable]
    if closed:
        raise Unfit("permission_denied", f"the effective user may not read `{closed[0]}`")
