"""The section `scanners`: a source of resources, the condition of those that are to go, and how they go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from holdfast.planfile.arguments import shape_of
from holdfast.planfile.layout import listed
from holdfast.planfile.source import meant
from holdfast.triggers.definitions import Cleanup, Match, Scanner
from holdfast.triggers.layout import CleanupLayout, MatchLayout, ScannerLayout
from holdfast.triggers.reading import checks, sources
from holdfast.triggers.reading.place import Place, Section, keys_of

# The sources of single resources: how each can be cleaned up, and the tests it can answer.
_CLEANUPS: Final[Mapping[str, Sequence[str]]] = {
    "command": ("action",),
    "files": ("delete", "archive", "action"),
    "http": ("action",),
    "runs": ("release", "archive", "action"),
    "locks": ("release", "action"),
}
_MATCHES: Final[Mapping[str, Sequence[str]]] = {
    "files": ("stale", "matches"),
    "locks": ("stale", "matches", "orphaned"),
    "runs": ("stale", "terminal_for", "matches"),
}
_ALONE: Final = ("delete", "release")  # clean-ups that need no more words


def _source(given: Any, place: Place) -> None:
    sources.check(given, place)
    type_ = sources.type_of(place.written)
    if type_ is not None and type_ not in _CLEANUPS:
        place.problem(f"`{type_}` does not list resources", f"scanners look at {', '.join(_CLEANUPS)}", key=True)


def _cleanup(given: Any, place: Place) -> None:
    if not isinstance(given, str):
        place.read(CleanupLayout, given, {"action": checks.fires()})
        verbs = [verb for verb in shape_of(CleanupLayout).known if place.written.get(verb) is not None]
    elif given in _ALONE:
        verbs = [given]
    else:
        hint = meant(given, _ALONE) or "write `delete`, `release`, `{archive: DIR}` or `{action: NAME}`"
        place.problem(f"there is no clean-up `{given}`", hint)
        return
    type_ = sources.type_of(place.beside("source")) or ""
    for verb in verbs:
        if verb not in (known := _CLEANUPS.get(type_, verbs)):
            place.problem(f"`{verb}` cannot be done to {type_}", _one_of(known), "unsupported")


def _condition(given: Any, place: Place) -> None:
    if place.read(MatchLayout, given) == MatchLayout():
        place.problem("a condition needs at least one test", f"known here: {keys_of(MatchLayout)}", "missing_key")
    type_ = sources.type_of(place.beside("source")) or ""
    tests = [test for test in shape_of(MatchLayout).known if place.written.get(test) is not None]
    for test in tests:
        if test not in (known := _MATCHES.get(type_, tests)):
            place.into(test).problem(f"`{test}` means nothing for {type_}", _one_of(known), key=True)


def _one_of(known: Sequence[str]) -> str:
    return f"there it can be {', '.join(f'`{one}`' for one in known)}"


def _made(name: str, given: ScannerLayout, place: Place) -> Scanner:
    return Scanner(
        name=name,
        source=sources.made(given.source, float(given.timeout), place),
        condition=_made_match(given.condition),
        cleanup=_made_cleanup(given.cleanup, place),
        interval=float(given.interval),
        max_per_scan=given.max_per_scan,
        protect=tuple(pattern if "/" not in pattern else place.path(pattern) for pattern in listed(given.protect)),
        enabled=given.enabled,
    )


def _made_match(given: MatchLayout) -> Match:
    return Match(
        stale=None if given.stale is None else float(given.stale),
        terminal_for=None if given.terminal_for is None else float(given.terminal_for),
        matches=given.matches,
        attempts=given.attempts,
        orphaned=given.orphaned,
    )


def _made_cleanup(given: str | CleanupLayout, place: Place) -> Cleanup:
    if isinstance(given, str):
        return Cleanup(verb=given)  # type: ignore[arg-type]  # `_cleanup` let only these words pass
    if given.archive is not None:
        return Cleanup(verb="archive", what=place.path(given.archive))
    return Cleanup(verb="action", what=given.action or "")


SECTION: Final = Section(
    ScannerLayout,
    {"source": _source, "cleanup": _cleanup, "condition": _condition, "interval": checks.interval},
    _made,
)
