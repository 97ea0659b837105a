"""One host as a target: how to get in, and the worker there that is talked to.

A worker is started when it is first needed and lives until the host is closed or its connection is lost. One question
is asked at a time; whoever is interrupted while he waits for the answer leaves a line that nobody can read, so the
worker is given up then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from json import loads
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from holdfast.core.errors import WorldError
from holdfast.drivers.remote.parcel import OLDEST, TOO_OLD, command, parcel
from holdfast.drivers.remote.wire import HEAD, pack, sizes

if TYPE_CHECKING:
    from holdfast.drivers.remote.hosts import Hosts
    from holdfast.ssh.address import Address
    from holdfast.ssh.connection import Connection
    from holdfast.ssh.dialogue import Process
    from holdfast.ssh.pool import Pool

START_S: Final = 30.0
END_S: Final = 5.0
COOLING_S: Final = 2.0  # after a connection could not be had nobody tries again for so long
ERROR_BYTES_MAX: Final = 4096
NOT_FOUND: Final = 127

Answer = tuple[Any, bytes]
Serve = Callable[["Worker", dict[str, Any]], Awaitable[None]]  # what a worker wants before it answers


class Lost(Exception):
    """The worker is gone, and with it the answer."""

    def __init__(self, error: WorldError) -> None:
        super().__init__(error.message)
        self.error = error


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What a plan says about a host, with its secrets resolved."""

    address: Address
    sudo: bool = False
    sudo_password: str = field(default="", repr=False)
    shell: str = ""
    sessions_max: int = 0  # 0: as usual
    python: str = "python3"


class Worker:
    """The near end of a worker's line."""

    def __init__(self, process: Process, host: str) -> None:
        self.process = process
        self._host = host

    async def send(self, document: Any) -> None:
        try:
            self.process.stdin.write(pack(document))
            await self.process.stdin.drain()
        except WorldError as error:
            raise Lost(error) from error

    async def receive(self) -> Answer:
        try:
            text, beside = sizes(await self.process.stdout.readexactly(HEAD.size))
            return loads(await self.process.stdout.readexactly(text)), await self.process.stdout.readexactly(beside)
        except asyncio.IncompleteReadError as error:
            raise Lost(WorldError(f"{self._host}: the connection was lost", code="unreachable")) from error


class Host:
    """One way in and at most one worker; shared by the drivers of a target."""

    def __init__(self, name: str, way: Callable[[], Way], hosts: Hosts, pool: Pool | None = None) -> None:
        self.name = name
        self.took_over: set[str] = set()  # runs that this process works for here
        self.armed: dict[str, float] = {}  # runs with a switch, and how long it waits for a word
        self.undone: set[str] = set()  # commands that a switch has taken back by itself
        self.known = False  # it was reached once
        self._way = way
        self._hosts = hosts
        self._pool = pool  # None: the one that all hosts share
        self._found: Way | None = None
        self._worker: Worker | None = None
        self._stack = AsyncExitStack()
        self._alone = asyncio.Lock()
        self._refused: tuple[float, WorldError] | None = None

    @property
    def way(self) -> Way:
        if self._found is None:
            self._found = self._way()
        return self._found

    def label(self, run: str) -> str:
        """What a run is called there: two targets of one plan may be the same machine."""
        return f"{self.name}@{run}"

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection for one command. Raises WorldError when there is none to be had, at once when that is known."""
        if self._refused is not None and monotonic() < self._refused[0]:
            raise self._refused[1]
        lent = (self._pool or self._hosts.pool()).session(self.way.address)
        try:
            connection = await lent.__aenter__()
        except WorldError as error:
            self._refused = (monotonic() + COOLING_S, error)
            raise
        try:
            yield connection
        finally:
            await lent.__aexit__(None, None, None)

    async def ask(self, what: str, serve: Serve | None = None, **values: Any) -> Answer:
        """One question to the worker. Raises Lost when the answer did not come, WorldError when it is an error."""
        async with self._alone:
            worker = self._worker or await self._start()
            try:
                await worker.send({"ask": what, **values})
                said, beside = await worker.receive()
                while "answer" not in said and "error" not in said:
                    assert serve is not None
                    await serve(worker, said | {"beside": beside})
                    said, beside = await worker.receive()
            except BaseException:
                await self._give_up()
                raise
        if "error" in said:
            code, message = said["error"]
            raise WorldError(f"{self.name}: {message}", code=code)
        return said["answer"], beside

    async def renewed(self, what: str, **values: Any) -> Any:
        """The same over a connection that is made for it: who answers proves that the host still lets people in."""
        from holdfast.ssh.pool import Pool

        async with Pool(self._hosts.config) as pool:
            fresh = Host(self.name, self._way, self._hosts, pool)
            try:
                answer, _ = await fresh.ask(what, **values)
            except Lost as lost:
                raise lost.error from lost
            finally:
                await fresh.close()
        return answer

    async def close(self) -> None:
        """Let the worker end by itself: it tidies up behind it."""
        async with self._alone:
            if self._worker is not None:
                self._worker.process.stdin.write_eof()
                with suppress(WorldError, TimeoutError):
                    async with asyncio.timeout(END_S):
                        await self._worker.process.wait()
            await self._give_up()

    # -- the worker

    async def _start(self) -> Worker:
        """Send it there. What a broken connection left of it is ended before anything is asked."""
        try:
            connection = await self._stack.enter_async_context(self.connection())
            worker = Worker(await connection.open_process(self._words()), self.name)
            await self._greet(worker)
            self._worker, self.known = worker, True
            if self.took_over:
                await worker.send({"ask": "take_over", "runs": sorted(self.took_over)})
                await worker.receive()
        except Lost as lost:
            await self._give_up()
            raise lost.error from lost
        except BaseException:
            await self._give_up()
            raise
        return worker

    def _words(self) -> Sequence[str]:
        if not self.way.sudo:
            return command(self.way.python)
        asking = ("-S", "-p", "") if self.way.sudo_password else ("-n",)
        return ("sudo", *asking, "--", *command(self.way.python))

    async def _greet(self, worker: Worker) -> None:
        password = f"{self.way.sudo_password}\n".encode() if self.way.sudo and self.way.sudo_password else b""
        try:
            worker.process.stdin.write(password + parcel())
            async with asyncio.timeout(START_S):
                await worker.receive()
        except (Lost, WorldError) as error:
            raise await self._why(worker) from error
        except TimeoutError:
            raise WorldError(f"{self.name}: its python3 did not start within {START_S:g} s", code="timeout") from None

    async def _why(self, worker: Worker) -> WorldError:
        """Why no worker runs there."""
        said = (await worker.process.stderr.read(ERROR_BYTES_MAX)).decode("utf-8", "replace").strip()
        code = await worker.process.wait()
        hint = "install python3, or use `command` and `script` steps only"
        if code == TOO_OLD:
            needed = ".".join(map(str, OLDEST))
            return WorldError(f"{self.name}: its python3 is older than {needed}", code="unsupported", hint=hint)
        if self.way.sudo and said.startswith(("sudo: ", "Sorry, ")):
            hint = "allow it without a password, or give `sudo_password`"
            return WorldError(f"{self.name}: {said.splitlines()[-1]}", code="permission_denied", hint=hint)
        if code == NOT_FOUND:
            return WorldError(f"{self.name}: it has no python3, which steps with files need", code="unsupported", hint=hint)
        return WorldError(f"{self.name}: no worker could be started there: {said or f'exit code {code}'}", code="unsupported")

    async def _give_up(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.process.dialogue.close()
        stack, self._stack = self._stack, AsyncExitStack()
        await stack.aclose()
