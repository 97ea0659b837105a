"""The executor: commands, scripts and transfers on hosts, each with its whole story in the result.

Everything it needs is handed in; two of them share nothing but what both were given.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from secrets import token_hex
from time import gmtime, monotonic, perf_counter, strftime
from typing import Any

from holdfast.core.errors import WorldError
from holdfast.ssh.address import Address
from holdfast.ssh.attending import Attendant
from holdfast.ssh.breaker import Breaker
from holdfast.ssh.configuration import ExecutorConfig
from holdfast.ssh.connection import Connection
from holdfast.ssh.pool import Pool, Statistics
from holdfast.ssh.quoting import line_of
from holdfast.ssh.running import Done, Prepare, carry_out, limit_s, prepared, prepared_script, result_of
from holdfast.ssh.scripts import leftovers, text_of
from holdfast.ssh.tracing import Tracing
from holdfast.ssh.trying import Attempt, Trier
from holdfast.ssh.values import (
    CONFIGURED,
    Asked,
    Command,
    Heard,
    Host,
    Progress,
    Result,
    Running,
    Script,
    Sudo,
    Transfer,
    Transferred,
)
from holdfast.ssh.wrapping import Wrapped, wrapped


class Executor:
    """Use it as an asynchronous context manager. `attempted` hears of every try, `accepted` of every new host key."""

    def __init__(
        self,
        config: ExecutorConfig | None = None,
        *,
        pool: Pool | None = None,
        now: Callable[[], float] = monotonic,
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        tracer: Any = None,
        meter: Any = None,
        attempted: Callable[[Attempt], None] = lambda attempt: None,
        accepted: Callable[[str], None] = lambda said: None,
    ) -> None:
        self.config = config or (pool.config if pool is not None else ExecutorConfig())
        self._lends = pool is not None
        self.pool = pool or Pool(self.config, now=now, accepted=accepted, tracer=tracer, meter=meter)
        self._trier = Trier(self.pool, self.config, now=now, chance=chance, sleep=sleep, attempted=attempted)
        self._tracing = Tracing(tracer, meter)

    async def __aenter__(self) -> Executor:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        if not self._lends:
            await self.pool.close()

    def configure(self, config: ExecutorConfig) -> None:
        """From the next piece of work on. Sizes of the pool stay as they were."""
        self.config = self._trier.config = self.pool.config = config

    def statistics(self) -> Statistics:
        return self.pool.statistics()

    @property
    def retries(self) -> int:
        return self._trier.retries

    def breaker(self, host: Host) -> Breaker:
        return self._trier.breaker(host if isinstance(host, Address) else Address.parse(host))

    # -- commands and scripts

    async def run_command(self, command: Command, heard: Heard | None = None) -> Result:
        """Run it to its end. Never raises for what happens there: see `Result.error`."""
        return await self._run("ssh.command", command, heard, partial(prepared, command))

    async def run_script(self, script: Script, heard: Heard | None = None) -> Result:
        id = script.id or token_hex(8)

        def prepare(attendant: Attendant | None) -> Wrapped:
            return prepared_script(script, text_of(script), id, attendant)

        return await self._run("ssh.script", script, heard, prepare)

    async def run_all(
        self, asked: Sequence[Command | Script], *, parallel: int = 32, heard: Heard | None = None
    ) -> list[Result]:
        """Many at once, on as many hosts as they name, but never more than `parallel`; results in their order."""
        if parallel < 1:
            raise ValueError(f"`parallel` is at least 1, not {parallel}")
        results: dict[int, Result] = {}
        waiting = iter(enumerate(asked))

        async def work() -> None:
            for place, each in waiting:
                run = self.run_script(each, heard) if isinstance(each, Script) else self.run_command(each, heard)
                results[place] = await run

        async with asyncio.TaskGroup() as group:
            for _ in range(min(parallel, len(asked))):
                group.create_task(work())
        return [results[place] for place in range(len(asked))]

    # -- transfers

    async def transfer(self, asked: Transfer, progress: Progress = lambda done, whole: None) -> Transferred:
        """Bring it there, or fetch it. `progress` hears bytes done and bytes in all."""
        from holdfast.ssh.downloads import Download  # archives and their like: commands come without
        from holdfast.ssh.far_side import FarSide
        from holdfast.ssh.uploads import Upload

        began = perf_counter()
        try:
            address = asked.address
        except WorldError as error:
            return Transferred(host=str(asked.host), error=error.as_failure())
        timeout = self.config.transfer_timeout_s if asked.timeout == CONFIGURED else asked.timeout
        stamp = strftime("%Y%m%dT%H%M%SZ", gmtime())

        async def work(connection: Connection) -> Transferred:
            side = FarSide(connection, Sudo.of(asked.sudo), timeout)
            return await (Download if asked.download else Upload)(side, asked, progress, stamp).carry()

        direction = "download" if asked.download else "upload"
        tags = {"host": address.host, "direction": direction, "sudo": _sudo(asked), "timeout": timeout or 0.0}
        async with self._tracing.span("ssh.transfer", tags) as span:
            tried = await self._trier.persist(address, work)
            found = tried.value or Transferred(host=str(address), error=tried.failure)
            span.add(files=found.files, bytes=found.bytes, attempts=tried.attempts)
            span.failed(found.error)
        return replace(found, duration_s=perf_counter() - began, attempts=tried.attempts)

    # -- hosts

    async def remove_leftovers(self, host: Host, id: str, sudo: Sudo | bool | str = False) -> Result:
        """What a script with this id left when its client and its shell were both killed."""
        return await self.run_command(Command(leftovers(id), host=host, sudo=sudo))

    async def _run(self, name: str, asked: Running, heard: Heard | None, prepare: Prepare) -> Result:
        if not isinstance(asked, Running):
            raise TypeError(f"what is run is a Command or a Script, like Command('uptime', host='web1'); this is {asked!r}")
        began = perf_counter()
        try:
            address = asked.address
            first = prepare(None)
            line_of(first.line)  # what cannot be said is found before anybody is called
        except WorldError as error:
            return Result(host=str(asked.host), error=error.as_failure())

        async def work(connection: Connection) -> Done:
            return await carry_out(connection, asked, prepare(connection.attendant()), self.config, heard)

        async with self._tracing.span(name, _tags(asked, address, self.config)) as span:
            if isinstance(asked, Script):
                span.add(script_bytes=len(first.payload) - len(asked.input))
            tried = await self._trier.persist(address, work, self._happened(asked))
            result = result_of(address, tried, perf_counter() - began)
            span.add(
                exit_code=result.exit_code,
                attempts=result.attempts,
                stdout_bytes=len(result.output),
                stderr_bytes=len(result.stderr),
            )
            span.failed(result.error)
        return result

    def _happened(self, asked: Running) -> Callable[[Connection], Awaitable[bool]] | None:
        check = asked.check
        if check is None:
            return None

        async def look(connection: Connection) -> bool:
            wrap = wrapped(check, env=asked.env, cwd=asked.cwd, sudo=Sudo.of(asked.sudo))
            return (await carry_out(connection, asked, wrap, self.config)).ran.success

        return look


def _sudo(asked: Asked) -> str:
    sudo = Sudo.of(asked.sudo)
    return sudo.user if sudo else ""


def _tags(asked: Running, address: Address, config: ExecutorConfig) -> dict[str, Any]:
    return {
        "host": address.host,
        "sudo": _sudo(asked),
        "timeout": limit_s(asked, config) or 0.0,
        "env_count": len(asked.env),
        "stdin_bytes": len(asked.input),
    }
