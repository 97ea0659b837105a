"""An appliance with a dead man's switch: it takes a run back by itself, unless it hears from us in time.

Armed before anything is changed, so before anything is activated. When the interface answers nobody any more, and no
connection from before is left, a rollback does not wait for the time to be up but lets the switch fire.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from holdfast.core.change import Change, Look, State
from holdfast.drivers.contract import Batch, Ending, Guard, Move, Outcome
from holdfast.drivers.opnsense.driver import ApplianceDriver

SILENT: Final = ("unreachable", "timeout")


class Switch(Guard, Protocol):
    """What has to be known of a switch: it lies behind another door of the same box."""

    def is_armed(self, run: str) -> bool: ...

    async def hold(self, runs: Sequence[str], *, undo: bool) -> None:
        """A word to it before anything is changed; a run that is taken back may wait until the box can be reached."""
        ...

    async def fire(self, run: str) -> None: ...

    async def close(self) -> None: ...


class GuardedAppliance:
    def __init__(self, inner: ApplianceDriver, switch: Switch) -> None:
        self._inner = inner
        self._switch = switch

    # -- the driver's page

    async def inspect(self, looks: Sequence[Look]) -> Mapping[str, State]:
        return await self._inner.inspect(looks)

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        runs = sorted({move.id.rpartition("/")[0] for move in batch.moves})
        undo = any(move.undo for move in batch.moves)
        await self._switch.hold(runs, undo=undo)
        outcomes = await self._inner.apply(batch)
        armed = [run for run in runs if self._switch.is_armed(run)]
        if not (undo and armed and any(_is_silence(outcome) for outcome in outcomes)):
            return outcomes
        for run in armed:
            await self._switch.fire(run)
        return await self._inner.apply(batch)

    async def confirm(self, changes: Sequence[Change]) -> None:
        await self._inner.confirm(changes)

    async def settle(self, moves: Sequence[Move]) -> None:
        await self._inner.settle(moves)

    async def close(self) -> None:
        await self._switch.close()
        await self._inner.close()

    # -- the guard's page

    async def arm(self, run: str, within: float, moves: Sequence[Move]) -> None:
        await self._switch.arm(run, within, moves)

    def expect(self, run: str, within: float) -> None:
        self._switch.expect(run, within)

    def last_word(self, run: str) -> None:
        self._switch.last_word(run)

    async def disarm(self, run: str) -> None:
        await self._switch.disarm(run)


def _is_silence(outcome: Outcome) -> bool:
    lost = outcome.ending in (Ending.FAILED, Ending.IN_DOUBT)
    return lost and outcome.failure is not None and outcome.failure.code in SILENT
