"""One connection to one host, and the channels on it: run a command to its end, or talk to one that stays open.

A remote process group is ended by signals over its own channel; whoever stops waiting - the time limit, a
cancellation - takes the remote processes along.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final

import asyncssh

from holdfast.core.errors import WorldError
from holdfast.ssh.address import Address
from holdfast.ssh.host_keys import Judge
from holdfast.ssh.quoting import Words, line_of
from holdfast.ssh.troubles import in_doubt, translated

OUTPUT_BYTES_MAX: Final = 1024 * 1024
GRACE_S: Final = 5.0
KILL_S: Final = 5.0  # what no signal ends sleeps in the kernel: do not wait for it
DRAIN_S: Final = 0.5  # a daemon left behind may hold the streams open for ever
_STDERR: Final = 1

Hear = Callable[[bool, bytes], None]  # True: from the error stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How one remote command ended, and the first bytes of what it said."""

    exit_code: int | None  # None: a signal ended it, or it had to be stopped
    signal: str = ""
    stdout: bytes = field(default=b"", repr=False)
    stderr: bytes = field(default=b"", repr=False)
    truncated: bool = False
    timed_out: bool = False
    ended: bool = True  # False: it withstood even SIGKILL, or the host would not tell
    duration_s: float = 0.0

    @property
    def success(self) -> bool:
        return self.exit_code == 0


class Kept:
    """The first bytes of a stream, up to a limit."""

    __slots__ = ("data", "max", "truncated")

    def __init__(self, limit: int) -> None:
        self.data = bytearray()
        self.max = limit
        self.truncated = False

    def feed(self, data: bytes) -> None:
        room = self.max - len(self.data)
        if len(data) > room:
            self.truncated = True
            data = data[:room]
        self.data += data


class Dialogue(asyncssh.SSHClientSession[bytes]):
    """One channel, from its opening to its close."""

    def __init__(self, hear: Hear, over: asyncio.Future[None]) -> None:
        self.channel: Any = None
        self.exit_code: int | None = None
        self.signal = ""
        self.error: Exception | None = None
        self.exited = asyncio.Event()
        self.over = over
        self.hear = hear
        self.on_eof: Callable[[], None] | None = None
        self.writable = asyncio.Event()
        self.writable.set()

    def connection_made(self, chan: Any) -> None:
        self.channel = chan

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self.hear(datatype == _STDERR, data)

    def eof_received(self) -> bool:
        if self.on_eof is not None:
            self.on_eof()
        return True  # we may still have something to say

    def exit_status_received(self, status: int) -> None:
        self.exit_code = status
        self.exited.set()

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self.signal = f"SIG{signal}"
        self.exited.set()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.error = exc
        self.exited.set()
        self.writable.set()
        if self.on_eof is not None:
            self.on_eof()
        if not self.over.done():
            self.over.set_result(None)

    @property
    def answered(self) -> bool:
        """Did the host say how it ended?"""
        return self.exit_code is not None or bool(self.signal)


class Input:
    """What a remote process reads."""

    def __init__(self, dialogue: Dialogue, host: object) -> None:
        self._dialogue = dialogue
        self._host = host

    def write(self, data: bytes) -> None:
        if self._dialogue.over.done():
            raise WorldError(f"{self._host}: the remote process is gone", code="unreachable")
        with translated(self._host):
            self._dialogue.channel.write(data)

    async def drain(self) -> None:
        """Wait until there is room for more."""
        await self._dialogue.writable.wait()
        if self._dialogue.over.done():
            raise WorldError(f"{self._host}: the remote process is gone", code="unreachable")

    def write_eof(self) -> None:
        with suppress(OSError):  # it is closed already: then it has seen the end
            self._dialogue.channel.write_eof()


class Process:
    """A remote process that is talked to: its three streams, its end."""

    def __init__(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        self.stdout = asyncio.StreamReader(limit=STREAM_BYTES_MAX, loop=loop)
        self.stderr = asyncio.StreamReader(limit=STREAM_BYTES_MAX, loop=loop)
        self.dialogue = Dialogue(self._hear, loop.create_future())
        self.dialogue.on_eof = self._eof
        self.stdin = Input(self.dialogue, connection.address)
        self._connection = connection

    def _hear(self, error: bool, data: bytes) -> None:
        (self.stderr if error else self.stdout).feed_data(data)

    def _eof(self) -> None:
        self.stdout.feed_eof()
        self.stderr.feed_eof()

    @property
    def running(self) -> bool:
        return not self.dialogue.exited.is_set()

    async def wait(self) -> int:
        """Its exit code. Raises `in_doubt` when the connection was lost before it ended."""
        await asyncio.shield(self.dialogue.over)
        if not self.dialogue.answered:
            raise in_doubt(self._connection.address)
        return -1 if self.dialogue.exit_code is None else self.dialogue.exit_code

    async def stop(self, grace_s: float = 0.0) -> None:
        """End its process group and close the channel."""
        await _stop(self.dialogue, grace_s)
        self.dialogue.channel.close()


STREAM_BYTES_MAX: Final = 4 * 1024 * 1024  # the channel pauses the host beyond it


class Connection:
    """A live connection. Made by `connecting.connect`, shared out by `Pool`."""

    def __init__(self, address: Address, raw: Any, judge: Judge, *, output_bytes_max: int = OUTPUT_BYTES_MAX) -> None:
        self.address = address
        self.raw = raw  # asyncssh's own; only this package touches it
        self.output_bytes_max = output_bytes_max
        self.commands = 0
        self._judge = judge

    @property
    def alive(self) -> bool:
        return not self._judge.lost and not self.raw.is_closed()

    async def run(
        self,
        command: Words,
        *,
        input: bytes | None = None,
        timeout: float | None = None,
        grace_s: float = GRACE_S,
        output_bytes_max: int = 0,
    ) -> Ran:
        """Run it to its end: an argv, or one line for the remote shell.

        A time limit is an answer (`timed_out`); a connection that is lost meanwhile is raised, as `in_doubt`.
        """
        limit = output_bytes_max or self.output_bytes_max
        out, err = Kept(limit), Kept(limit)
        began = perf_counter()
        dialogue = await self.dialogue(command, lambda error, data: (err if error else out).feed(data))
        if input is not None:
            with suppress(OSError):  # it ended before it read everything; how it ended is what counts
                dialogue.channel.write(input)
        with suppress(OSError):
            dialogue.channel.write_eof()
        timed_out = await self.finish(dialogue, timeout, grace_s)
        return Ran(
            exit_code=dialogue.exit_code,
            signal=dialogue.signal,
            stdout=bytes(out.data),
            stderr=bytes(err.data),
            truncated=out.truncated or err.truncated,
            timed_out=timed_out,
            ended=dialogue.answered,
            duration_s=perf_counter() - began,
        )

    async def open_process(self, command: Words) -> Process:
        """Start something that is talked to through its streams."""
        process = Process(self)
        await self._start(process.dialogue, command)
        return process

    async def dialogue(self, command: Words, hear: Hear) -> Dialogue:
        """A channel on which the command was started."""
        dialogue = Dialogue(hear, asyncio.get_running_loop().create_future())
        await self._start(dialogue, command)
        return dialogue

    async def finish(self, dialogue: Dialogue, timeout: float | None, grace_s: float) -> bool:
        """Wait for its end, or end it: was the time limit reached?"""
        try:
            async with asyncio.timeout(timeout):
                await asyncio.shield(dialogue.over)
        except TimeoutError:
            await _stop(dialogue, grace_s)
            dialogue.channel.close()
            return True
        except asyncio.CancelledError:
            await _stop(dialogue, 0.0)
            dialogue.channel.close()
            raise
        if not dialogue.answered:
            raise in_doubt(self.address)
        return False

    async def _start(self, dialogue: Dialogue, command: Words) -> None:
        self.commands += 1
        line = line_of(command)
        try:
            with translated(self.address):
                await self.raw.create_session(lambda: dialogue, line, encoding=None, request_pty=False)
        except WorldError as error:
            if dialogue.channel is not None and not self.alive:
                raise in_doubt(self.address) from error
            raise
        except asyncio.CancelledError:
            if dialogue.channel is not None:
                await _stop(dialogue, 0.0)
                dialogue.channel.close()
            raise

    async def sftp(self) -> Any:
        with translated(self.address):
            return await self.raw.start_sftp_client()

    async def healthy(self, within_s: float) -> bool:
        """Does the other side still answer?"""
        try:
            return (await self.run("exit 0", timeout=within_s, grace_s=0.0)).success
        except WorldError:
            return False

    def close(self) -> None:
        self.raw.close()

    def abort(self) -> None:
        """Without a word to the other side."""
        self.raw.abort()

    async def closed(self) -> None:
        with suppress(asyncssh.Error, OSError):
            await self.raw.wait_closed()


async def _stop(dialogue: Dialogue, grace_s: float) -> None:
    """Politely, then by force. Cancelled while it waits, it goes on with force at once."""
    patience = {"TERM": grace_s, "KILL": KILL_S} if grace_s > 0 else {"KILL": KILL_S}
    for name, seconds in patience.items():
        if dialogue.over.done():
            return
        with suppress(OSError):
            dialogue.channel.send_signal(name)
        with suppress(asyncio.CancelledError, TimeoutError):
            async with asyncio.timeout(seconds):
                await dialogue.exited.wait()
        if dialogue.exited.is_set():
            break
    with suppress(asyncio.CancelledError, TimeoutError):
        async with asyncio.timeout(DRAIN_S):
            await asyncio.shield(dialogue.over)
