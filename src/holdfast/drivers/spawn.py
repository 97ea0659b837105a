"""The one door to child processes of this machine: a process group, a time limit, bounded outputs.

A program is never handed to a shell here. Whatever ends the waiting - the time limit or a cancellation - ends the
whole group: politely first, then by force. What a program is told (its environment, its input) may be secret, so
nothing here is ever logged or put into a message.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from time import perf_counter
from typing import Final

from holdfast.drivers.output import OUTPUT_BYTES_MAX, Capture

ERROR_BYTES_MAX: Final = 4 * 1024
_PROC: Final = "/proc"
LOOK_S: Final = 0.02
DRAIN_S: Final = 0.5  # a daemon left behind may hold the pipes open for ever
KILL_S: Final = 5.0  # a process that no signal ends sleeps in the kernel: do not wait for it


class Stopped(Enum):
    """Why a program did not end by itself."""

    TIMEOUT = "timeout"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Program:
    argv: Sequence[str]
    env: Mapping[str, str] = field(repr=False)
    cwd: str | None = None
    stdin: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Limits:
    timeout: float | None = None
    grace: float = 5.0  # seconds between asking a group to end and ending it
    output_bytes_max: int = OUTPUT_BYTES_MAX
    margin: int = 0  # bytes kept beyond that, see Capture


@dataclass(frozen=True, slots=True)
class Ended:
    code: int  # negative: the signal that ended it
    stopped: Stopped | None
    output: Capture  # both streams, as they came
    errors: Capture  # the error stream alone
    duration_s: float


Signal = Callable[[int, int], None]  # how a process group is told


async def run(program: Program, limits: Limits, tell: Signal = os.killpg) -> Ended:
    """Start it and wait for its end. Raises OSError or ValueError when it cannot be started."""
    started = perf_counter()
    transport, watch, cancelled = await _started(program, limits)
    group = transport.get_pid()
    try:
        stopped = Stopped.CANCELLED if cancelled else await _until_over(transport, watch, program.stdin, limits.timeout)
        if stopped is not None:
            await _stop(group, watch, limits.grace, tell)
        with suppress(asyncio.CancelledError):  # it is over already: the outcome is worth more
            await asyncio.wait([*watch.closed.values()], timeout=DRAIN_S)
    finally:
        transport.close()
    code = transport.get_returncode()
    return Ended(-signal.SIGKILL if code is None else code, stopped, watch.output, watch.errors, perf_counter() - started)


async def _started(program: Program, limits: Limits) -> tuple[asyncio.SubprocessTransport, _Watch, bool]:
    """Who is cancelled meanwhile still learns what he started: asyncio would end the process alone, without its
    children, and then wait for whoever of them holds its pipes.
    """
    loop = asyncio.get_running_loop()
    starting = loop.create_task(
        loop.subprocess_exec(
            lambda: _Watch(loop, limits),
            *program.argv,
            stdin=asyncio.subprocess.DEVNULL if program.stdin is None else asyncio.subprocess.PIPE,
            env=dict(program.env),
            cwd=program.cwd,
            start_new_session=True,
        )
    )
    cancelled = False
    while not starting.done():
        try:
            await asyncio.wait([starting])
        except asyncio.CancelledError:
            cancelled = True
    return *starting.result(), cancelled


class _Watch(asyncio.SubprocessProtocol):
    """Collects what a process says, and knows when it ended."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits) -> None:
        self.exited: asyncio.Future[None] = loop.create_future()
        self.closed: dict[int, asyncio.Future[None]] = {1: loop.create_future(), 2: loop.create_future()}
        self.output = Capture(limits.output_bytes_max, limits.margin)
        self.errors = Capture(min(ERROR_BYTES_MAX, limits.output_bytes_max), limits.margin)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.output.feed(data)
        if fd == 2:
            self.errors.feed(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        closed = self.closed.get(fd)
        if closed is not None and not closed.done():
            closed.set_result(None)

    def process_exited(self) -> None:
        if not self.exited.done():
            self.exited.set_result(None)


async def _until_over(
    transport: asyncio.SubprocessTransport, watch: _Watch, stdin: bytes | None, timeout: float | None
) -> Stopped | None:
    if stdin is not None:
        pipe = transport.get_pipe_transport(0)
        assert isinstance(pipe, asyncio.WriteTransport)
        pipe.write(stdin)
        pipe.write_eof()
    try:
        await asyncio.wait([watch.exited], timeout=timeout)
    except asyncio.CancelledError:
        return Stopped.CANCELLED
    return None if watch.exited.done() else Stopped.TIMEOUT


async def _stop(group: int, watch: _Watch, grace: float, tell: Signal) -> None:
    """End the whole group. Who is cancelled again while it waits for the polite way takes the other at once."""
    for what, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, KILL_S)):
        with suppress(ProcessLookupError):
            tell(group, what)
        with suppress(asyncio.CancelledError):
            await asyncio.wait([watch.exited], timeout=patience)
            await _until_gone(group, patience)
        if watch.exited.done() and not _runs(group):
            return


async def _until_gone(group: int, patience: float) -> None:
    """The first process of a group is gone before its children: let those end properly as well."""
    deadline = perf_counter() + patience
    while _runs(group) and perf_counter() < deadline:
        await asyncio.sleep(LOOK_S)


def _runs(group: int) -> bool:
    """Is anything of the group alive? A zombie that nobody collects, as in many containers, is not."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    states = [words for words in map(_stat, os.listdir(_PROC)) if words[2:3] == [str(group)]] if os.path.isdir(_PROC) else []
    return any(words[0] not in "ZX" for words in states) or not states


def _stat(pid: str) -> list[str]:
    """State, parent and group of a process, and more; nothing when it is gone."""
    try:
        with open(f"{_PROC}/{pid}/stat", "rb", buffering=0) as file:
            return file.read().rpartition(b")")[2].decode().split()
    except OSError:
        return []
