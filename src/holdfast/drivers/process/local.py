"""Programs and scripts on this machine.

A move is one effect: ask the check, run, and say what came of it. It is undone by the counter-action its step declares.
Whatever interrupts a move ends its whole process group, and the move still returns: cancelled or out of time, it failed
half-way, and its check, if it has one, says how far it came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Final

from holdfast.core.errors import Failure, WorldError
from holdfast.drivers.contract import Batch, Ending, Move, Outcome
from holdfast.drivers.one_by_one import one_by_one
from holdfast.drivers.output import OUTPUT_BYTES_MAX
from holdfast.drivers.process import delivery, leftovers
from holdfast.drivers.process.failures import BROKEN_OFF, ended_badly, name_of, not_started
from holdfast.drivers.process.programs import CHECK_TIMEOUT_S, Programs, text_of
from holdfast.drivers.process.starting import Starter, other_user
from holdfast.drivers.secrets import Secrets
from holdfast.drivers.spawn import Ended, Limits, Stopped, run
from holdfast.kinds.command import Command
from holdfast.kinds.running import Invocation, Running
from holdfast.kinds.script import Script

GRACE_S: Final = 5.0


class LocalProcesses(Programs):
    """`work` is a private directory for what scripts need while they run; it is made when it is missing."""

    def __init__(
        self,
        work: str,
        *,
        secrets: Secrets | None = None,
        sudo: str = "sudo",
        grace_s: float = GRACE_S,
        check_timeout_s: float = CHECK_TIMEOUT_S,
        output_bytes_max: int = OUTPUT_BYTES_MAX,
    ) -> None:
        self._secrets = secrets or Secrets()
        self._work = work
        self._starter = Starter(self._secrets, sudo)
        self._grace_s = grace_s
        self._check_timeout_s = check_timeout_s
        self._output_bytes_max = output_bytes_max

    # -- the driver's page

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        return await one_by_one(batch, self._make)

    async def settle(self, moves: Sequence[Move]) -> None:
        for move in moves:
            delivery.drop_private_files(self._work, move.id)

    async def close(self) -> None:
        """Nothing is held between two moves."""

    # -- one move

    async def _interrupted(self, move: Move, operation: Running) -> Outcome:
        await leftovers.stop(move.id, self._grace_s)
        return Outcome(Ending.FAILED, BROKEN_OFF)

    async def _do(self, move: Move, operation: Running) -> Outcome:
        if move.id in self._orphans:
            await self._clear(move)
        spared = await self._spared(move, operation)
        if spared is not None:
            return spared
        if isinstance(operation, Script):
            return await self._run_script(move, operation)
        assert isinstance(operation, Command)
        return await self._run(move, operation.does)

    async def _take_back(self, move: Move, operation: Running) -> Outcome:
        await self._clear(move)
        return await self._undo(move, operation)

    async def _clear(self, move: Move) -> None:
        """A Holdfast that was killed may have left the program running, and its script behind."""
        await leftovers.stop(move.id, self._grace_s)
        delivery.drop_private_files(self._work, move.id)

    @cached_property
    def _orphans(self) -> Mapping[str, Sequence[int]]:
        """What ran for some move before this driver began: looked for once, because it costs a look at every process."""
        return leftovers.marked()

    async def _run_script(self, move: Move, script: Script) -> Outcome:
        text = text_of(script)
        interpreter = script.run_by(text)
        name = "the script" if script.source is None else script.source
        if other_user(script.sudo) not in (None, "root"):
            argv, sent = delivery.received(text, interpreter, script.args)
            return await self._run(move, script.does(argv), name=name, first=sent)
        with delivery.private_file(self._work, move.id, text) as path:
            return await self._run(move, script.does((*interpreter, path, *script.args)), name=name)

    async def _run(self, move: Move, invocation: Invocation, *, name: str = "", first: bytes = b"") -> Outcome:
        ended = await self._spawn(invocation, move.timeout, mark=move.id, first=first)
        if isinstance(ended, Failure):
            return Outcome(Ending.FAILED, ended)
        output = self._secrets.show(ended.output)
        if ended.stopped is not None:
            await leftovers.stop(move.id, self._grace_s)  # whoever left the group ends as well
        if ended.stopped is Stopped.CANCELLED:
            return Outcome(Ending.FAILED, BROKEN_OFF, output=output)
        if ended.stopped is None and ended.code in invocation.ok_codes:
            return Outcome(Ending.DONE, output=output)
        failure = ended_badly(name or name_of(invocation.argv), ended, self._secrets, move.timeout)
        return Outcome(Ending.FAILED, failure, output=output)

    async def _ask(self, check: Invocation, timeout: float | None) -> bool | Failure:
        limit = self._check_timeout_s if timeout is None else min(timeout, self._check_timeout_s)
        try:
            ended = await self._spawn(check, limit)
        except WorldError as error:
            return error.as_failure()
        if isinstance(ended, Failure):
            return ended
        if ended.stopped is Stopped.CANCELLED:
            raise asyncio.CancelledError
        return ended.code == 0 if ended.stopped is None else ended_badly(name_of(check.argv), ended, self._secrets, limit)

    async def _spawn(
        self, invocation: Invocation, timeout: float | None, *, mark: str = "", first: bytes = b""
    ) -> Ended | Failure:
        program = self._starter.program(invocation, mark, first)
        limits = Limits(timeout, self._grace_s, self._output_bytes_max, self._secrets.margin)
        try:
            return await run(program, limits, partial(self._starter.tell, invocation.sudo))
        except (OSError, ValueError) as error:
            return not_started(invocation, error)
