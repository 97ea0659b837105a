"""What one change of an object asks of the appliance, decided by comparing three states: from, to, and what is there.

Pure. Going forward everything must be as it was predicted; undoing takes back field by field what is still ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.core.errors import Failure
from holdfast.drivers.contract import Move
from holdfast.kinds.opnsense.item import Item, alike
from holdfast.kinds.opnsense.resources import Type

Values = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Delete:
    uuid: str


@dataclass(frozen=True, slots=True)
class Set:
    uuid: str
    values: Values  # what is sent


@dataclass(frozen=True, slots=True)
class Nothing:
    """It is so already."""


Write = Delete | Set | Nothing | Failure


def decide(type_: Type, move: Move, every: Mapping[str, Values], made: Values | None) -> Write:
    """`every` holds the live objects of the type, `made` what stood there right after this process made it."""
    start, goal = as_item(move.change.before), as_item(move.change.after)
    uuid = goal.uuid or start.uuid
    live = every.get(uuid)
    if not goal.exists:
        return _delete(start, uuid, live, made)
    assert goal.values is not None
    if live is not None:
        return _update(type_, move, start, goal, live)
    if start.exists:
        return _foreign(uuid, "is gone")
    twin = _twin(type_, goal.values, every)
    if twin is not None:
        return _foreign(twin, f"was made meanwhile and is called `{type_.key_of(goal.values)}` as well")
    return Set(uuid, goal.values)


def _twin(type_: Type, goals: Values, every: Mapping[str, Values]) -> str | None:
    """Another object of the same name. Most are told apart by the first field of theirs, and there may be thousands."""
    name = type_.key_of(goals)
    if not name:
        return None
    first = goals.get(type_.key[0], "")
    return next(
        (uuid for uuid, other in every.items() if other.get(type_.key[0], "") == first and type_.key_of(other) == name), None
    )


def _delete(start: Item, uuid: str, live: Values | None, made: Values | None) -> Write:
    if live is None:
        return Nothing()
    expected = Item(uuid, start.values if made is None else made)
    if start.exists and Item(uuid, live).same(expected):
        return Delete(uuid)
    changed = ", ".join(Item(uuid, live).differing(expected))
    return _foreign(uuid, f"was changed by somebody else ({changed})" if changed else "was made by somebody else")


def _update(type_: Type, move: Move, start: Item, goal: Item, live: Values) -> Write:
    goals, starts = goal.values or {}, start.values or {}
    if all(alike(live.get(name, ""), value) for name, value in goals.items() if name in live or name not in starts):
        return Nothing()
    if not start.exists:
        return _foreign(goal.uuid, "was made by somebody else")
    changed = {name for name, value in goals.items() if name not in starts or not alike(starts[name], value)}
    watched = changed if move.undo else set(starts)
    foreign = sorted(name for name in watched if name in live and name in starts and not _expected(name, live, starts, goals))
    if foreign:
        return _foreign(goal.uuid, f"was changed by somebody else ({', '.join(foreign)})")
    sent = {name: goals[name] for name in sorted(changed) if name not in live or not alike(live[name], goals[name])}
    return Set(goal.uuid, {name: goals.get(name, live.get(name, "")) for name in type_.always} | sent) if sent else Nothing()


def _expected(name: str, live: Values, *sides: Values) -> bool:
    return any(alike(live[name], side[name]) for side in sides if name in side)


def as_item(state: object) -> Item:
    """A state as it comes out of a journal, where what is absent has no type."""
    return state if isinstance(state, Item) else Item("")


def _foreign(uuid: str, what: str) -> Failure:
    return Failure(code="foreign_change", message=f"the object {uuid} {what}")
