"""Programs and scripts on a host: the same promises as for those of this machine, kept over SSH.

What was sent and never answered is in doubt, and never simply done again. Every program carries the id of its move in
its environment, so that one which outlived its connection is found and ended before the move is made again or undone.
"""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from holdfast.core.errors import Failure, WorldError
from holdfast.drivers.contract import UNCHANGED, Batch, Ending, Move, Outcome
from holdfast.drivers.one_by_one import one_by_one
from holdfast.drivers.output import OUTPUT_BYTES_MAX, Capture
from holdfast.drivers.process.failures import BROKEN_OFF, ended_badly, name_of
from holdfast.drivers.process.leftovers import MARK
from holdfast.drivers.process.programs import CHECK_TIMEOUT_S, Programs, text_of
from holdfast.drivers.remote.guard import Guarding, run_of
from holdfast.drivers.remote.host import Host
from holdfast.drivers.remote.hosts import Hosts
from holdfast.drivers.secrets import Secrets
from holdfast.drivers.spawn import Ended, Stopped
from holdfast.kinds.running import SHELL, Invocation, Running
from holdfast.kinds.script import Script

if TYPE_CHECKING:
    from holdfast.ssh.values import Result, Sudo

STOP_S: Final = 15.0

# Ends what carries a mark in its environment: politely once, after five seconds by force. The mark comes in two pieces,
# because sudo writes the arguments of what it runs into the environment of that.
_STOP: Final = (
    'i=0; while p=$(grep -lszF "$1$2" /proc/[0-9]*/environ | cut -d/ -f3); [ -n "$p" ]; do '
    "case $i in 0) kill -TERM $p;; 50) kill -KILL $p;; 100) exit 1;; esac 2>/dev/null; i=$((i+1)); sleep 0.1; done"
)
_SENT: Final = frozenset({"timeout", "in_doubt"})  # what may have happened all the same


class RemoteProcesses(Programs, Guarding):
    """Programs on one host."""

    def __init__(self, host: Host, hosts: Hosts, secrets: Secrets) -> None:
        super().__init__(host)
        self._hosts = hosts
        self._secrets = secrets
        self._begun: set[str] = set()  # moves that this process has begun: anything else that runs was left behind
        self._cleared: set[tuple[str, bool | str]] = set()  # runs, and users: nothing runs that we did not begin
        self._clearing = asyncio.Lock()

    # -- the driver's page

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        await self.hold(sorted({run_of(move.id) for move in batch.moves}), undo=any(move.undo for move in batch.moves))
        return await one_by_one(batch, self._make)

    async def settle(self, moves: Sequence[Move]) -> None:
        """Only what a crash left of scripts is still there."""
        for run in sorted({run_of(move.id) for move in moves if move.change.key.startswith("script/")}):
            await self._hosts.connections.executor().remove_leftovers(
                self._host.way.address, _word(run), self._sudo(False) or False
            )

    async def close(self) -> None:
        await self._hosts.leave(self._host)

    # -- one move

    async def _do(self, move: Move, operation: Running) -> Outcome:
        await self._clear_once(move, operation)
        spared = await self._spared(move, operation)
        if spared is not None:
            return spared
        await self.note(move, begun=True)
        self._begun.add(move.id)
        if isinstance(operation, Script):
            return await self._run_script(move, operation)
        return await self._run(move, operation.does)  # type: ignore[attr-defined]  # a Command

    async def _interrupted(self, move: Move, operation: Running) -> Outcome:
        """What was sent is ended by who stops waiting for it; here it is waited for."""
        try:
            await self._stop(move, operation)
        except WorldError:
            return Outcome(Ending.IN_DOUBT, replace(BROKEN_OFF, code="in_doubt"))
        return Outcome(Ending.FAILED, BROKEN_OFF)

    async def _take_back(self, move: Move, operation: Running) -> Outcome:
        if move.id in self._host.undone:
            return UNCHANGED
        await self._stop(move, operation)
        outcome = await self._undo(move, operation)
        if outcome.ending in (Ending.DONE, Ending.UNCHANGED):
            await self.note(move, begun=False)
        return outcome

    async def _clear_once(self, move: Move, operation: Running) -> None:
        """A Holdfast that was killed may have left programs of this run there; one that is tried again may have."""
        known = run_of(move.id), operation.sudo
        if move.id in self._begun:
            return await self._stop(move, operation)
        async with self._clearing:
            if known not in self._cleared:
                await self._end(f"{known[0]}/", operation)
                self._cleared.add(known)

    async def _stop(self, move: Move, operation: Running) -> None:
        await self._end(f"{move.id};", operation)

    async def _end(self, moves: str, operation: Running) -> None:
        argv = (SHELL, "-c", _STOP, SHELL, f"{MARK}=", f"{self._host.name}:{moves}")
        found = await self._send(Invocation(argv=argv, sudo=operation.sudo), STOP_S)
        if found.error is not None and found.exit_code is None:
            raise WorldError(found.error.message, code=found.error.code, hint=found.error.hint)

    async def _run_script(self, move: Move, script: Script) -> Outcome:
        text = text_of(script)
        around = script.does(script.run_by(text))
        result = await self._send(around, move.timeout, move.id, text=text, args=script.args)
        name = "the script" if script.source is None else script.source
        return self._outcome(result, around, name, move.timeout)

    async def _run(self, move: Move, invocation: Invocation) -> Outcome:
        result = await self._send(invocation, move.timeout, move.id)
        return self._outcome(result, invocation, name_of(invocation.argv), move.timeout)

    async def _ask(self, check: Invocation, timeout: float | None) -> bool | Failure:
        limit = CHECK_TIMEOUT_S if timeout is None else min(timeout, CHECK_TIMEOUT_S)
        try:
            result = await self._send(check, limit)
        except WorldError as error:
            return error.as_failure()
        if result.exit_code is not None and _was_run(result):
            return result.exit_code == 0
        outcome = self._outcome(result, check, name_of(check.argv), limit)
        return outcome.failure or Failure(code="in_doubt", message="nobody heard what the check said")

    # -- over the wire

    async def _send(
        self, invocation: Invocation, timeout: float | None, id: str = "", *, text: str = "", args: Sequence[str] = ()
    ) -> Result:
        """Secrets become values here."""
        from holdfast.ssh.values import Command as Asked
        from holdfast.ssh.values import Script as AskedScript

        env = {name: self._secrets.value(value) for name, value in invocation.env.items()}
        if id:
            env[MARK] = f"{self._host.name}:{id};"
        around: dict[str, Any] = {
            "host": self._host.way.address,
            "env": env,
            "cwd": invocation.cwd,
            "sudo": self._sudo(invocation.sudo),
            "stdin": None if invocation.stdin is None else self._secrets.value(invocation.stdin),
            "timeout": timeout,
            "output_bytes_max": OUTPUT_BYTES_MAX + self._secrets.margin,
        }
        executor = self._hosts.connections.executor()
        if not text:
            return await executor.run_command(Asked(self._words(invocation.argv), brief=True, **around))
        script = AskedScript(content=text, interpreter=invocation.argv, args=tuple(args), id=_word(id), **around)
        return await executor.run_script(script)

    def _sudo(self, said: bool | str) -> Sudo | None:
        from holdfast.ssh.values import Sudo

        way = self._host.way
        user = said if isinstance(said, str) and said else "root" if said or way.sudo else ""
        return Sudo(user=user, password=way.sudo_password) if user else None

    def _words(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """What is for a shell goes to the one that the target names."""
        shell = self._host.way.shell
        return (shell, *argv[1:]) if shell and argv[:2] == (SHELL, "-c") else argv

    def _outcome(self, result: Result, invocation: Invocation, name: str, timeout: float | None) -> Outcome:
        ended = self._ended(result)
        output = self._secrets.show(ended.output)
        failure = result.error
        if result.exit_code in invocation.ok_codes and _was_run(result):
            return Outcome(Ending.DONE, output=output)
        if failure is None or failure.code == "command_failed" or (failure.code == "timeout" and ended.stopped):
            return Outcome(Ending.FAILED, ended_badly(name, ended, self._secrets, timeout), output=output)
        if failure.code in _SENT:
            return Outcome(Ending.IN_DOUBT, replace(failure, code="in_doubt", doubtful=True), output=output)
        return Outcome(Ending.FAILED, replace(failure, message=self._secrets.scrub(failure.message)), output=output)

    def _ended(self, result: Result) -> Ended:
        both, errors = (Capture(OUTPUT_BYTES_MAX, self._secrets.margin) for _ in range(2))
        both.feed(result.output)
        for capture in (both, errors):
            capture.feed(result.stderr.encode())
        code = result.exit_code if result.exit_code is not None else -int(getattr(signal, result.signal, signal.SIGKILL))
        late = result.error is not None and result.error.code == "timeout" and result.error.doubtful
        return Ended(code, Stopped.TIMEOUT if late else None, both, errors, result.duration_s)


def _was_run(result: Result) -> bool:
    """Its own exit code, not one of what surrounds it."""
    return result.error is None or result.error.code == "command_failed"


def _word(id: str) -> str:
    """An id as part of a file name: ids of one run begin alike, with a dot after it."""
    return re.sub(r"[^A-Za-z0-9_.-]", ".", id)
