"""The near end of the dead man's switch: arm it before the first change, keep it quiet while we work, disarm it.

A switch fires when nobody has said anything for as long as the plan gives people to confirm. While a run works, every
batch is such a word, and a heartbeat between them. Once everything is in place only a confirmation counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from time import monotonic
from typing import Any, Final

from holdfast.core.errors import WorldError
from holdfast.drivers.contract import Move
from holdfast.drivers.remote.host import Host
from holdfast.drivers.remote.near import Lost
from holdfast.drivers.remote.sending import undoing
from holdfast.drivers.secrets import Secrets
from holdfast.kinds.running import Running

AFTERWARDS_S: Final = 15.0  # how long we go on trying to reach a host after its switch should have fired
GRACE_S: Final = 5.0  # after people's time is over we are the first to take the run back, if we still can
PAUSE_S: Final = 0.5


def run_of(move: str) -> str:
    """The run that a move belongs to, as its id tells."""
    return move.rpartition("/")[0]


class Guarding:
    """What the drivers of a host have in common about its switches."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def hold(self, runs: Sequence[str], *, undo: bool) -> None:
        """A word to the switches of these runs before we change anything; to take back, one may wait for the host."""
        for run in runs:
            within = self._host.armed.get(run)
            if within is not None:
                await (self._reach(run, within) if undo else self.word(run, within))

    async def word(self, run: str, seconds: float) -> None:
        """From now on it is quiet for so long."""
        try:
            answer, _ = await self._host.ask("extend", run=self._host.label(run), seconds=seconds)
        except Lost as lost:
            raise lost.error from lost
        if answer["state"] == "fired":
            self._host.armed.pop(run, None)
            self._host.undone.update(answer["undone"])

    async def note(self, move: Move, *, begun: bool) -> None:
        """Tell the switch that a command is about to be run, or was taken back."""
        run = run_of(move.id)
        if run in self._host.armed:
            try:
                await self._host.ask("mark", run=self._host.label(run), step=move.id, begun=begun)
            except Lost as lost:
                raise lost.error from lost

    async def _reach(self, run: str, within: float) -> None:
        """A host that we cut off comes back by itself when its switch fires; until then there is nothing to be done."""
        until = monotonic() + within + AFTERWARDS_S
        for number in count(1):
            try:
                return await self.word(run, within)
            except WorldError as error:
                if not error.retryable or monotonic() > until:
                    raise
                self._host.retrying(error, number, PAUSE_S)
            await asyncio.sleep(PAUSE_S)


class Guards(Guarding):
    """The switches themselves: the part of a driver of files that is a `Guard`."""

    def __init__(self, host: Host, secrets: Secrets) -> None:
        super().__init__(host)
        self._secrets = secrets
        self._beats: dict[str, asyncio.Task[None]] = {}

    async def arm(self, run: str, within: float, moves: Sequence[Move]) -> None:
        undo = [self._taken_back(move) for move in moves]
        await self.begin(run, within, [each for each in undo if each is not None])

    async def begin(self, run: str, within: float, undo: Sequence[Any]) -> None:
        """Orders for the engine and commands, in the order in which they are carried out when it fires."""
        try:
            answer, _ = await self._host.ask("arm", run=self._host.label(run), seconds=within, undo=undo)
        except Lost as lost:
            raise lost.error from lost
        if answer != "armed":
            raise WorldError(f"{self._host.name}: its switch has fired already", code="unconfirmed")
        self._host.armed[run] = within
        self._beats[run] = asyncio.create_task(self._beat(run, within))

    def expect(self, run: str, within: float) -> None:
        self._host.armed.setdefault(run, within)

    def last_word(self, run: str) -> None:
        self._hush(run)
        within = self._host.armed.get(run)
        if within is not None:
            self._beats[run] = asyncio.create_task(self._say(run, within + GRACE_S))

    async def disarm(self, run: str) -> None:
        self._hush(run)
        answer = await self._host.renewed("disarm", run=self._host.label(run))
        self._host.armed.pop(run, None)
        if answer == "fired":
            message = f"{self._host.name} heard nothing for too long, and has taken the run back by itself"
            raise WorldError(message, code="unconfirmed")

    def _hush(self, run: str) -> None:
        beat = self._beats.pop(run, None)
        if beat is not None:
            beat.cancel()

    def hush(self) -> None:
        for run in list(self._beats):
            self._hush(run)

    async def _beat(self, run: str, within: float) -> None:
        while run in self._host.armed:
            await asyncio.sleep(within / 3)
            await self._say(run, within)

    async def _say(self, run: str, seconds: float) -> None:
        with suppress(WorldError):  # the host is out of reach: that is what its switch is for
            await self.word(run, seconds)

    def _taken_back(self, move: Move) -> Any:
        """An order for the engine, or a command; None for what leaves nothing behind."""
        means = move.change.means
        if not move.change.runs:
            return undoing(move)
        if not isinstance(means, Running) or means.undoes is None:
            return None
        undo = means.undoes
        user = undo.sudo if isinstance(undo.sudo, str) else "root" if undo.sudo and not self._host.way.sudo else ""
        prefix = ("sudo", "-n", "-u", user, "--") if user else ()
        env = {name: self._secrets.value(value) for name, value in undo.env.items()}
        return {"id": move.id, "argv": [*prefix, *undo.argv], "env": env, "cwd": undo.cwd}
