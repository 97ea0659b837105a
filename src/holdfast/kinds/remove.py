"""`remove`: nothing is at a path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from holdfast.core.change import Change, Claim, Depth
from holdfast.core.predict import Unfit, View
from holdfast.kinds.contract import Flaw
from holdfast.kinds.ground import ground_of, split
from holdfast.kinds.node import ABSENT
from holdfast.kinds.paths import Files, check_removable, reads, unchanged


class Remove(Files, frozen=True, kw_only=True):
    kind: ClassVar[str] = "remove"
    main: ClassVar[str] = "path"

    path: str
    recursive: bool = False
    missing_ok: bool = False
    full_ok: bool = False

    def flaws(self) -> Iterator[Flaw]:
        yield from super().flaws()
        if self.path == "/":
            yield Flaw("path", "the root of a file system cannot be removed")
        if self.recursive and self.full_ok:
            yield Flaw("full_ok", "what is removed with its contents is never left alone for them", hint="keep one of the two")

    @property
    def _depth(self) -> Depth:
        """Only a directory is read: a file is put aside as it is, whatever its size."""
        return Depth.CONTENT if self.recursive else Depth.NODE

    def claims(self) -> Sequence[Claim]:
        return [Claim(self.path, beneath=True, depth=self._depth), reads(split(self.path)[0])]

    def changes(self, view: View, /) -> Sequence[Change]:
        ground = ground_of(view)
        found = ground.node(self.path, self._depth)
        if not found.exists:
            if self.missing_ok:
                return unchanged(self.path, found)
            hint = "correct the path, or set `missing_ok: true`"
            raise Unfit("source_not_found", f"`{self.path}` does not exist", hint, missing=self.path)
        if found.type == "dir" and not self.recursive and not ground.is_empty(self.path):
            if self.full_ok:
                return unchanged(self.path, found)
            hint = "set `recursive: true` to remove a directory with its contents"
            raise Unfit("not_empty", f"`{self.path}` is a directory with something in it", hint)
        room = ground.room(self.path)
        check_removable(ground.facts(), room, self.path, found)
        empty = None if self.recursive or found.type != "dir" else True  # what comes into it meanwhile is not lost
        return (Change(self.path, found._replace(empty=empty), ABSENT),)
