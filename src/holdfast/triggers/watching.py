"""What a watcher does next. Pure: where it stands, whether its condition holds, and the time give a decision.

    active      holds           fire the first response; with a delay wait for it; without any only say so
    waiting     holds, in time  fire the response
    triggered   not holds       resolved: that a response succeeded is not enough, the condition must be gone
    triggered   still holds     the next response when its time has come; after a failure without its delay's grace
    triggered   no response left    escalated: at once after a failure, else when it had an interval to work; active again

While a response is under way nothing is decided. A response that may not be fired now is tried again later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from holdfast.core.events import Event
from holdfast.triggers.definitions import Watcher
from holdfast.triggers.values import Value

WAITING: Final = "waiting"
TRIGGERED: Final = "triggered"


@dataclass(frozen=True, slots=True)
class Standing:
    """How far it has come: folded from the journal."""

    state: str | None = None  # None: active
    response: int | None = None
    fired_at: float = 0.0
    done_at: float | None = None
    failed: bool | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any] | None) -> Standing:
        if row is None or row["state"] is None:
            return cls()
        return cls(row["state"], row["response"], row["fired_at"] or 0.0, row["done_at"], row["failed"])


@dataclass(frozen=True, slots=True)
class Decision:
    next_at: float
    events: tuple[Event, ...] = ()
    fire: int | None = None  # which response


def decide(watcher: Watcher, standing: Standing, value: Value, holds: bool, now: float) -> Decision:
    later = now + watcher.interval
    if standing.response is not None and standing.response >= len(watcher.respond):
        standing = Standing()  # the file was changed meanwhile: it begins anew
    if standing.state is None:
        return _begin(watcher, value, now) if holds else Decision(later)
    if not holds:
        return Decision(later, (Event("trigger.resolved", {"name": watcher.name, "value": value.shown}),))
    if standing.response is None:
        return Decision(later)
    if standing.state == WAITING:
        due = standing.fired_at + watcher.respond[standing.response].after
        return _fire(standing.response, due, later, now)
    return _escalate(watcher, standing, value, now)


def _begin(watcher: Watcher, value: Value, now: float) -> Decision:
    first = _next(watcher, -1, failed=False)
    later = now + watcher.interval
    if first is not None and not watcher.respond[first].after:
        return Decision(later, fire=first)
    state = TRIGGERED if first is None else WAITING
    data = {"name": watcher.name, "state": state, "response": first, "value": value.shown}
    due = later if first is None else min(later, now + watcher.respond[first].after)
    return Decision(due, (Event("trigger.fired", data),))


def _escalate(watcher: Watcher, standing: Standing, value: Value, now: float) -> Decision:
    """The last response is over, and the condition still holds."""
    assert standing.response is not None
    failed = standing.failed is not False  # who does not know how it ended does not call it good
    done_at = standing.fired_at if standing.done_at is None else standing.done_at
    following = _next(watcher, standing.response, failed=failed)
    later = now + watcher.interval
    grace = 0.0 if failed else watcher.interval
    if following is not None:
        return _fire(following, done_at + (watcher.respond[following].after or grace), later, now)
    if now < done_at + grace:
        return Decision(done_at + grace)
    return Decision(later, (Event("trigger.escalated", {"name": watcher.name, "value": value.shown}),))


def _fire(response: int, due: float, later: float, now: float) -> Decision:
    return Decision(later, fire=response) if now >= due else Decision(min(due, later))


def _next(watcher: Watcher, after: int, *, failed: bool) -> int | None:
    """The next response; those for a failure only after one."""
    for number, response in enumerate(watcher.respond[after + 1 :], start=after + 1):
        if failed or not response.requires_previous_failure:
            return number
    return None
