"""Steps that change one resource one after the other: which of them were really made?

After a crash a chain of changes A -> B -> C may stand at any of its states. Undoing compares each change with what is
found, so one that was never made would look like the work of somebody else. Before undoing, the chain is therefore
matched against the world; what lies beyond the state that is found was never made, and there is nothing to take back.
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


Chains = Mapping[str, Sequence[Turn]]


def chains_of(changes: Sequence[tuple[str, Change]]) -> dict[str, list[Turn]]:
    """Of the changes of one target in their order: the keys that are changed more than once, and where moves lead."""
    turns: dict[str, list[Turn]] = {}
    for name, change in changes:
        if change.runs or not change.changes:
            continue
        turns.setdefault(change.key, []).append(Turn(name, change.before, change.after, change))
        if change.origin is not None:  # what leaves is what arrives; nothing stays behind
            turns.setdefault(change.origin, []).append(Turn(name, change.after, change.before, change))
    wanted = {key for key, found in turns.items() if len(found) > 1}
    wanted |= {turn.change.key for key in wanted for turn in turns[key] if turn.change.origin is not None}
    return {key: turns[key] for key in turns if key in wanted}


def never_made(chains: Chains, found: Mapping[str, State]) -> set[str]:
    """The ids of changes that the world shows no trace of."""
    absent: set[str] = set()
    while True:
        more = absent | {turn.id for key, turns in chains.items() for turn in _beyond(turns, found[key], absent)}
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
