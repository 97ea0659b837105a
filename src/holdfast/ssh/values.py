"""What can be asked of a host, and what comes back, as values.

Their types are checked at birth; what a host could not be told, when they are carried out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field, fields, replace
from types import NoneType
from typing import Any, Final, Literal, TypeVar

from holdfast.core.errors import Failure, WorldError
from holdfast.ssh.address import Address
from holdfast.ssh.quoting import Words

Host = str | Address  # a text is `[user@]host[:port]`
Heard = Callable[[str, str, str], None]  # host, `stdout` or `stderr`, one line
Progress = Callable[[int, int], None]  # bytes so far, bytes in all
OnConflict = Literal["overwrite", "fail", "skip", "backup"]
CONFIGURED: Final = -1.0  # a time limit that the configuration decides

T = TypeVar("T", bound="Asked")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sudo:
    """Become somebody else. The password is only ever written to sudo's own standard input."""

    user: str = "root"
    password: str = field(default="", repr=False)

    @classmethod
    def of(cls, said: Sudo | bool | str) -> Sudo | None:
        if isinstance(said, Sudo):
            return said
        return cls(user="root" if said is True else said) if said else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What everything that is asked of a host has in common."""

    host: Host = ""
    user: str = ""
    port: int = 0
    sudo: Sudo | bool | str = False  # True: root; a text: that user
    timeout: float | None = CONFIGURED  # seconds; None: no limit

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            read = _READ.get(each.name)
            if read is not None:
                value = read(value)
                object.__setattr__(self, each.name, value)
            if not isinstance(value, _TYPES.get(each.name, object)):
                raise TypeError(f"`{each.name}` of a {type(self).__name__} cannot be of type {type(value).__name__}")

    def on(self: T, host: Host) -> T:
        return replace(self, host=host)

    @property
    def address(self) -> Address:
        if isinstance(self.host, Address):
            found = self.host
        elif self.host:
            found = Address.parse(self.host)
        else:
            raise WorldError("there is no host to do it on", code="invalid_value", hint="give `host`")
        return replace(found, user=self.user or found.user, port=self.port or found.port)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running(Asked):
    """A program, and what surrounds it."""

    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: str | None = None
    stdin: bytes | str | None = field(default=None, repr=False)
    check: Words | None = None  # ends with 0 when it has happened: asked when that is in doubt
    output_bytes_max: int = 0  # 0: as the configuration says

    @property
    def input(self) -> bytes:
        return self.stdin.encode("utf-8", "surrogateescape") if isinstance(self.stdin, str) else self.stdin or b""


@dataclass(frozen=True, slots=True)
class Command(Running):
    """Words that reach the program as they are, or one line for the remote user's shell.

    A `brief` one may share a shell that stays open: many of them take half the time. Nobody waits for what it leaves
    running, also where that holds on to its output. One that needs `sudo` or an input runs by itself all the same.
    """

    run: Words = ()
    _: KW_ONLY
    brief: bool = False


@dataclass(frozen=True, slots=True)
class Script(Running):
    """A text that an interpreter runs: the one given, else what its first line names, else /bin/sh."""

    content: str | bytes = field(default=b"", repr=False)
    _: KW_ONLY
    source: str = ""  # a local file instead
    interpreter: Words = ()
    args: tuple[str, ...] = ()
    id: str = ""  # names its temporary directory, so that it is found again after a crash


@dataclass(frozen=True, slots=True)
class Transfer(Asked):
    """Bring `source` to `to`: a file or a directory with everything in it. With `download`, `source` is on the host."""

    source: str
    to: str
    _: KW_ONLY
    download: bool = False
    mode: int | None = None  # bits, or octal digits in a text; None: as the source has it
    owner: str = ""
    group: str = ""
    times: bool = True  # keep the time of the last change
    on_conflict: OnConflict = "overwrite"
    resume: bool = True  # go on with what a broken upload of the same content left
    id: str = ""


def _path(value: Any) -> Any:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _words(value: Any) -> Any:
    """One line stays one; words may be paths."""
    if value is None or isinstance(value, str):
        return value
    words = tuple(_path(word) for word in value)
    strange = next((word for word in words if not isinstance(word, str)), None)
    if strange is not None:
        raise TypeError(f"a word of a command is text, not {strange!r}")
    return words


def _variables(value: Mapping[str, str]) -> Mapping[str, str]:
    for name, text in value.items():
        if not isinstance(text, str):
            raise TypeError(f"the value of the variable `{name}` is text, not of type {type(text).__name__}")
    return value


def _bits(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    from holdfast.kinds.contract import parse_mode  # with it comes what plans are made of, which commands never need

    return parse_mode(value)


_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("cwd", "source", "to"), _path),
    **dict.fromkeys(("run", "check", "interpreter", "args"), _words),
    "env": _variables,
    "mode": _bits,
}
_TYPES: Final[Mapping[str, Any]] = {
    "host": (str, Address),
    "user": str,
    "port": int,
    "timeout": (int, float, NoneType),
    "cwd": (str, NoneType),
    "stdin": (str, bytes, NoneType),
    "content": (str, bytes),
    "source": str,
    "to": str,
    "mode": (int, NoneType),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How it went on one host. Never raised, always returned."""

    host: str
    exit_code: int | None = None
    signal: str = ""
    stdout: str = field(default="", repr=False)
    stderr: str = field(default="", repr=False)
    output: bytes = field(default=b"", repr=False)  # standard output as it came
    truncated: bool = False
    duration_s: float = 0.0
    attempts: int = 0
    confirmed: bool = False  # its outcome was in doubt, and `check` said that it has happened
    error: Failure | None = None

    @property
    def success(self) -> bool:
        return self.error is None

    def plain(self) -> dict[str, Any]:
        names = ("host", "exit_code", "signal", "stdout", "stderr", "truncated", "duration_s", "attempts")
        found = {name: getattr(self, name) for name in names}
        return found | {"signal": self.signal or None, "error": self.error.plain() if self.error else None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred:
    """What was brought where it should be."""

    host: str
    files: int = 0
    bytes: int = 0
    skipped: bool = False  # something stood there already, and was left alone
    resumed_at: int = 0  # so many bytes were there from an upload that broke
    checksum: str = ""  # sha256; of a directory over all its files
    duration_s: float = 0.0
    attempts: int = 0
    error: Failure | None = None

    @property
    def success(self) -> bool:
        return self.error is None

    def plain(self) -> dict[str, Any]:
        names = ("host", "files", "bytes", "duration_s", "checksum")
        return {name: getattr(self, name) for name in names} | {"error": self.error.plain() if self.error else None}
