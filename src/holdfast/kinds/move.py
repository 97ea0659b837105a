"""`move`: what stood at one path stands at another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from holdfast.core.change import Change, Claim, Depth, Guarantee
from holdfast.core.predict import Unfit, View
from holdfast.kinds.ground import Ground, Room, ground_of, split
from holdfast.kinds.node import ABSENT, Node
from holdfast.kinds.paths import (
    FromTo,
    anew,
    check_apart,
    check_removable,
    moved,
    put,
    reads,
    size_of,
    stays,
    unchanged,
)


class MoveKind(FromTo, frozen=True, kw_only=True):
    """A step whose source is gone and whose destination is there was made before: it is unchanged."""

    kind: ClassVar[str] = "move"

    def claims(self) -> Sequence[Claim]:
        ends = [Claim(path, beneath=True) for path in (self.source, self.to)]
        rooms = [reads(split(path)[0]) for path in (self.source, self.to)]
        return [*ends, *rooms, *([Claim(f"{self.to}.bak")] if self.on_conflict == "backup" else [])]

    def changes(self, view: View, /) -> Sequence[Change]:
        ground = ground_of(view)
        found, standing = ground.node(self.source), ground.node(self.to)
        if not found.exists:
            return self._made_before(view, standing)
        check_apart(ground, self.source, self.to)
        if stays(self.to, standing, self.on_conflict):
            return unchanged(self.to, standing)
        leaves, enters = ground.room(self.source), ground.room(self.to)
        check_removable(ground.facts(), leaves, self.source, found)
        if leaves.device != enters.device:
            found = ground.node(self.source, Depth.TREE)
            ground.spend(enters, size_of(found))
        return self._placed(ground, enters, standing, found, leaves.device != enters.device)

    def _placed(self, ground: Ground, room: Room, standing: Node, found: Node, copied: bool) -> Sequence[Change]:
        """What is in the way is put aside first; the move itself finds nothing there."""
        guarantee = Guarantee.REVERSIBLE if copied else Guarantee.ATOMIC
        after = anew(found)._replace(around_ns=found.around_ns) if copied else moved(found)
        if not standing.exists:
            return (Change(self.to, standing, after, guarantee, origin=self.source),)
        aside = [change for change in put(ground, room, self.to, standing, ABSENT, self.on_conflict) if change.changes]
        return (*aside, Change(self.to, ABSENT, after, guarantee, origin=self.source))

    def _made_before(self, view: View, standing: Node) -> Sequence[Change]:
        gone = view.made(self.source) is None and view.made(self.to) is None
        if gone and standing.exists:
            return unchanged(self.to, standing)
        raise Unfit("source_not_found", f"`{self.source}` does not exist", missing=self.source)
