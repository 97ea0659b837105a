"""Where watchers and scanners look: one word, or a mapping with one of the ways to look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from holdfast.planfile.source import meant
from holdfast.triggers.definitions import Source, SourceType
from holdfast.triggers.layout import SourceLayout
from holdfast.triggers.reading import checks
from holdfast.triggers.reading.actions import command
from holdfast.triggers.reading.place import Checks, Place

_BARE: Final[Mapping[str, SourceType]] = {"locks": "locks", "runs": "runs"}  # those that need no more words
_WAYS: Final[tuple[SourceType, ...]] = ("command", "file", "files", "http", "runs", "events")


def _address(given: str, place: Place) -> None:
    if not given.startswith(("http://", "https://")):
        place.problem(f"`{given}` is not an address", "begin it with http:// or https://")


_CHECKS: Final[Checks] = {"command": checks.words, "env": checks.env, "http": _address, "events": checks.patterns}


def check(given: Any, place: Place) -> None:
    if not isinstance(given, str):
        place.read(SourceLayout, given, _CHECKS)
    elif given not in _BARE:
        known = ", ".join((*_BARE, *(f"{{{way}: ...}}" for way in _WAYS if way not in _BARE)))
        place.problem(f"there is no source `{given}`", meant(given, _BARE) or f"known here: {known}")


def type_of(given: Any) -> SourceType | None:
    """What is written names a source of this type; None when that cannot be told."""
    if not isinstance(given, dict):
        return _BARE.get(given) if isinstance(given, str) else None
    ways = [way for way in _WAYS if given.get(way) is not None]
    return ways[0] if len(ways) == 1 else None


def made(given: str | SourceLayout, timeout: float, place: Place) -> Source:
    if isinstance(given, str):
        return Source(_BARE[given], timeout=timeout)
    if given.command is not None:
        return Source("command", command=command(given.command, given.cwd, given.env, timeout, place), timeout=timeout)
    way = next(way for way in _WAYS if getattr(given, way) is not None)
    what = getattr(given, way)
    return Source(way, place.path(what) if way in ("file", "files") else what, timeout=timeout)
