"""The near end of the dead man's switch: arm it before the first change, keep it quiet while we work, disarm it.

A switch fires when nobody has said anything for as long as the plan gives people to confirm. While a run works, every
batch is such a word, and between them a heartbeat is. Once everything is in place only a confirmation counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import Final

from holdfast.core.errors import WorldError
from holdfast.drivers.remote.host import Host, Lost

AFTERWARDS_S: Final = 15.0  # how long we go on trying to reach a host after its switch should have fired
PAUSE_S: Final = 0.5


def run_of(move: str) -> str:
    """The run that a move belongs to, as its id tells."""
    return move.rpartition("/")[0]


class Guarding:
    """What the drivers of a host have in common about its switch."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def hold(self, runs: Sequence[str], *, undo: bool) -> None:
        """A word to the switches of these runs before we change anything; to take back, one may wait for the host."""
        for run in runs:
            within = self._host.armed.get(run)
            if within is not None:
                await (self._reach(run, within) if undo else self._extend(run, within))

    async def _extend(self, run: str, within: float) -> str:
        try:
            answer, _ = await self._host.ask("extend", run=run, seconds=within)
        except Lost as lost:
            raise lost.error from lost
        if answer == "fired":
            self._host.armed.pop(run, None)
        return str(answer)

    async def _reach(self, run: str, within: float) -> None:
        """A host that we cut off comes back by itself when its switch fires; until then there is nothing to be done."""
        until = monotonic() + within + AFTERWARDS_S
        while True:
            try:
                await self._extend(run, within)
                return
            except WorldError as error:
                if not error.retryable or monotonic() > until:
                    raise
            await asyncio.sleep(PAUSE_S)
