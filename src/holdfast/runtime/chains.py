"""Steps that change one resource one after the other: which of them were really made?

After a crash a chain of changes A -> B -> C may stand at any of its states. Undoing compares each change with what is
found, so one that was never made would look like the work of somebody else. Before undoing, the chain is therefore
matched against the world; what lies beyond the state that is found was never made, and there is nothing to take back.
The same holds for a change to something inside of what an earlier change of the run was to bring there. Where a chain
comes back to a state it was in before, only the driver knows: it keeps what it replaced. And where a later change took
away or replaced a directory around it, the world tells nothing: then all that came before that change was made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import NamedTuple

from holdfast.core.change import Change, State


class Turn(NamedTuple):
    """One change of a chain, at one key: where it arrives, or at its origin, which it leaves."""

    id: str
    rank: int  # its place in the order of the plan
    before: State
    after: State
    change: Change


class Chains(NamedTuple):
    turns: Mapping[str, Sequence[Turn]]  # by key, in the order of the plan
    rests_on: Mapping[str, str]  # change -> the change without which there was nothing to change
    around: Mapping[str, Sequence[str]]  # key -> keys above it that are changed as well, and are in `turns` for that


def chains_of(changes: Sequence[tuple[str, Change]]) -> Chains:
    """Of the changes of one target in their order: what is changed more than once, or inside of what is brought there."""
    turns: dict[str, list[Turn]] = {}
    rests_on: dict[str, str] = {}
    wanted: set[str] = set()
    for rank, (name, change) in enumerate(changes):
        if change.runs or not change.changes:
            continue
        ground = _ground(change, turns) if change.before.exists else None
        if ground is not None:
            rests_on[name] = turns[ground][-1].id
            wanted.add(ground)
        turns.setdefault(change.key, []).append(Turn(name, rank, change.before, change.after, change))
        if change.origin is not None:  # what leaves is what arrives; nothing stays behind
            turns.setdefault(change.origin, []).append(Turn(name, rank, change.after, change.before, change))
    wanted |= {key for key, found in turns.items() if len(found) > 1}
    wanted |= {turn.change.key for key in wanted for turn in turns[key] if turn.change.origin is not None}
    around = {key: [above for above in _above(key) if above in turns] for key in wanted}
    wanted |= {above for keys in around.values() for above in keys}
    return Chains({key: turns[key] for key in turns if key in wanted}, rests_on, around)


def _above(key: str) -> Iterator[str]:
    """The keys above one, the nearest first."""
    while "/" in key:
        key = key.rpartition("/")[0]
        yield key


def _ground(change: Change, turns: Mapping[str, Sequence[Turn]]) -> str | None:
    """The nearest key above that an earlier change brought there."""
    for key in _above(change.key):
        if key in turns and turns[key][-1].change.key == key and turns[key][-1].after.exists:
            return key
    return None


def never_made(chains: Chains, found: Mapping[str, State], untouched: Set[str], sure: Set[str]) -> set[str]:
    """The ids of changes that the world shows no trace of.

    `untouched` are those of which the driver knows it; `sure` were made, because somebody lived to write it down.
    """
    absent: set[str] = set(untouched - sure)
    while True:
        judged = _Judged(chains, found, absent, sure)
        more = absent | {turn.id for key in chains.turns for turn in judged.beyond(key)}
        more |= {name for name, ground in chains.rests_on.items() if ground in more and name not in sure}
        if more == absent:
            return absent
        absent = more


class _Judged:
    """What the world tells, given what is known to be absent."""

    def __init__(self, chains: Chains, found: Mapping[str, State], absent: Set[str], sure: Set[str]) -> None:
        self._chains = chains
        self._found = found
        self._absent = absent
        self._sure = sure

    def beyond(self, key: str) -> Sequence[Turn]:
        """What comes after the latest state of a chain that the world may be in, or after a change that was never made."""
        hidden = max((self._latest(above) for above in self._chains.around.get(key, ())), default=-1)
        turns = [turn for turn in self._chains.turns[key] if turn.rank > hidden]
        reached = self._reached(turns, self._found[key])
        return turns[self._first_absent(turns) if reached is None else reached :]

    def _latest(self, key: str) -> int:
        """The rank of the latest change of a key that is in effect; -1 when none is."""
        turns = self._chains.turns[key]
        reached = self._reached(turns, self._found[key])
        return turns[reached - 1].rank if reached else -1

    def _reached(self, turns: Sequence[Turn], found: State) -> int | None:
        """How many changes of a chain were made, at most."""
        if not turns:
            return None
        states = [turns[0].before, *(turn.after for turn in turns)]
        surely = max((number + 1 for number, turn in enumerate(turns) if turn.id in self._sure), default=0)
        counts = range(self._first_absent(turns), surely - 1, -1)
        return next((reached for reached in counts if found.same(states[reached])), None)

    def _first_absent(self, turns: Sequence[Turn]) -> int:
        return next((number for number, turn in enumerate(turns) if turn.id in self._absent), len(turns))
