"""Where a host is and how to get in, as a value. No connection, no file is touched here.

What is left empty is decided by ssh_config, and after that by OpenSSH's own defaults.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from holdfast.core.errors import WorldError

# Neither may begin with a dash: they are handed to programs as well.
_HOST: Final = re.compile(r"[A-Za-z0-9_:](?:[A-Za-z0-9_.:%-]*[A-Za-z0-9_.])?")
_USER: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.@\\-]*[A-Za-z0-9_.$@-])?")
_BRACKETED: Final = r"\[(?P<bracketed>[^\[\]]+)\]"
_BARE: Final = r"(?P<host>[^\[\]:]+|[^\[\]]*:[^\[\]]*:[^\[\]]*)"
_TEXT: Final = re.compile(rf"(?:(?P<user>.+)@)?(?:{_BRACKETED}|{_BARE})(?::(?P<port>[0-9]+))?")
NO_CONFIG: Final = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One way into one host. Equal addresses may share a connection."""

    host: str
    user: str = ""
    port: int = 0
    identity: tuple[str, ...] = ()  # files of private keys; with a certificate beside them it is used as well
    jump: str = ""  # `[user@]host[:port]`, several with commas between
    known_hosts: str = ""  # a file instead of the user's and the system's
    host_key: str = ""  # the only key that is accepted: `ssh-ed25519 AAAA...` or `SHA256:...`
    config: str = ""  # a file instead of ~/.ssh/config; `none` for no file
    accept_new: bool = False  # write the key of a host that nobody knows into known_hosts; never a changed one
    name: str = field(default="", compare=False)  # what people call it
    password: str = field(default="", repr=False, compare=False)
    sessions_max: int = field(default=0, compare=False)  # of one connection; 0: as the configuration says

    def __post_init__(self) -> None:
        if _HOST.fullmatch(self.host) is None:
            raise _invalid(f"{self.host!r} is not the name or the address of a host")
        if self.user and _USER.fullmatch(self.user) is None:
            raise _invalid(f"{self.user!r} is not a user name")
        if not 0 <= self.port <= 65535:
            raise _invalid(f"{self.port} is not a port")

    @classmethod
    def parse(cls, text: str, **rest: Any) -> Address:
        """Read `[user@]host[:port]`; an IPv6 address with a port stands in brackets."""
        found = _TEXT.fullmatch(text)
        if found is None:
            raise _invalid(f"{text!r} is not a host; it is written [user@]host[:port]")
        host = found["bracketed"] or found["host"]
        said: dict[str, Any] = {"name": text, "user": found["user"], "port": int(found["port"] or 0)}
        return cls(host=host, **{**rest, **{key: value for key, value in said.items() if value}})

    @property
    def hops(self) -> tuple[str, ...]:
        return tuple(hop.strip() for hop in self.jump.split(",") if hop.strip())

    def __str__(self) -> str:
        return self.name or self.place

    @property
    def place(self) -> str:
        """`[user@]host[:port]`, as it can be read again."""
        host = f"[{self.host}]" if ":" in self.host and self.port else self.host
        return (f"{self.user}@" if self.user else "") + host + (f":{self.port}" if self.port else "")


def _invalid(message: str) -> WorldError:
    return WorldError(message, code="invalid_value", hint="write [user@]host[:port]")
