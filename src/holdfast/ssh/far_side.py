"""One end of a transfer that runs on the host: a fixed text of sh with arguments, what it says and what that means."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib.resources import files
from typing import Final

from holdfast.core.errors import WorldError
from holdfast.ssh.connection import Connection
from holdfast.ssh.dialogue import Dialogue, Hear, Ran
from holdfast.ssh.values import Sudo
from holdfast.ssh.wrapping import SHELL, new_mark, wrapped

REFUSALS: Final[Mapping[str, tuple[str, str]]] = {
    "noparent": ("parent_not_found", "there is no directory for it"),
    "exists": ("conflict", "something else stands there"),
    "nospace": ("no_space", "there is no space left"),
    "denied": ("permission_denied", "it may not be done"),
    "readonly": ("read_only", "the file system is read-only"),
    "missing": ("source_not_found", "it is not there"),
    "short": ("checksum_mismatch", "it did not arrive whole"),
    "failed": ("io_error", "it failed"),
}
TIDY_S: Final = 30.0
GRACE_S: Final = 1.0
ERROR_BYTES_MAX: Final = 64 * 1024

SUMS_BYTES_MAX: Final = 256 * 1024 * 1024
_ESCAPE: Final = re.compile(rb"\\([\\nr])")
_ESCAPED: Final = {b"\\": b"\\", b"n": b"\n", b"r": b"\r"}

Pour = Callable[[Dialogue], Awaitable[None]]


class FarSide:
    """A connection with the right to become somebody else on it. Everything is raised as WorldError."""

    def __init__(self, connection: Connection, sudo: Sudo | None, timeout: float | None) -> None:
        self.connection = connection
        self.host = connection.address
        self._sudo = sudo
        self._timeout = timeout

    async def run(
        self, text: str, *arguments: str, pour: Callable[[Talk], Pour] | None = None, watch: Hear | None = None, keep: int = 0
    ) -> Talk:
        """Run one of the texts to its end. `pour` talks to it meanwhile, `watch` hears what it sends."""
        talk = Talk(self, text, *arguments)
        if pour is not None:
            talk.wrap.pour = pour(talk)
        try:
            talk.ran = await self.connection.run(
                talk.wrap.launch,
                timeout=self._timeout,
                grace_s=GRACE_S,
                output_bytes_max=keep or ERROR_BYTES_MAX,
                watch=watch,
            )
            talk.check()
        except BaseException:
            if "short" not in talk.notes:  # that one is gone on with
                await self.remove(talk.new)
            raise
        return talk

    async def remove(self, path: str) -> None:
        """What must go when a transfer does not come to its end."""
        if path and self.connection.alive:
            with suppress(WorldError):  # the trouble that led here is worth more
                await self.connection.run(wrapped(["rm", "-rf", "--", path], sudo=self._sudo).launch, timeout=TIDY_S)


class Talk:
    """One text that runs, or ran."""

    def __init__(self, side: FarSide, text: str, *arguments: str) -> None:
        mark = new_mark()
        self._host = side.host
        self._arguments = arguments
        self.wrap = wrapped([SHELL, "-c", _text(text), "sh", mark, *arguments], sudo=side._sudo, noted=True, mark=mark)
        self.ran = Ran(exit_code=None)

    @property
    def notes(self) -> dict[str, str]:
        return self.wrap.notes

    @property
    def to(self) -> str:
        """The path it will have: the one that was asked for, or a name in that directory."""
        to, base = self._arguments[:2]
        return f"{to.removesuffix('/')}/{base}" if "inside" in self.notes else to

    @property
    def new(self) -> str:
        """Where it lies until then; empty: nowhere."""
        name = self.notes.get("at", "")
        return posixpath.join(posixpath.dirname(self.to.rstrip("/")), name) if name else ""

    def check(self) -> None:
        trouble = self.wrap.trouble(self._host, self.ran.stderr, self.ran.exit_code)
        if trouble is not None:
            raise WorldError(trouble.message, code=trouble.code, hint=trouble.hint)
        for word, (code, said) in REFUSALS.items():
            if word in self.notes:
                raise WorldError(f"{self._host}: {said}: {self.notes[word]}", code=code)
        if self.ran.timed_out:
            raise WorldError(f"{self._host}: the transfer was not over in time", code="timeout")
        if not self.ran.success:
            complaint = self.ran.stderr.decode(errors="replace").strip() or self.ran.signal
            raise WorldError(f"{self._host}: the transfer failed: {complaint}", code="io_error")


@contextmanager
def repeatable(really: bool = True) -> Iterator[None]:
    """Inside, nothing has happened that would not happen again in the same way: a lost connection leaves no doubt."""
    try:
        yield
    except WorldError as error:
        if error.code != "in_doubt" or not really:
            raise
        raise WorldError("the connection was lost in the middle of a transfer", code="unreachable") from error


def far_path(path: str) -> str:
    """As no tool takes it for an option."""
    if not path or "\0" in path:
        raise WorldError(f"{path!r} is not a path", code="invalid_value")
    return f"./{path}" if path.startswith("-") else path


def sums_of(output: bytes) -> dict[bytes, str]:
    """Names and digests as sha256sum prints them; a backslash in front says that the name is escaped."""
    found: dict[bytes, str] = {}
    for line in output.split(b"\n")[:-1]:
        escaped = line.startswith(b"\\")
        digest, _, name = line.removeprefix(b"\\").partition(b" ")
        name = name[1:].removeprefix(b"./")
        if escaped:
            name = _ESCAPE.sub(lambda match: _ESCAPED[match[1]], name)
        found[name] = digest.decode()
    return found


def _text(name: str) -> str:
    return f"{sent('common.sh')}\n{sent(f'{name}.sh')}"


@cache
def sent(name: str) -> str:
    """A text that runs on hosts."""
    return (files("holdfast.ssh") / "remote" / name).read_text()
