"""What surrounds a command on its way: environment, working directory, another user. Written in the sh of POSIX.

Values of the environment, passwords and input travel on standard input, in this order:

    1. the environment, which our shell reads and exports     2. the password, when sudo asks for it
    3. the text of a script                                   4. the input of the command itself

So none of them is in an argument list. Our own lines on the error stream begin with a mark that nobody can guess.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from secrets import token_hex
from typing import Final

from holdfast.core.errors import Failure
from holdfast.ssh.attending import Attendant, attendance
from holdfast.ssh.dialogue import Dialogue
from holdfast.ssh.launch import Launch
from holdfast.ssh.quoting import Words, assignments, joined, line_of, quote, quote_for_any
from holdfast.ssh.standing import brief
from holdfast.ssh.values import Sudo

SHELL: Final = "/bin/sh"
PROMPT_S: Final = 5.0  # sudo asks at once, or it does not ask

# What a note of the wrapping means for the outcome: the error word and what to say.
NOTES: Final[Mapping[str, tuple[str, str]]] = {
    "cwd": ("not_found", "the working directory cannot be entered"),
    "nosudo": ("not_found", "sudo is not installed"),
    "again": ("auth_failed", "sudo did not accept the password"),
    "asks": ("auth_failed", "sudo wants a password, and none was given"),
    "interpreter": ("not_found", "the interpreter is not installed"),
    "notemp": ("no_space", "there is no room for a temporary file"),
}

_READ_ENV: Final = (
    "_hf_n={lines};_hf_e=;_hf_b=$(printf '\\nx');while [ $_hf_n -gt 0 ];do IFS= read -r _hf_l||exit 126"
    ';_hf_e=$_hf_e$_hf_l${{_hf_b%x}};_hf_n=$((_hf_n-1));done;eval "$_hf_e";unset _hf_n _hf_e _hf_l _hf_b;'
)
_ENTER: Final = "cd -- {cwd} 2>/dev/null||{{ echo {mark} cwd >&2;exit 126;}};"
_ENTER_INSIDE: Final = 'cd -- "$1" 2>/dev/null||{ echo "$2" cwd >&2;exit 126;};shift 2;exec "$@"'
_FIND_SUDO: Final = "command -v sudo >/dev/null||{{ echo {mark} nosudo >&2;exit 127;}};"


@dataclass(slots=True)
class Wrapped:
    """One command, ready to be started and to be talked to while it starts."""

    line: str
    mark: str = ""
    env: bytes = field(default=b"", repr=False)
    sudo: Sudo | None = None
    payload: bytes = field(default=b"", repr=False)
    brief: bytes = field(default=b"", repr=False)  # what a shell that stays open is told instead
    held: bool = False  # its input stays open as long as its client is there
    attendant: Attendant | None = None
    pour: Callable[[Dialogue], Awaitable[None]] | None = field(default=None, repr=False)  # says what is not known before
    notes: dict[str, str] = field(default_factory=dict)
    _begun: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _news: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _dialogue: Dialogue | None = field(default=None, repr=False)

    @property
    def launch(self) -> Launch:
        common = Launch(line=self.line, held=self.held, attendant=self.attendant)
        if not self.mark:
            return common
        killer, said = self._killer()
        return replace(common, mark=self.mark, note=self.note, feed=self._feed, killer=killer, killer_input=said)

    def _killer(self) -> tuple[Sequence[str], bytes]:
        """What another user runs only that user may end."""
        if self.sudo is None:
            return (), b""
        if self.sudo.password:
            return ("sudo", "-S", "-p", "", "-u", self.sudo.user, "--"), f"{self.sudo.password}\n".encode()
        return ("sudo", "-n", "-u", self.sudo.user, "--"), b""

    async def _feed(self, dialogue: Dialogue) -> None:
        """Say everything in its order. Waits for sudo's question where it may ask one."""
        self._dialogue = dialogue
        dialogue.write(self.env)
        if self.sudo is not None and self.sudo.password:
            self._ask_again()
            await first_of(self._begun, dialogue.over, within_s=PROMPT_S)
        if self.pour is not None:
            await self.pour(dialogue)
        dialogue.write(self.payload)
        if not self.held:
            dialogue.write_eof()

    async def heard_of(self, word: str, dialogue: Dialogue) -> bool:
        """Wait for this note, or for the end."""
        while word not in self.notes and not dialogue.exited.is_set():
            self._news.clear()
            await first_of(self._news, dialogue.exited)
        return word in self.notes

    def _ask_again(self) -> None:
        """A note may have come before there was anybody to answer it."""
        if "ask" in self.notes and not self._begun.is_set():
            self._answer()

    def note(self, word: str, value: str) -> None:
        word = "again" if word == "ask" and "ask" in self.notes else word
        self.notes[word] = value
        self._news.set()
        if word == "ask":
            self._answer()
        elif word == "again" and self._dialogue is not None:
            self._dialogue.write_eof()
        elif word == "go":
            self._begun.set()

    def _answer(self) -> None:
        if self._dialogue is not None and self.sudo is not None:
            self._dialogue.write(f"{self.sudo.password}\n".encode())
            self._begun.set()

    def trouble(self, host: object, stderr: bytes, exit_code: int | None) -> Failure | None:
        """Why the command itself was never begun, if so."""
        for word, (code, said) in NOTES.items():
            if word in self.notes:
                return Failure(code=code, message=f"{host}: {said}{f' ({value})' if (value := self.notes[word]) else ''}")
        if self.sudo is not None and exit_code == 1 and stderr.startswith(b"sudo: "):
            said = stderr.decode(errors="replace").strip().splitlines()[-1]
            return Failure(code="permission_denied", message=f"{host}: {said}", hint="see `sudo -l` on the host")
        return None


def wrapped(
    words: Words,
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    sudo: Sudo | None = None,
    payload: bytes = b"",
    noted: bool = False,
    mark: str = "",
    attended: bool = False,
    attendant: Attendant | None = None,
) -> Wrapped:
    """`noted`: the command itself writes notes with `mark`. `attended`: it ends when its client is gone."""
    line_of(words)
    said = assignments(env or {})
    held = attended and not payload and not (sudo and sudo.password)
    watch = attendance(attendant, held=held, sudo=sudo) if attended else ""
    if not said and cwd is None and sudo is None and not noted:
        return Wrapped(_bare(words, watch, attendant), payload=payload, held=held, attendant=attendant)
    mark = mark or new_mark()
    parts = [f"echo {mark} group $$ >&2;"]  # no newlines: a csh takes none between quotes
    if said:
        parts.append(_READ_ENV.format(lines=said.count(b"\n")))
    parts.append(watch)
    if sudo is not None:
        parts += [_FIND_SUDO.format(mark=mark), _as_user(sudo, mark, list(env or {}), _inside(words, cwd, mark))]
    else:
        parts += [_ENTER.format(cwd=quote(cwd), mark=mark)] if cwd is not None else []
        parts.append(_its_own(words))
    line = _in_sh("".join(parts))
    return Wrapped(line, mark=mark, env=said, sudo=sudo, payload=payload, held=held, attendant=attendant)


def wrapped_brief(words: Words, *, env: Mapping[str, str], cwd: str | None) -> Wrapped:
    """For a command without an input, of the user who logs in."""
    line = line_of(_its_own(words)).decode("utf-8", "surrogateescape").removeprefix("exec ")
    return Wrapped(line, brief=brief(line, assignments(env), cwd))


async def first_of(*events: asyncio.Event, within_s: float | None = None) -> None:
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()


def new_mark() -> str:
    return f"hf-{token_hex(12)}"


def _in_sh(text: str) -> str:
    """Users may have a shell of another kind."""
    return f"exec {SHELL} -c {quote_for_any(text)}"


def _bare(words: Words, before: str, attendant: Attendant | None) -> str:
    """Nothing around it. Where there is an attendant, the user's own shell understands what comes before."""
    if attendant is not None:
        return before + (words if isinstance(words, str) else f"exec {joined(words)}")
    if before:
        return _in_sh(before + _its_own(words))
    return words if isinstance(words, str) else joined(words)


def _its_own(words: Words) -> str:
    """A line is for the shell that the user has."""
    return f'exec "${{SHELL:-{SHELL}}}" -c {quote(words)}' if isinstance(words, str) else f"exec {joined(words)}"


def _inside(words: Words, cwd: str | None, mark: str) -> list[str]:
    """What sudo runs: the program itself wherever possible, because rules of sudo name programs."""
    argv = [SHELL, "-c", words] if isinstance(words, str) else list(words)
    return argv if cwd is None else [SHELL, "-c", _ENTER_INSIDE, "sh", cwd, mark, *argv]


def _as_user(sudo: Sudo, mark: str, names: Sequence[str], argv: Sequence[str]) -> str:
    """Without a question where that works; else with one that we recognise."""
    keep = [f"--preserve-env={','.join(names)}"] if names else []
    rest = joined([*keep, "-u", sudo.user, "--", *argv])
    quiet = f"exec sudo -n {rest}"
    if not sudo.password:
        return quiet
    asking = f"exec sudo -S -k -p {quote(f'{mark} ask')}'\n' {rest}"
    return f"if sudo -n -v 2>/dev/null;then echo {mark} go >&2;{quiet};else {asking};fi"
