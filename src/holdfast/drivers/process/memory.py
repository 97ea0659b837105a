"""Programs in memory: nothing is run, everything is remembered.

For the target `memory`, and for rehearsing a plan: a step whose check would now say yes is in effect after it ran,
and no more after it was undone. What has no `undo` cannot be taken back here either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from holdfast.core.change import Effect, Look, State
from holdfast.core.errors import Bug
from holdfast.drivers.contract import DONE, UNCHANGED, Batch, Ending, Move, Outcome
from holdfast.drivers.one_by_one import one_by_one
from holdfast.drivers.process.failures import cannot_undo
from holdfast.kinds.running import Running


class MemoryProcesses:
    """`so` holds the questions whose answer is yes before anything ran."""

    def __init__(self, so: Iterable[str] = ()) -> None:
        self.ran: list[Move] = []  # in order, those that were undone included
        self.in_effect: dict[str, Running] = {}  # by key: what was run and not taken back
        self._so = set(so)

    async def inspect(self, looks: Sequence[Look]) -> Mapping[str, State]:
        return {look.key: Effect(look.key in self._so or look.key in self.in_effect) for look in looks}

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        return await one_by_one(batch, self._make)

    async def _make(self, move: Move) -> Outcome:
        operation, key = move.change.means, move.change.key
        if not isinstance(operation, Running):
            raise Bug(f"{key} is not for the process driver")
        if move.undo:
            return self._take_back(move, operation, key)
        if operation.question in self._so:
            return UNCHANGED
        self.ran.append(move)
        self.in_effect[key] = operation
        if operation.question is not None:
            self._so.add(operation.question)
        return DONE

    def _take_back(self, move: Move, operation: Running, key: str) -> Outcome:
        if key not in self.in_effect:
            return UNCHANGED
        if operation.undo is None:
            return Outcome(Ending.FAILED, cannot_undo(operation.kind))
        self.ran.append(move)
        del self.in_effect[key]
        if operation.question is not None:
            self._so.discard(operation.question)
        return DONE

    async def settle(self, moves: Sequence[Move]) -> None:
        """Nothing is kept for undo."""

    async def close(self) -> None:
        """Nothing is held."""
