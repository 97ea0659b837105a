"""How asyncssh's exceptions become ours. None of its own crosses the edge of this package.

A command that was sent and never answered is in doubt: it may have run. Everything before that is safe to repeat.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from holdfast.core.errors import WorldError
from holdfast.ssh.library import asyncssh

# The first row that fits counts.
_ROWS: Final[tuple[tuple[type[BaseException], str, str], ...]] = (
    (asyncssh.HostKeyNotVerifiable, "host_key_mismatch", "its host key is not the one that is known"),
    (asyncssh.PermissionDenied, "auth_failed", "it did not let us in"),
    (asyncssh.PasswordChangeRequired, "auth_failed", "the password must be changed first"),
    (asyncssh.KeyImportError, "auth_failed", "a key cannot be read"),
    (asyncssh.KeyEncryptionError, "auth_failed", "a key is encrypted, and there is nobody to ask for its passphrase"),
    (asyncssh.IllegalUserName, "auth_failed", "the user name is not allowed"),
    (asyncssh.ConfigParseError, "syntax", "ssh_config cannot be read"),
    (asyncssh.ConnectionLost, "unreachable", "the connection was lost"),
    (asyncssh.Error, "unreachable", "the connection failed"),
    (TimeoutError, "unreachable", "it did not answer in time"),
    (socket.gaierror, "unreachable", "its name is not known"),
    (ConnectionRefusedError, "unreachable", "nothing listens there"),
    (FileNotFoundError, "not_found", "a file is not there"),
    (PermissionError, "permission_denied", "a file may not be read"),
    (OSError, "unreachable", "it cannot be reached"),
    (ValueError, "invalid_value", "it cannot be asked for"),
)


class Crowded(WorldError):
    """The host opens no further session on this connection, which is fine otherwise: wait for one to end."""


def as_ours(error: BaseException, host: object) -> WorldError:
    if isinstance(error, WorldError):
        return error
    if isinstance(error, asyncssh.KeyExchangeFailed) and "host key" in str(error):
        return WorldError(f"{host}: it has no host key of the kind that is known", code="host_key_mismatch")
    if isinstance(error, asyncssh.ChannelOpenError):
        return Crowded(f"{host}: it opens no further session{_detail(error)}", code="unreachable")
    for kind, code, said in _ROWS:
        if isinstance(error, kind):
            return WorldError(f"{host}: {said}{_detail(error)}", code=code)
    raise error


def in_doubt(host: object, why: str = "the connection was lost") -> WorldError:
    hint = "find out what it did before you run it again"
    return WorldError(f"{host}: {why} after the command was sent; it may have run", code="in_doubt", hint=hint)


@contextmanager
def translated(host: object) -> Iterator[None]:
    """Whatever the library or the operating system raises inside is raised as ours."""
    try:
        yield
    except (asyncssh.Error, asyncssh.PasswordChangeRequired, OSError, ValueError) as error:
        raise as_ours(error, host) from error


def _detail(error: BaseException) -> str:
    said = str(error)
    if isinstance(error, OSError) and error.strerror:
        said = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f" ({said})" if said else ""
