"""One connection to one host: run a command on it to its end, or start one that is talked to.

Whoever stops waiting - the time limit, a cancellation - takes the remote process group along: by a signal over its
own channel, or where the server does not pass those on (sessions of root), by `kill` over another one.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from contextlib import suppress
from secrets import token_hex
from time import perf_counter
from typing import Any, Final, TypeVar

from holdfast.core.errors import WorldError
from holdfast.ssh.address import Address
from holdfast.ssh.attending import SHARED_FROM, START, Attendant
from holdfast.ssh.dialogue import Dialogue, Hear, Kept, Note, Process, Ran
from holdfast.ssh.host_keys import Judge
from holdfast.ssh.launch import Launch
from holdfast.ssh.library import asyncssh
from holdfast.ssh.quoting import Words, joined, line_of
from holdfast.ssh.standing import Shell, Shells
from holdfast.ssh.troubles import Crowded, in_doubt, translated

OUTPUT_BYTES_MAX: Final = 1024 * 1024
GRACE_S: Final = 5.0
YOUNG_S: Final = 2.0  # so long a shell may take until it has become the program
AGAIN_S: Final = 1.0  # then it is asked again to end
HASTE_S: Final = 0.5  # the same, when nobody waits for it any more
KILL_S: Final = 5.0  # what no signal ends sleeps in the kernel: do not wait for it
CROWDED_S: Final = (0.01, 0.02, 0.05, 0.1, 0.2)
DRAIN_S: Final = 0.5  # a daemon left behind may hold the streams open for ever
_OPENSSH: Final = re.compile(r"SSH-2\.0-OpenSSH_(\d+)\.(\d+)")
_SIGNALS_SINCE: Final = (7, 9)

T = TypeVar("T")


class Connection:
    """Made by `connecting.connect`, shared out by `Pool`."""

    def __init__(
        self, address: Address, raw: asyncssh.SSHClientConnection, judge: Judge, *, output_bytes_max: int = OUTPUT_BYTES_MAX
    ) -> None:
        self.address = address
        self.raw = raw  # asyncssh's own; only this package touches it
        self.output_bytes_max = output_bytes_max
        self.shells = Shells()
        self._attendant: Attendant | None = None
        self._attended = 0
        self._sending: asyncio.Task[None] | None = None
        self._judge = judge
        self._signals = _passes_signals_on(raw)
        self._mark = "" if self._signals else f"hf-{token_hex(8)}"

    @property
    def alive(self) -> bool:
        return not self._judge.lost and not self.raw.is_closed()

    async def run(
        self,
        command: Words | Launch,
        *,
        input: bytes | None = None,
        timeout: float | None = None,
        grace_s: float = GRACE_S,
        output_bytes_max: int = 0,
        watch: Hear | None = None,
    ) -> Ran:
        """Run it to its end: an argv, or one line for the remote shell.

        A time limit is an answer (`timed_out`); a connection that is lost meanwhile is raised, as `in_doubt`.
        """
        listener = _Listener(output_bytes_max or self.output_bytes_max, watch)
        launch = command if isinstance(command, Launch) else Launch(line=command)
        with launch.attended():
            dialogue = await self.start(launch, listener.hear)
            timed_out = await self.finish(dialogue, launch, input or b"", timeout, grace_s)
        return listener.ran(dialogue.exit_code, dialogue.signal, timed_out=timed_out, ended=dialogue.answered)

    async def run_brief(
        self,
        said: bytes,
        noted: Note,
        *,
        timeout: float | None = None,
        grace_s: float = GRACE_S,
        output_bytes_max: int = 0,
        watch: Hear | None = None,
    ) -> Ran:
        """The same for what `standing.brief` made, in a shell that stays open."""
        listener = _Listener(output_bytes_max or self.output_bytes_max, watch)
        shell = self.shells.take() or await self._open_shell()
        with shell.launch.attended():
            work = shell.run(said, listener.hear, noted)
            code, timed_out = await self._limited(work, shell.dialogue, shell.launch, timeout, grace_s)
        self.shells.give_back(shell)
        if code is not None:
            return listener.ran(code)
        dialogue = shell.dialogue
        if not timed_out and not dialogue.answered:
            raise in_doubt(self.address)
        return listener.ran(dialogue.exit_code, dialogue.signal, timed_out=timed_out, ended=dialogue.answered)

    async def _open_shell(self) -> Shell:
        shell = Shell(self.attendant())
        with shell.launch.attended():
            await self._start(shell.dialogue, shell.launch)
        return shell

    def attendant(self) -> Attendant | None:
        """The one that the commands of this connection share: sent for when there are many, and nobody waits for it."""
        self._attended += 1
        if self._attended == SHARED_FROM:
            self._sending = asyncio.create_task(self._send_attendant())
        return self._attendant if self._attendant is not None and self._attendant.there else None

    async def _send_attendant(self) -> None:
        attendant = Attendant()
        with suppress(WorldError), translated(self.address):  # without it every command has its own
            await self.raw.create_session(lambda: attendant.dialogue, START, encoding=None, request_pty=False)
            attendant.dialogue.write(attendant.text)
            self._attendant = attendant

    async def open_process(self, command: Words) -> Process:
        """Start something that is talked to through its streams."""
        launch = Launch(line=command)
        process = Process(self.address, lambda dialogue, grace_s: self._stop(dialogue, launch, grace_s))
        await self._start(process.dialogue, launch)
        process.started()
        return process

    async def start(self, launch: Launch, hear: Hear) -> Dialogue:
        """A channel on which it was started."""
        dialogue = Dialogue(hear)
        await self._start(dialogue, launch)
        return dialogue

    async def finish(self, dialogue: Dialogue, launch: Launch, input: bytes, timeout: float | None, grace_s: float) -> bool:
        """Say what is to be said and wait for the end, or end it: was the time limit reached?"""
        _, timed_out = await self._limited(_heard_out(dialogue, launch, input), dialogue, launch, timeout, grace_s)
        if not timed_out and not dialogue.answered:
            raise in_doubt(self.address)
        return timed_out

    async def _limited(
        self, work: Coroutine[Any, Any, T], dialogue: Dialogue, launch: Launch, timeout: float | None, grace_s: float
    ) -> tuple[T | None, bool]:
        """What came of it, or that the time limit was reached. Whoever stops waiting ends what runs there."""
        try:
            async with asyncio.timeout(timeout):
                return await work, False
        except TimeoutError:
            await self._stop(dialogue, launch, grace_s, young=timeout is not None and timeout < YOUNG_S)
            return None, True
        except BaseException:
            await self._stop(dialogue, launch, min(grace_s, HASTE_S))
            raise

    async def _start(self, dialogue: Dialogue, launch: Launch) -> None:
        mark = launch.mark or self._mark
        if mark:
            dialogue.expect(mark, launch.note)
        line = line_of(launch.line)
        if mark and not launch.mark:  # who brings a mark tells the group as well
            line = _announced(mark, line, exec_it=not isinstance(launch.line, str))
        try:
            await self._open(dialogue, line)
        except WorldError as error:
            if self.alive:
                raise
            lost = WorldError(f"{self.address}: the connection was lost", code="unreachable")
            raise (lost if dialogue.channel is None else in_doubt(self.address)) from error
        except asyncio.CancelledError:
            if dialogue.channel is not None:
                await self._stop(dialogue, launch, 0.0)
            raise

    async def _open(self, dialogue: Dialogue, line: bytes) -> None:
        """A server gives a session free a moment after it told that it is over: that is worth a short wait."""
        for pause_s in CROWDED_S:
            with suppress(Crowded), translated(self.address):
                # Bytes pass as they are, though the types want text: what is named there need not be UTF-8.
                await self.raw.create_session(lambda: dialogue, line, encoding=None, request_pty=False)  # type: ignore[arg-type]
                return
            if not self.alive or dialogue.channel is not None:
                break
            self._make_room()
            await asyncio.sleep(pause_s)
        raise Crowded(f"{self.address}: it opens no further session", code="unreachable")

    def _make_room(self) -> None:
        """Give up the sessions that nobody needs just now."""
        self.shells.give_up()
        if self._attendant is not None and not self._attendant.charges:
            self._attendant.dialogue.close()
            self._attendant = None

    async def _stop(self, dialogue: Dialogue, launch: Launch, grace_s: float, *, young: bool = False) -> None:
        """Politely, then by force. Cancelled while it waits, it goes on with force at once.

        A shell that still reads its start-up files may swallow the first word: what is young is asked twice.
        """
        if launch.killer or not self._signals:
            self._make_room()  # telling it may take a session
        first_s = min(AGAIN_S, grace_s) if young else 0.0
        for name, seconds in (("TERM", first_s), ("TERM", grace_s - first_s), ("KILL", KILL_S)):
            if seconds <= 0:
                continue
            if dialogue.exited.is_set():
                break
            await self._tell(dialogue, launch, name)
            await _within(seconds, dialogue.exited)
        if dialogue.exited.is_set():
            await self._sweep(dialogue, launch)
            await _within(DRAIN_S, dialogue.over)
        dialogue.close()

    async def _sweep(self, dialogue: Dialogue, launch: Launch) -> None:
        """The first process of a group may be gone before its children: they go as well."""
        if not dialogue.over.is_set():
            await self._tell(dialogue, launch, "KILL")

    async def _tell(self, dialogue: Dialogue, launch: Launch, name: str) -> None:
        if self._signals and not launch.killer:
            with suppress(OSError):
                dialogue.channel.send_signal(name)
            return
        if not dialogue.group or not self.alive:
            return
        if not launch.killer and self._attendant is not None and self._attendant.there:
            self._attendant.tell(dialogue.group, name)
            return
        line = [*launch.killer, "kill", "-s", name, "--", f"-{dialogue.group}"]
        teller = Dialogue(lambda error, data: None)
        with suppress(WorldError, asyncio.CancelledError), translated(self.address):
            await self.raw.create_session(lambda: teller, joined(line), encoding=None, request_pty=False)
            teller.write(launch.killer_input)
            teller.write_eof()
            await _within(KILL_S, teller.over)

    async def healthy(self, within_s: float) -> bool:
        """Does the other side still answer?"""
        try:
            return (await self.run("exit 0", timeout=within_s, grace_s=0.0)).success
        except WorldError:
            return False

    def close(self) -> None:
        self.raw.close()

    async def closed(self) -> None:
        with suppress(asyncssh.Error, OSError):
            await self.raw.wait_closed()


class _Listener:
    """Hears both streams of one command, and keeps the first bytes of each."""

    def __init__(self, limit: int, watch: Hear | None) -> None:
        self._out, self._err = Kept(limit), Kept(limit)
        self._watch = watch
        self._began = perf_counter()

    def hear(self, error: bool, data: bytes) -> None:
        (self._err if error else self._out).feed(data)
        if self._watch is not None:
            self._watch(error, data)

    def ran(self, exit_code: int | None, signal: str = "", *, timed_out: bool = False, ended: bool = True) -> Ran:
        return Ran(
            exit_code=exit_code,
            signal=signal,
            stdout=bytes(self._out.data),
            stderr=bytes(self._err.data),
            truncated=self._out.truncated or self._err.truncated,
            timed_out=timed_out,
            ended=ended,
            duration_s=perf_counter() - self._began,
        )


async def _heard_out(dialogue: Dialogue, launch: Launch, input: bytes) -> None:
    await _told(dialogue, launch, input)
    await dialogue.over.wait()


async def _told(dialogue: Dialogue, launch: Launch, input: bytes) -> None:
    if launch.feed is not None:
        await launch.feed(dialogue)
        return
    if input:
        dialogue.write(input)
    if not launch.held:
        dialogue.write_eof()


def _announced(mark: str, line: bytes, *, exec_it: bool) -> bytes:
    """The same, but first it tells its process group."""
    return b"echo %s group $$ >&2\n%s%s" % (mark.encode(), b"exec " if exec_it else b"", line)


def _passes_signals_on(raw: asyncssh.SSHClientConnection) -> bool:
    """OpenSSH does since 7.9, except in sessions of root: those have no process beside them that could."""
    found = _OPENSSH.match(raw.get_extra_info("server_version", ""))
    newer = found is not None and (int(found[1]), int(found[2])) >= _SIGNALS_SINCE
    return newer and raw.get_extra_info("username") != "root"


async def _within(seconds: float, event: asyncio.Event) -> None:
    with suppress(asyncio.CancelledError, TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
