"""Where things stand in a text: what every format hands to `Source`, and the limits that all formats share.

Positions are looked up only when there is a problem to report, so that a sound plan pays nothing for them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

DOCUMENT_BYTES_MAX: Final = 16 * 1024 * 1024  # 100,000 steps with long paths
DEPTH_MAX: Final = 32
NODES_MAX: Final = 2_000_000
ALIASES_MAX: Final = 50

Path = tuple[str | int, ...]  # keys and positions from the top of a document


class Mark(NamedTuple):
    """A place in a text; both numbers begin at 1, as editors count."""

    line: int
    column: int


class Flawed(NamedTuple):
    """Something a format forbids."""

    code: str
    message: str
    mark: Mark | None = None
    path: Path = ()
    hint: str = ""


class Unreadable(Exception):
    """The text is not of its format at all, or larger than any plan; nothing more can be said about it."""

    def __init__(self, flaw: Flawed) -> None:
        super().__init__(flaw.message)
        self.flaw = flaw


class Marks:
    """The places of keys and values of one text, by path."""

    __slots__ = ("keys", "values")

    def __init__(self) -> None:
        self.keys: dict[Path, Mark] = {}
        self.values: dict[Path, Mark] = {}

    def find(self, path: Path, *, key: bool) -> Mark:
        """The place of a value (or of its key), or of the nearest thing around it that has one."""
        if key and path in self.keys:
            return self.keys[path]
        while path not in self.values and path:
            path = path[:-1]
        return self.values.get(path, Mark(1, 1))


def too_deep(mark: Mark | None, path: Path = ()) -> Unreadable:
    return Unreadable(Flawed("too_large", f"nested deeper than {DEPTH_MAX} levels", mark, path, "flatten the document"))


def too_many(mark: Mark | None) -> Unreadable:
    return Unreadable(Flawed("too_large", f"more than {NODES_MAX:,} values", mark))


def foreign_values(value: Any, path: Path = (), depth: int = 1) -> Iterator[Flawed]:
    """What JSON cannot hold but TOML or a Python mapping can; raises when the nesting is too deep."""
    if isinstance(value, (str, bool, int)) or value is None:
        if isinstance(value, str) and not is_unicode(value):
            yield Flawed("invalid_value", "half a surrogate pair is not a character", path=path)
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield Flawed("invalid_value", f"`{value}` is not a finite number", path=path)
    elif isinstance(value, (dict, list)):
        if depth > DEPTH_MAX:
            raise too_deep(None, path)
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(value, dict) and not isinstance(key, str):
                yield Flawed("invalid_value", f"the key {key!r} is not a text", path=path)
            yield from foreign_values(item, (*path, key), depth + 1)
    else:
        name = type(value).__name__
        yield Flawed("invalid_value", f"a {name} has no place in a plan", path=path, hint="write it as a text in quotes")


def is_unicode(text: str) -> bool:
    """Python's texts can hold halves of surrogate pairs, which no file can."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
