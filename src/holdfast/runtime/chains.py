"""Steps that change one resource one after the other: which of them were really made?

After a crash a chain of changes A -> B -> C may stand at any of its states. Undoing compares each change with what is
found, so one that was never made would look like the work of somebody else. Before undoing, the chain is therefore
matched against the world; what lies beyond the state that is found was never made, and there is nothing to take back.
The same holds for a change to something inside of what an earlier change of the run was to bring there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from holdfast.core.change import Change, State


class Turn(NamedTuple):
    """One change of a chain, at one key: where it arrives, or at its origin, which it leaves."""

    id: str
    before: State
    after: State
    change: Change


class Chains(NamedTuple):
    turns: Mapping[str, Sequence[Turn]]  # by key, in the order of the plan
    rests_on: Mapping[str, str]  # change -> the change without which there was nothing to change


def chains_of(changes: Sequence[tuple[str, Change]]) -> Chains:
    """Of the changes of one target in their order: what is changed more than once, or inside of what is brought there."""
    turns: dict[str, list[Turn]] = {}
    rests_on: dict[str, str] = {}
    wanted: set[str] = set()
    for name, change in changes:
        if change.runs or not change.changes:
            continue
        ground = _ground(change, turns) if change.before.exists else None
        if ground is not None:
            rests_on[name] = turns[ground][-1].id
            wanted.add(ground)
        turns.setdefault(change.key, []).append(Turn(name, change.before, change.after, change))
        if change.origin is not None:  # what leaves is what arrives; nothing stays behind
            turns.setdefault(change.origin, []).append(Turn(name, change.after, change.before, change))
    wanted |= {key for key, found in turns.items() if len(found) > 1}
    wanted |= {turn.change.key for key in wanted for turn in turns[key] if turn.change.origin is not None}
    return Chains({key: turns[key] for key in turns if key in wanted}, rests_on)


def _ground(change: Change, turns: Mapping[str, Sequence[Turn]]) -> str | None:
    """The nearest key above that an earlier change brought there."""
    key = change.key
    while "/" in key:
        key = key.rpartition("/")[0]
        if key in turns and turns[key][-1].change.key == key and turns[key][-1].after.exists:
            return key
    return None


def never_made(chains: Chains, found: Mapping[str, State]) -> set[str]:
    """The ids of changes that the world shows no trace of."""
    absent: set[str] = set()
    while True:
        more = absent | {turn.id for key, turns in chains.turns.items() for turn in _beyond(turns, found[key], absent)}
        more |= {name for name, ground in chains.rests_on.items() if ground in more}
        if more == absent:
            return absent
        absent = more


def _beyond(turns: Sequence[Turn], found: State, absent: set[str]) -> Sequence[Turn]:
    """What comes after the latest state of a chain that the world may be in; nothing if it is in none of them."""
    states = [turns[0].before, *(turn.after for turn in turns)]
    first_absent = next((number for number, turn in enumerate(turns) if turn.id in absent), len(turns))
    for reached in range(first_absent, -1, -1):
        if found.same(states[reached]):
            return turns[reached:]
    return ()
