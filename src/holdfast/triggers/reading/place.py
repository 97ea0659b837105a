"""A place in triggers.yaml: what is wrong there is told at it, and names and paths are understood from there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec.structs import FieldInfo

from holdfast.core.errors import Problem
from holdfast.kinds.contract import Flaw
from holdfast.planfile.arguments import fill, fill_one, shape_of, sound, struct_in
from holdfast.planfile.source import Spot
from holdfast.planfile.variables import BROKEN
from holdfast.triggers.definitions import Action

L = TypeVar("L", bound=msgspec.Struct)


class Place(NamedTuple):
    """One is made for each key: a tuple, because to copy a frozen dataclass takes five times as long."""

    spot: Spot
    base: str  # the folder of the file
    home: str | None
    sections: Mapping[str, Mapping[str, Any]]  # their entries as they are written, also those that are not sound
    actions: Mapping[str, Action]  # those that are sound
    found: list[Problem]

    def into(self, *parts: str | int) -> Place:
        return self._replace(spot=self.spot.into(*parts))

    @property
    def written(self) -> Any:
        """What the file says here."""
        found: Any = self.spot.source.value
        for part in self.spot.path:
            found = found[part]
        return found

    def beside(self, key: str) -> Any:
        """What is written at another key of the same entry."""
        entry = self._replace(spot=self.spot._replace(path=self.spot.path[:-1]))
        return entry.written.get(key)

    def problem(self, message: str, hint: str = "", code: str = "invalid_value", *, key: bool = False) -> None:
        self.found.append(self.spot.problem(code, message, hint, key=key))

    def flaws(self, flaws: Iterable[Flaw]) -> None:
        for flaw in flaws:
            self.problem(flaw.message, flaw.hint, flaw.code)

    def read(self, layout: type[L], given: Any, checks: Checks = MappingProxyType({})) -> L | None:
        """The entry, or every problem in it: a key is checked whatever is wrong with those beside it."""
        before = len(self.found)
        made = self._whole(layout, given)
        for key, check in checks.items():
            field = shape_of(layout).known[key]
            value = self._alone(field, given) if made is None else getattr(made, field.name)
            if value is not None:
                check(value, self.into(key))
        return made if len(self.found) == before else None

    def _whole(self, layout: type[L], given: Any) -> L | None:
        shape = shape_of(layout)
        if isinstance(given, layout):  # it was part of something that could be read as a whole
            if not shape.flawless:
                sound(shape, given, self.spot, self.found)
            return given
        if isinstance(given, dict):
            return fill(shape, given, self.spot, self.found)
        self.problem(f"`{self.spot.path[-1]}` is a mapping", f"known here: {', '.join(sorted(shape.known))}")
        return None

    def _alone(self, field: FieldInfo, given: Any) -> Any:
        """One key of what cannot be read as a whole; None where there is nothing to check."""
        if not isinstance(given, dict) or field.encode_name not in given:
            return None
        value = given[field.encode_name]
        found = fill_one(field.encode_name, field, value, self.spot, [])
        if found is not BROKEN:
            return found
        return value if isinstance(value, dict) and struct_in(field.type) else None  # some of its own keys may be sound

    def path(self, path: str) -> str:
        """Relative to the folder of the file; `~/` is the home directory."""
        if self.home is not None and (path == "~" or path.startswith("~/")):
            path = self.home + path[1:]
        return os.path.normpath(os.path.join(self.base, path))


Check = Callable[[Any, Place], None]  # of what stands at a key; its problems are told at the place
Checks = Mapping[str, Check]


class Section(NamedTuple):
    """What stands in one section of the file: a table of checks, and what becomes of an entry that passed them."""

    layout: type[msgspec.Struct]
    checks: Checks
    make: Callable[[str, Any, Place], Any]  # of an entry's name and its layout


def keys_of(layout: type[msgspec.Struct]) -> str:
    return ", ".join(f"`{name}`" for name in shape_of(layout).known)
