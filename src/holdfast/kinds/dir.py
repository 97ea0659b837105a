"""`dir`: a directory is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from holdfast.core.change import Change, Claim
from holdfast.core.predict import View
from holdfast.kinds.ground import Ground, Room, ground_of, split
from holdfast.kinds.node import Node
from holdfast.kinds.paths import OnConflict, Owned, placing, put, reads, reset, stays, unchanged


class Dir(Owned, frozen=True, kw_only=True):
    kind: ClassVar[str] = "dir"
    main: ClassVar[str] = "path"

    path: str
    parents: bool = False
    on_conflict: OnConflict = "fail"

    def claims(self) -> Sequence[Claim]:
        above = [reads("/"), *(Claim(folder, shared=True) for folder in _ancestors(self.path))] if self.parents else []
        return [*placing(self.path, self.on_conflict), *above, *self.accounts()]

    def changes(self, view: View, /) -> Sequence[Change]:
        ground = ground_of(view)
        found = ground.node(self.path)
        if found.type == "dir":
            after = self.revised(view, self.path, found)
            return unchanged(self.path, found) if after is found else (reset(self.path, found, after),)
        if stays(self.path, found, self.on_conflict):
            return unchanged(self.path, found)
        made, room = self._parents(ground)
        after = self.fresh(view, room, self.path, "dir", _default_mode(ground, room), empty=True)
        return (*made, *put(ground, room, self.path, found, after, self.on_conflict))

    def _parents(self, ground: Ground) -> tuple[list[Change], Room]:
        """Each missing directory above, the topmost first, and the one that will hold the path."""
        missing: list[str] = []
        above = split(self.path)[0]
        while self.parents and not ground.node(above).exists:
            missing.append(above)
            above = split(above)[0]
        room = ground.room(missing[-1] if missing else self.path)
        made = []
        for path in reversed(missing):
            node = Node("dir", _default_mode(ground, room), ground.facts().uid, room.gid, empty=True)
            made.append(Change(path, ground.node(path), node))
            room = room._replace(path=path, node=node)
        return made, room


def _default_mode(ground: Ground, room: Room) -> int:
    return 0o777 & ~ground.facts().umask | room.handed_on


def _ancestors(path: str) -> list[str]:
    found = []
    while (path := split(path)[0]) != "/":
        found.append(path)
    return found
