"""Probes in memory: everything is well, and no time passes. For the target `memory`, and for rehearsing a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from holdfast.core.change import Look, State
from holdfast.drivers.contract import DONE, UNCHANGED, Batch, Move, Outcome
from holdfast.drivers.one_by_one import one_by_one
from holdfast.kinds.running import NOT_DONE


class MemoryProbes:
    def __init__(self) -> None:
        self.asked: list[Move] = []  # in order

    async def inspect(self, looks: Sequence[Look]) -> Mapping[str, State]:
        return {look.key: NOT_DONE for look in looks}

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        return await one_by_one(batch, self._make)

    async def _make(self, move: Move) -> Outcome:
        if move.undo:
            return UNCHANGED
        self.asked.append(move)
        return DONE

    async def settle(self, moves: Sequence[Move]) -> None:
        """Nothing is kept for undo."""

    async def close(self) -> None:
        """Nothing is held."""
