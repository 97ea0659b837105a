"""One host as a target: how to get in, and the worker there that is talked to, in its Python or in its shell.

A worker is started when it is first needed and lives until the host is closed or its connection is lost. One question
is asked at a time; whoever is interrupted while he waits for the answer leaves a line that nobody can read, so the
worker is given up then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from holdfast.core.errors import WorldError
from holdfast.drivers.remote.connections import Connections
from holdfast.drivers.remote.near import Answer, Lost, PythonWorker, Serve
from holdfast.drivers.remote.parcel import NO_PYTHON, START, command, parcel, shell
from holdfast.drivers.remote.way import Way

if TYPE_CHECKING:
    from holdfast.drivers.remote.shell.worker import ShellWorker
    from holdfast.ssh.connection import Connection
    from holdfast.ssh.dialogue import Process
    from holdfast.ssh.pool import Pool

START_S: Final = 30.0
END_S: Final = 5.0
COOLING_S: Final = 2.0  # after a connection could not be had nobody tries again for so long
SHARED_MIN: Final = 3  # sessions of one connection from which a worker, which stays, and programs can share it
ERROR_BYTES_MAX: Final = 4096
NOT_FOUND: Final = 127

Retrying = Callable[["Host", str, int, float], None]  # what failed there, for the how many-th time, and when it is tried again


class NoPython(Exception):
    """There is none, or none that is young enough."""


class Host:
    """One way in and at most one worker; shared by the drivers of a target."""

    def __init__(
        self, name: str, way: Callable[[], Way], connections: Connections, tell: Retrying, pool: Pool | None = None
    ) -> None:
        self.name = name
        self.took_over: set[str] = set()  # runs that this process works for here
        self.armed: dict[str, float] = {}  # runs with a switch, and how long it waits for a word
        self.undone: set[str] = set()  # commands that a switch has taken back by itself
        self.known = False  # it was reached once
        self._way = way
        self._connections = connections
        self._tell = tell
        self._pool = pool  # None: the one that all hosts share
        self._found: Way | None = None
        self._worker: PythonWorker | ShellWorker | None = None
        self._without_python = False
        self._stack = AsyncExitStack()
        self._alone = asyncio.Lock()
        self._refused: tuple[float, WorldError] | None = None
        self._told_of: WorldError | None = None  # the last failure that somebody heard of

    @property
    def way(self) -> Way:
        if self._found is None:
            self._found = self._way()
        return self._found

    def is_at(self, address: str) -> bool:
        """Was it worked on there?"""
        return self._found is not None and str(self._found.address) == address

    def retrying(self, error: WorldError, attempt: int, delay_s: float) -> None:
        """What failed is tried again. While it is known that nobody is there, nothing was tried."""
        if self._refused is None or error is not self._told_of:
            self._told_of = error
            self._tell(self, error.code, attempt, delay_s)

    def label(self, run: str) -> str:
        """What a run is called there: two targets of one plan may be the same machine."""
        return f"{self.name}@{run}"

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection for a worker. Raises WorldError when there is none to be had, at once when that is known."""
        if self._refused is not None and monotonic() < self._refused[0]:
            raise self._refused[1]
        address = self.way.address
        pool = self._pool or self._connections.pool(apart=0 < address.sessions_max < SHARED_MIN)
        lent = pool.session(address, stays=True)
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
                said, beside = await worker.ask(what, serve, values)
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

        async with Pool(self._connections.config) as pool:
            fresh = Host(self.name, self._way, self._connections, self._tell, pool)
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

    async def _start(self) -> PythonWorker | ShellWorker:
        """Send it there. What a broken connection left of it is ended before anything is asked."""
        try:
            connection = await self._stack.enter_async_context(self.connection())
            worker = await self._begin(connection)
            self._worker, self.known = worker, True
            if self.took_over:
                await worker.ask("take_over", None, {"runs": sorted(self.took_over)})
        except Lost as lost:
            await self._give_up()
            raise lost.error from lost
        except BaseException:
            await self._give_up()
            raise
        return worker

    async def _begin(self, connection: Connection) -> PythonWorker | ShellWorker:
        """A worker in the Python that is there; where there is none, in a shell."""
        if not self._without_python:
            worker = PythonWorker(await connection.open_process(self._as_user(command(self.way.python))), self.name)
            try:
                await self._greet(worker)
                return worker
            except NoPython:
                worker.process.dialogue.close()
                self._without_python = True
        return await self._begin_shell(await connection.open_process(self._as_user(shell())))

    async def _begin_shell(self, process: Process) -> ShellWorker:
        from holdfast.drivers.remote.shell.worker import greet

        try:
            process.stdin.write(self._password() + START)
            async with asyncio.timeout(START_S):
                return await greet(process, self._lost)
        except TimeoutError:
            raise WorldError(f"{self.name}: its shell did not answer within {START_S:g} s", code="timeout") from None
        except Lost as lost:
            raise await self._why(process) from lost
        except WorldError as error:
            hint = "install python3, or use `command` and `script` steps only"
            raise WorldError(f"{self.name}: {error.message}", code=error.code, hint=hint) from error

    def _as_user(self, words: Sequence[str]) -> Sequence[str]:
        if not self.way.sudo:
            return words
        asking = ("-S", "-p", "") if self.way.sudo_password else ("-n",)
        return ("sudo", *asking, "--", *words)

    def _password(self) -> bytes:
        return f"{self.way.sudo_password}\n".encode() if self.way.sudo and self.way.sudo_password else b""

    def _lost(self) -> Lost:
        return Lost(WorldError(f"{self.name}: the connection was lost", code="unreachable"))

    async def _greet(self, worker: PythonWorker) -> None:
        try:
            worker.process.stdin.write(self._password() + parcel())
            async with asyncio.timeout(START_S):
                await worker.receive()
        except (Lost, WorldError) as error:
            raise await self._why(worker.process) from error
        except TimeoutError:
            raise WorldError(f"{self.name}: its python3 did not start within {START_S:g} s", code="timeout") from None

    async def _why(self, process: Process) -> WorldError | NoPython:
        """Why no worker runs there."""
        said = (await process.stderr.read(ERROR_BYTES_MAX)).decode("utf-8", "replace").strip()
        code = await process.wait()
        if code == NO_PYTHON:
            return NoPython()
        if self.way.sudo and said.startswith(("sudo: ", "Sorry, ")):
            hint = "allow it without a password, or give `sudo_password`"
            return WorldError(f"{self.name}: {said.splitlines()[-1]}", code="permission_denied", hint=hint)
        if self.way.sudo and "sudoers" in said:
            return WorldError(
                f"{self.name}: {said.splitlines()[-1]}", code="permission_denied", hint="let this user use sudo there"
            )
        if self.way.sudo and code == NOT_FOUND:
            return WorldError(f"{self.name}: it has no sudo", code="permission_denied", hint="log in as who may change things")
        return WorldError(f"{self.name}: no worker could be started there: {said or f'exit code {code}'}", code="unsupported")

    async def _give_up(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.process.dialogue.close()
        stack, self._stack = self._stack, AsyncExitStack()
        await stack.aclose()
