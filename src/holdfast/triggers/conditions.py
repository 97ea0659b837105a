"""Whether a condition holds: of a watcher over a value, of a scanner over a resource. Pure.

What is not known is never true: no age, no attempts, no word about a parent means that nothing is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any, Final

from holdfast.triggers.definitions import Condition, Match
from holdfast.triggers.values import Value

TERMINAL: Final = frozenset(
    {"done", "failed", "dead", "committed", "unchanged", "refused", "rolled_back", "partial", "cancelled", "completed"}
)


def holds(condition: Condition, value: Value, failures: int, now: float) -> bool:
    """Every test that is given must pass; `failures` is how often in a row the source failed."""
    return all(_tests(condition, value, failures, now))


def _tests(wanted: Condition, value: Value, failures: int, now: float) -> Iterator[bool]:
    if wanted.consecutive_failures is not None:
        yield (failures if value.failures is None else value.failures) >= wanted.consecutive_failures
    elif value.error is not None:
        yield False
    if wanted.exceeds is not None:
        yield value.number is not None and value.number > wanted.exceeds
    if wanted.below is not None:
        yield value.number is not None and value.number < wanted.below
    if wanted.matches is not None:
        yield wanted.matches in value.text
    if wanted.idle is not None:
        idle = value.number if value.idle is None else value.idle
        yield idle is not None and idle >= wanted.idle
    if wanted.stuck_state is not None:
        yield any(
            state == wanted.stuck_state and since is not None and now - since >= wanted.stuck_for
            for state, since in value.states
        )


# -- resources


class Parent(Enum):
    """Whether something belongs to anybody: not knowing it is not the same as knowing that it does not."""

    UNKNOWN = "unknown"
    NONE = "none"
    SOME = "some"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a scanner found."""

    id: str
    age: float | None = None
    attempts: int | None = None
    state: str | None = None
    ended_for: float | None = None  # seconds since it ended
    parent: Parent = Parent.UNKNOWN
    in_use: str | None = None  # who uses it, so that it is left alone
    texts: Sequence[str] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        age = None if self.age is None else round(self.age, 3)
        return {"resource_id": self.id, "age_s": age, "attempts": self.attempts, "state": self.state}


def matches(wanted: Match, found: Finding) -> bool:
    return all(_asked(wanted, found))


def _asked(wanted: Match, found: Finding) -> Iterator[bool]:
    if wanted.stale is not None:
        yield found.age is not None and found.age >= wanted.stale
    if wanted.terminal_for is not None:
        age = found.age if found.ended_for is None else found.ended_for
        yield found.state in TERMINAL and age is not None and age >= wanted.terminal_for
    if wanted.attempts is not None:
        yield found.attempts is not None and found.attempts >= wanted.attempts
    if wanted.matches is not None:
        yield any(wanted.matches in text for text in (found.id, *found.texts))
    if wanted.orphaned is not None:
        yield found.parent is (Parent.NONE if wanted.orphaned else Parent.SOME)


def is_protected(found: Finding, patterns: Iterable[str]) -> bool:
    """By its id, its path, or the last part of that."""
    path = found.id.partition(":")[2] or found.id
    names = (found.id, path, path.rsplit("/", 1)[-1])
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)


def resources_in(given: Any) -> Iterator[Finding]:
    """A JSON array of `{id, age_seconds, attempts, holder, state, parent, ...}`; what has no id is an error."""
    if isinstance(given, Mapping):  # one list in an object, as our own documents have it
        lists = [value for value in given.values() if isinstance(value, list)]
        if len(lists) != 1:
            raise ValueError("it is an object without exactly one list in it")
        given = lists[0]
    if not isinstance(given, list):
        raise ValueError("it is not a list")
    for item in given:
        yield Finding(id=str(item)) if isinstance(item, (str, int)) else _resource(item)


def _resource(item: Any) -> Finding:
    name = (
        next((item[key] for key in ("id", "resource_id", "name") if item.get(key)), None) if isinstance(item, Mapping) else None
    )
    if name is None:
        raise ValueError("an entry has no `id`")
    parents = [item[key] for key in ("parent_id", "parent") if key in item]
    attempts = item.get("attempts")
    return Finding(
        id=str(name),
        age=_seconds(item.get("age_seconds")),
        attempts=attempts if isinstance(attempts, int) and not isinstance(attempts, bool) else None,
        state=None if item.get("state") is None else str(item["state"]),
        parent=Parent.UNKNOWN if not parents else Parent.NONE if parents[0] is None else Parent.SOME,
        texts=[str(value) for value in item.values() if isinstance(value, (str, int, float))],
        facts={str(key): value for key, value in item.items() if isinstance(value, (str, int, float))},
    )


def _seconds(given: Any) -> float | None:
    return float(given) if isinstance(given, (int, float)) and not isinstance(given, bool) else None
