"""How a driver makes a batch whose moves have nothing to gain from one another: each in its turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from holdfast.drivers.contract import SKIPPED, Batch, Ending, Move, Outcome


async def one_by_one(batch: Batch, make: Callable[[Move], Awaitable[Outcome]]) -> Sequence[Outcome]:
    outcomes: list[Outcome] = []
    lost: set[int] = set()
    for place, move in enumerate(batch.moves):
        blocked = lost.intersection(move.needs) if batch.keep_going else lost
        outcomes.append(SKIPPED if blocked else await make(move))
        if outcomes[-1].ending not in (Ending.DONE, Ending.UNCHANGED):
            lost.add(place)
    return outcomes
