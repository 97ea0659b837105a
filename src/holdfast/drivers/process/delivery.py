"""How the text of a script gets to its interpreter: as a private file, which is gone when the script is over."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from shutil import rmtree
from typing import Final

from holdfast.core.errors import WorldError
from holdfast.kinds.running import SHELL

_CODES: Final = {
    errno.ENOSPC: "no_space",
    errno.EDQUOT: "no_space",
    errno.EROFS: "read_only",
    errno.EACCES: "permission_denied",
}

# Another user may not read our private file. So the text travels on standard input into a private file of that user,
# byte by byte, because what follows it is the script's own input and must not be swallowed.
_RECEIVE: Final = (
    'umask 077; mkdir "$1" || exit 126; trap \'rm -rf "$1"\' EXIT; trap "exit 143" TERM INT HUP; '
    'dd bs=1 count="$2" of="$1/script" 2>/dev/null || exit 126; run() { shift 2; "$@"; }; run "$@"'
)


@contextmanager
def private_file(work: str, move: str, text: str) -> Iterator[str]:
    try:
        os.makedirs(work, mode=0o700, exist_ok=True)
        directory = tempfile.mkdtemp(prefix=_prefix(move), dir=work)
    except OSError as error:
        raise _cannot_keep(error) from None
    try:
        yield _written(os.path.join(directory, "script"), text)
    finally:
        rmtree(directory, ignore_errors=True)  # what resists is dropped when the move is settled


def drop_private_files(work: str, move: str) -> None:
    """What a Holdfast that was killed left of them."""
    try:
        for directory in Path(work).glob(f"{_prefix(move)}*"):
            rmtree(directory)
    except OSError as error:
        raise WorldError(f"the file of a script cannot be removed: {error}", code="io_error") from None


def _written(path: str, text: str) -> str:
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o700), "wb") as file:
            file.write(text.encode())
    except (OSError, UnicodeError) as error:
        raise _cannot_keep(error) from None
    return path


def _cannot_keep(error: OSError | UnicodeError) -> WorldError:
    code = _CODES.get(error.errno or 0, "io_error") if isinstance(error, OSError) else "invalid_value"
    return WorldError(f"the script cannot be kept for its interpreter: {error}", code=code)


def _prefix(move: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", move) + "."


def received(text: str, interpreter: Sequence[str], args: Sequence[str]) -> tuple[tuple[str, ...], bytes]:
    """The program that another user starts to receive the script and run it, and what it must be told first."""
    try:
        sent = text.encode()
    except UnicodeError as error:
        raise _cannot_keep(error) from None
    directory = os.path.join(tempfile.gettempdir(), f"holdfast-{token_hex(16)}")  # mkdir refuses one that is there
    script = os.path.join(directory, "script")
    return (SHELL, "-c", _RECEIVE, SHELL, directory, str(len(sent)), *interpreter, script, *args), sent
