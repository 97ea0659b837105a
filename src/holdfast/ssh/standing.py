"""Shells that stay open: what is short and says nothing but its words costs one message there and one back.

A connection keeps those that are not in use, and gives them up when it needs their sessions. One command runs in a
shell at a time; whoever has to be ended takes its shell along. What a command leaves running on purpose and holding on
to its output takes its shell along as well: nobody waits for that, and what it says later is not the next one's.
"""

from __future__ import annotations

import asyncio
from functools import partial
from secrets import token_hex
from typing import Final

from holdfast.ssh.attending import Attendant, attendance
from holdfast.ssh.dialogue import Dialogue, Hear, Note, Notes
from holdfast.ssh.launch import Launch
from holdfast.ssh.quoting import encoded, quote

START: Final = "exec /bin/sh"
IDLE_MAX: Final = 4  # of one connection
_BRIEF: Final = (
    "_hf_last;_hf_p=$_hf_l;({around}exec {words}\n) </dev/null;_hf_c=$?;_hf_f=held;_hf_alone&&_hf_f=free;"
    'echo "$_hf end $_hf_c $_hf_f";echo "$_hf end" >&2;{again}\n'
)
_AGAIN: Final = '[ -z "$_hf_t" ]||exit 143'
# Told to end, the shell ends after its command: so it is there to be told again when that withstands.
_GREETING: Final = "_hf={mark} _hf_t=;trap _hf_t=1 TERM\n{alone}{attendance}\n"
_ENTER: Final = 'cd -- {cwd} 2>/dev/null||{{ echo "$_hf cwd" >&2;exit 126;}}\n'
# Is nobody left who began after `_hf_p` and holds our output? Numbers of processes rise, and one is looked at only before
# those it began: so whoever is gone when his turn comes has left nobody behind who is not looked at as well. Of another
# user's it is asked whether it is in our session. Where nothing can be told, because there is no /proc or too many began
# meanwhile, the answer is no. It costs no process.
_ALONE: Final = """\
_hf_last() { read -r _hf_x _hf_x _hf_x _hf_x _hf_l 2>/dev/null </proc/loadavg;}
_hf_session() { _hf_x=;read -r _hf_x 2>/dev/null </proc/$1/stat;set -- ${_hf_x##*) };_hf_s=$4;}
_hf_session $$;_hf_o=$_hf_s
_hf_holds() { if [ -r /proc/$1/fd ];then
for _hf_x in /proc/$1/fd/*;do for _hf_y in 1 2;do [ ! "$_hf_x" -ef /proc/$$/fd/$_hf_y ]||return 0;done;done;return 1
else _hf_session $1;[ "$_hf_s" = "$_hf_o" ];fi;}
_hf_alone() { _hf_n=0
while _hf_last&&[ "$_hf_p" -le "$_hf_l" ]&&[ $_hf_n -lt 1000 ];do [ "$_hf_p" -lt "$_hf_l" ]||return 0
_hf_p=$((_hf_p+1)) _hf_n=$((_hf_n+1));[ ! -d /proc/$_hf_p ]||! _hf_holds $_hf_p||return 1
done;return 1;}
"""


def brief(words: str, said: bytes, cwd: str | None) -> bytes:
    """What is said to such a shell for one command; `words` are quoted already, `said` are lines that set its variables."""
    around = said.decode("utf-8", "surrogateescape") + (_ENTER.format(cwd=quote(cwd)) if cwd is not None else "")
    return encoded(_BRIEF.format(around=around, words=words, again=_AGAIN), "the command")


class Shell:
    """One of them."""

    def __init__(self, attendant: Attendant | None) -> None:
        self.launch = Launch(line=START, attendant=attendant)
        mark = f"hf-{token_hex(12)}"
        self.dialogue = Dialogue(self._hear)
        self.dialogue.on_eof = self._lost
        greeting = _GREETING.format(mark=mark, alone=_ALONE, attendance=attendance(attendant, held=False, sudo=None))
        self._greeting = encoded(greeting, "the greeting")
        self._streams = {error: Notes(mark, partial(self._note, error)) for error in (False, True)}
        self._missing: set[bool] = set()  # streams on which the end of the command was not heard yet
        self._over = asyncio.Event()
        self._code: int | None = None
        self.free = True  # nobody but the next command will say anything there
        self._watch: Hear = _nobody
        self._noted: Note | None = None

    @property
    def open(self) -> bool:
        """It runs, and somebody sees to it that it ends with its client."""
        return not self.dialogue.exited.is_set() and (self.launch.attendant is None or self.launch.attendant.there)

    async def run(self, said: bytes, watch: Hear, noted: Note) -> int | None:
        """The exit code of one command; None when the shell ended instead."""
        self._watch, self._noted, self._missing, self._code = watch, noted, {False, True}, None
        self._over.clear()
        self.dialogue.write(self._greeting + said)
        self._greeting = b""
        await self._over.wait()
        if self._missing:
            await self.dialogue.over.wait()
        return self._code

    def _hear(self, error: bool, data: bytes) -> None:
        passed = self._streams[error].feed(data)
        if passed:
            self._watch(error, passed)

    def _note(self, error: bool, word: str, value: str) -> None:
        if word != "end":
            assert self._noted is not None
            self._noted(word, value)
            return
        if not error:
            code, _, free = value.partition(" ")
            self._code, self.free = int(code), free == "free"
        self._missing.discard(error)
        if not self._missing:
            self._over.set()

    def _lost(self) -> None:
        for error, notes in self._streams.items():
            rest = notes.rest()
            if rest and error in self._missing:
                self._watch(error, rest)
        self._over.set()


class Shells:
    """Those of one connection that are open and free."""

    def __init__(self) -> None:
        self._free: list[Shell] = []

    def take(self) -> Shell | None:
        while self._free:
            shell = self._free.pop()
            if shell.open:
                return shell
            shell.dialogue.close()
        return None

    def give_back(self, shell: Shell) -> None:
        if shell.free and shell.open and len(self._free) < IDLE_MAX:
            self._free.append(shell)
        else:
            shell.dialogue.close()

    def give_up(self) -> None:
        """Somebody needs their sessions."""
        given, self._free = self._free, []
        for shell in given:
            shell.dialogue.close()


def _nobody(error: bool, data: bytes) -> None:
    """What is said between two commands is nobody's."""
