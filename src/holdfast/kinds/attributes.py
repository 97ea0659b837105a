"""`attributes`: permissions and owners of what is there, or of everything beneath it as well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from holdfast.core.change import Change, Claim, Depth, State
from holdfast.core.predict import Unfit, View
from holdfast.kinds.contract import Flaw
from holdfast.kinds.ground import ground_of, under
from holdfast.kinds.node import Node
from holdfast.kinds.paths import Owned, reset, unchanged

_PASS = 0o100


class Attributes(Owned, frozen=True, kw_only=True):
    """Of a link its owner is meant, and never what it leads to; a mode it does not have."""

    kind: ClassVar[str] = "attributes"
    main: ClassVar[str] = "path"

    path: str
    recursive: bool = False

    def flaws(self) -> Iterator[Flaw]:
        yield from super().flaws()
        if self.mode is None and self.owner is None and self.group is None:
            yield Flaw("path", "at least one of `mode`, `owner` and `group` is needed")

    def claims(self) -> Sequence[Claim]:
        depth = Depth.SHAPE if self.recursive else Depth.NODE
        return [Claim(self.path, beneath=self.recursive, depth=depth), *self.accounts()]

    def changes(self, view: View, /) -> Sequence[Change]:
        found = ground_of(view).node(self.path, Depth.SHAPE if self.recursive else Depth.NODE)
        if not found.exists:
            raise Unfit("source_not_found", f"`{self.path}` does not exist", missing=self.path)
        if found.type == "link" and self.owner is None and self.group is None:
            raise Unfit("conflict", f"`{self.path}` is a link, which has no mode", f"name what it leads to: `{found.target}`")
        entries, found = found.entries or {}, found._replace(entries=None)
        made = [change for path, node in self._all(found, entries) if (change := self._of(view, path, node)) is not None]
        return _passable(made) or unchanged(self.path, found)

    def _all(self, found: Node, entries: dict[str, Node]) -> Iterator[tuple[str, Node]]:
        yield self.path, found
        for name, node in entries.items():
            yield under(self.path, name), node

    def _of(self, view: View, path: str, found: Node) -> Change | None:
        after = self.revised(view, path, found)
        return None if after is found else reset(path, found, after)


def _passable(changes: list[Change]) -> list[Change]:
    """A directory that closes to its owner does so after what is in it was reached; parents come before children."""
    closing = [change for change in changes if _closes(change.after)]
    return [change for change in changes if not _closes(change.after)] + closing[::-1] if closing else changes


def _closes(after: State) -> bool:
    return isinstance(after, Node) and after.type == "dir" and not after.mode & _PASS
