"""A field of an object: what it may hold, since which version of the appliance, and how it is written."""

from __future__ import annotations

from typing import Final, NamedTuple

OLDEST: Final = "24.7"
NEWEST: Final = "26.7"


class Field(NamedTuple):
    name: str  # with dots where the API nests
    type: str  # a row of `values.CHECKS`
    required: bool = False
    default: str = ""
    choices: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None
    pattern: str = ""  # the whole value has to match
    ignore_case: bool = False
    many: str = ""  # "" | set | ordered | lines: how several entries are held, and whether their order counts
    refers: str = ""  # the list whose uuids it holds
    lower: bool = False
    flags: tuple[str, ...] = ()
    since: str = OLDEST
    until: str = ""
    volatile: bool = False  # worked out by the appliance: never sent, never compared

    @property
    def separator(self) -> str:
        return "\n" if self.many == "lines" else ","

    def is_in(self, version: str) -> bool:
        """Does this version of the appliance have it?"""
        here = number(version)
        return number(self.since) <= here and (not self.until or here < (*number(self.until), 1))


def number(version: str) -> tuple[int, ...]:
    """`26.1.4_2` -> (26, 1, 4): what versions are compared by."""
    parts: list[int] = []
    for part in version.split("_")[0].split("."):
        if not part.isdecimal():
            break
        parts.append(int(part))
    return tuple(parts)


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())
