"""One channel to one remote process, from its opening to its close: what is said, what is heard, how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from holdfast.core.errors import WorldError
from holdfast.ssh.library import asyncssh
from holdfast.ssh.troubles import in_doubt, translated

STREAM_BYTES_MAX: Final = 4 * 1024 * 1024  # beyond it the host is asked to pause
_STDERR: Final = 1
_NOTE_BYTES_MAX: Final = 16 * 1024

Hear = Callable[[bool, bytes], None]  # True: from the error stream
Note = Callable[[str, str], None]


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


class Notes:
    """Takes our own lines out of an error stream: a mark that nobody can guess, one word, and perhaps a value."""

    def __init__(self, mark: str, hear: Note) -> None:
        self._mark = mark.encode()
        self._hear = hear
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What is not ours. The beginning of what may be ours is held back."""
        data = self._held + data
        passed = bytearray()
        while (at := data.find(self._mark)) >= 0:
            line, newline, rest = data[at:].partition(b"\n")
            if not newline and len(line) < _NOTE_BYTES_MAX:
                break
            passed += data[:at]
            word, _, value = line[len(self._mark) :].strip().decode("utf-8", "surrogateescape").partition(" ")
            self._hear(word, value)
            data = rest
        held = len(data) - at if at >= 0 else _overlap(data, self._mark)
        self._held = data[len(data) - held :]
        return bytes(passed + data[: len(data) - held])

    def rest(self) -> bytes:
        held, self._held = self._held, b""
        return held


def _overlap(data: bytes, mark: bytes) -> int:
    """How many of the last bytes may be the beginning of a mark."""
    return next((size for size in range(min(len(data), len(mark) - 1), 0, -1) if data.endswith(mark[:size])), 0)


class Dialogue(asyncssh.SSHClientSession[bytes]):
    """What asyncssh tells about one channel."""

    def __init__(self, hear: Hear) -> None:
        self.channel: Any = None
        self.exit_code: int | None = None
        self.signal = ""
        self.group = 0  # the remote process group, when it told us
        self.hear = hear
        self.notes: Notes | None = None
        self.on_eof: Callable[[], None] | None = None
        self.exited = asyncio.Event()
        self.over = asyncio.Event()
        self.writable = asyncio.Event()
        self.writable.set()

    def expect(self, mark: str, note: Note | None = None) -> None:
        """Lines of the error stream that begin with `mark` are for us."""

        def heard(word: str, value: str) -> None:
            if word == "group" and value.isdecimal():
                self.group = int(value)
            if note is not None:
                note(word, value)
            elif self.notes is not None:  # nothing else is to come
                rest, self.notes = self.notes.rest(), None
                self.hear(True, rest)

        self.notes = Notes(mark, heard)

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self.channel = chan

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if datatype == _STDERR and self.notes is not None:
            data = self.notes.feed(data)
        if data:
            self.hear(datatype == _STDERR, data)

    def eof_received(self) -> bool:
        self._hear_end()
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
        self._hear_end()
        self.exited.set()
        self.writable.set()
        self.over.set()

    def _hear_end(self) -> None:
        if self.notes is not None and (rest := self.notes.rest()):
            self.hear(True, rest)
        if self.on_eof is not None:
            self.on_eof()

    @property
    def answered(self) -> bool:
        """Did the host say how it ended?"""
        return self.exit_code is not None or bool(self.signal)

    # -- talking

    def write(self, data: bytes) -> None:
        """What cannot be said any more is not worth an error: how the process ended is what counts."""
        with suppress(OSError):
            self.channel.write(data)

    def write_eof(self) -> None:
        with suppress(OSError):
            self.channel.write_eof()

    def pause(self, paused: bool) -> None:
        """Ask the host to wait, or to go on."""
        if self.over.is_set():
            return
        if paused:
            self.channel.pause_reading()
        else:
            self.channel.resume_reading()

    def close(self) -> None:
        if self.channel is not None:
            self.channel.close()


class Input:
    """What a remote process reads."""

    def __init__(self, dialogue: Dialogue, host: object) -> None:
        self._dialogue = dialogue
        self._host = host

    def write(self, data: bytes) -> None:
        self._expect_reader()
        with translated(self._host):
            self._dialogue.channel.write(data)

    async def drain(self) -> None:
        """Wait until there is room for more."""
        await self._dialogue.writable.wait()
        self._expect_reader()

    def write_eof(self) -> None:
        self._dialogue.write_eof()

    def _expect_reader(self) -> None:
        if self._dialogue.over.is_set():
            raise WorldError(f"{self._host}: the remote process is gone", code="unreachable")


class Process:
    """A remote process that is talked to: its three streams, its end."""

    def __init__(self, host: object, stop: Callable[[Dialogue, float], Awaitable[None]]) -> None:
        self.stdout = asyncio.StreamReader(limit=STREAM_BYTES_MAX)
        self.stderr = asyncio.StreamReader(limit=STREAM_BYTES_MAX)
        self.dialogue = Dialogue(self._hear)
        self.dialogue.on_eof = self._eof
        self.stdin = Input(self.dialogue, host)
        self._host = host
        self._stop = stop

    def started(self) -> None:
        """From here on a reader that is too slow makes the host pause."""
        self.stdout.set_transport(self.dialogue.channel)

    @property
    def running(self) -> bool:
        return not self.dialogue.exited.is_set()

    async def wait(self) -> int:
        """Its exit code; -1: a signal ended it. Raises `in_doubt` when the connection was lost before."""
        await self.dialogue.over.wait()
        if not self.dialogue.answered:
            raise in_doubt(self._host)
        return -1 if self.dialogue.exit_code is None else self.dialogue.exit_code

    async def stop(self, grace_s: float = 0.0) -> None:
        """End its process group and close the channel."""
        await self._stop(self.dialogue, grace_s)

    def _hear(self, error: bool, data: bytes) -> None:
        (self.stderr if error else self.stdout).feed_data(data)

    def _eof(self) -> None:
        self.stdout.feed_eof()
        self.stderr.feed_eof()
