"""`link`: a symbolic link is there and leads to what it should."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

from holdfast.core.change import Change, Claim
from holdfast.core.predict import Unfit, View
from holdfast.kinds.contract import Flaw
from holdfast.kinds.ground import Ground, ground_of, joined, normal, split
from holdfast.kinds.node import Node
from holdfast.kinds.paths import Files, OnConflict, placing, put, stays, unchanged


class Link(Files, frozen=True, kw_only=True):
    kind: ClassVar[str] = "link"
    main: ClassVar[str] = "path"

    path: str
    to: str  # a relative one is read in the folder of the link, as the system does
    style: Literal["relative", "absolute"] | None = None
    dangling: bool = False
    on_conflict: OnConflict = "fail"

    def flaws(self) -> Iterator[Flaw]:
        yield from super().flaws()
        if not self.to or "\0" in self.to:
            yield Flaw("to", "a link leads to a path, which is not empty and has no NUL byte in it")
        elif self.aim == self.path or self.aim.startswith(f"{self.path}/"):
            yield Flaw("to", f"`{self.path}` would lead through itself", "conflict", "name another path")

    @property
    def aim(self) -> str:
        """Where the link leads, as an absolute path."""
        return normal(self.to) if self.to.startswith("/") else joined(split(self.path)[0], self.to)

    @property
    def text(self) -> str:
        """What is written into the link."""
        if self.style is None:
            return self.to
        return self.aim if self.style == "absolute" else posixpath.relpath(self.aim, split(self.path)[0])

    def claims(self) -> Sequence[Claim]:
        claims = placing(self.path, self.on_conflict)
        if not self.dangling:
            claims.append(Claim(self.aim, False))
        return claims

    def changes(self, view: View, /) -> Sequence[Change]:
        ground = ground_of(view)
        found = ground.node(self.path)
        if not self.dangling:
            self._check_aim(ground, self.aim)
        text = self.text
        if (found.type == "link" and found.target == text) or stays(self.path, found, self.on_conflict):
            return unchanged(self.path, found)
        room = ground.room(self.path)
        after = Node("link", 0o777, ground.facts().uid, room.gid, None, text)
        return put(ground, room, self.path, found, after, self.on_conflict)

    def _check_aim(self, ground: Ground, aim: str) -> None:
        found = ground.node(aim)
        if not (ground.followed(aim)[1] if found.type == "link" else found).exists:
            hint = "create it first, correct `to`, or set `dangling: true` if it may come later"
            raise Unfit("source_not_found", f"`{aim}`, where the link is to lead, does not exist", hint, missing=aim)
