"""How the text of a script gets to its interpreter: as a private file, which is gone when the script is over."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from shutil import rmtree
from typing import Final

from holdfast.kinds.running import SHELL

# Another user may not read our private file. So the text travels on standard input into a private file of that user,
# byte by byte, because what follows it is the script's own input and must not be swallowed.
_RECEIVE: Final = (
    'umask 077; mkdir "$1" || exit 126; trap \'rm -rf "$1"\' EXIT; trap "exit 143" TERM INT HUP; '
    'dd bs=1 count="$2" of="$1/script" 2>/dev/null || exit 126; run() { shift 2; "$@"; }; run "$@"'
)


@contextmanager
def private_file(work: str, move: str, text: str) -> Iterator[str]:
    directory = tempfile.mkdtemp(prefix=_prefix(move), dir=work)
    try:
        path = os.path.join(directory, "script")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o700), "w", encoding="utf-8") as file:
            file.write(text)
        yield path
    finally:
        rmtree(directory)


def drop_private_files(work: str, move: str) -> None:
    """What a Holdfast that was killed left of them."""
    for directory in Path(work).glob(f"{_prefix(move)}*"):
        rmtree(directory)


def _prefix(move: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", move) + "."


def received(text: str, interpreter: Sequence[str], args: Sequence[str]) -> tuple[tuple[str, ...], bytes]:
    """The program that another user starts to receive the script and run it, and what it must be told first."""
    sent = text.encode()
    directory = os.path.join(tempfile.gettempdir(), f"holdfast-{token_hex(16)}")  # mkdir refuses one that is there
    script = os.path.join(directory, "script")
    return (SHELL, "-c", _RECEIVE, SHELL, directory, str(len(sent)), *interpreter, script, *args), sent
