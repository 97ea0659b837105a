"""The section `watchers`: a source, the condition that what it says must meet, and the responses while it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from holdfast.kinds.contract import decode, parse_duration
from holdfast.planfile.layout import listed
from holdfast.triggers.actions import WATCHER
from holdfast.triggers.definitions import Condition, Response, Watcher
from holdfast.triggers.layout import ConditionLayout, Limit, ResponseLayout, WatcherLayout
from holdfast.triggers.reading import checks, sources
from holdfast.triggers.reading.place import Checks, Place, Section, keys_of


def _condition(given: Any, place: Place) -> None:
    if place.read(ConditionLayout, given, CONDITION) == ConditionLayout():
        place.problem("a condition needs at least one test", f"known here: {keys_of(ConditionLayout)}", "missing_key")


def _limit(given: Limit, place: Place) -> None:
    try:
        _number(given)
    except ValueError:
        place.problem(f"`{given}` is neither a number nor a duration", "write it like 100, 0.5 or 5m")


def _number(given: Limit | None) -> float | None:
    return float(parse_duration(given)) if isinstance(given, str) else given


def _matches(given: str, place: Place) -> None:
    if not given:
        place.problem("every text holds an empty one", "write what it must hold")


def _responses(given: Sequence[Any], place: Place) -> None:
    for number, raw in enumerate(given):
        place.into(number).read(ResponseLayout, _in_full(raw), {"action": checks.fires(WATCHER)})


def _in_full(raw: Any) -> Any:
    """A name alone is the action."""
    return {"action": raw} if isinstance(raw, str) else raw


CONDITION: Final[Checks] = {"exceeds": _limit, "below": _limit, "matches": _matches}


def _made(name: str, given: WatcherLayout, place: Place) -> Watcher:
    return Watcher(
        name=name,
        source=sources.made(given.source, float(given.timeout), place),
        condition=_made_condition(given.condition),
        interval=float(given.interval),
        respond=tuple(map(_made_response, given.respond)),
        wake_on=tuple(listed(given.wake_on)),
        enabled=given.enabled,
    )


def _made_condition(given: ConditionLayout) -> Condition:
    return Condition(
        exceeds=_number(given.exceeds),
        below=_number(given.below),
        matches=given.matches,
        idle=None if given.idle is None else float(given.idle),
        stuck_state=None if given.stuck_in is None else given.stuck_in.state,
        stuck_for=0.0 if given.stuck_in is None else float(given.stuck_in.for_),
        consecutive_failures=given.consecutive_failures,
    )


def _made_response(raw: Any) -> Response:
    given = msgspec.convert(_in_full(raw), ResponseLayout, dec_hook=decode)
    return Response(action=given.action, after=float(given.after), requires_previous_failure=given.requires_previous_failure)


SECTION: Final = Section(
    WatcherLayout,
    {
        "source": sources.check,
        "condition": _condition,
        "respond": _responses,
        "interval": checks.interval,
        "wake_on": checks.patterns,
    },
    _made,
)
