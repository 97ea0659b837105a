"""How a script gets to its host: as a private file in a private directory, gone when the script is over.

The text travels on standard input. Where the script has an input of its own, it is counted byte by byte, so that
nothing of what follows is swallowed.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from holdfast.core.errors import WorldError
from holdfast.ssh.quoting import Words, joined
from holdfast.ssh.values import Script
from holdfast.ssh.wrapping import SHELL, new_mark

SCRIPT_BYTES_MAX: Final = 16 * 1024 * 1024
PREFIX: Final = "holdfast-script-"

# $1 mark  $2 id  $3 bytes of the text, empty: all that comes  $4 where to run it, empty: where we are  then the program
# and its arguments; @ stands for the file.
RUNNER: Final = """\
mark=$1 id=$2 size=$3 where=$4 mask=$(umask); shift 4; umask 077
command -v "$1" >/dev/null || { echo "$mark interpreter $1" >&2; exit 127; }
d=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-script-$id.XXXXXXXX") || { echo "$mark notemp" >&2; exit 126; }
trap 'rm -rf -- "$d"; echo "$mark gone" >&2' EXIT; trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 143' TERM
echo "$mark at $d" >&2
if [ -n "$size" ]; then dd bs=1 count="$size" 2>/dev/null; else cat; fi >"$d/script" \
|| { echo "$mark notemp" >&2; exit 126; }
chmod 700 "$d/script"
if [ -n "$where" ]; then cd -- "$where" 2>/dev/null || { echo "$mark cwd" >&2; exit 126; }; fi
n=$#; while [ $n -gt 0 ]; do a=$1; shift; [ "$a" = "$mark" ] && a=$d/script; set -- "$@" "$a"; n=$((n-1)); done
umask "$mask"; if [ -n "$size" ]; then "$@"; else "$@" </dev/null; fi"""


def text_of(script: Script) -> bytes:
    if bool(script.source) == bool(script.content):
        raise WorldError("a script has either `content` or `source`", code="invalid_value", hint="give one of the two")
    try:
        found = Path(script.source).read_bytes() if script.source else script.content
    except OSError as error:
        message = f"the script {script.source} cannot be read: {error.strerror}"
        raise WorldError(message, code="source_not_found") from error
    data = found if isinstance(found, bytes) else found.encode("utf-8", "surrogateescape")
    if len(data) > SCRIPT_BYTES_MAX:
        raise WorldError(f"a script of {len(data)} bytes is too large", code="too_large", hint="transfer it, then run it")
    return data


def program_of(interpreter: Words, text: bytes) -> list[str]:
    """What runs it: the one given; else what its first line names, as the kernel reads it; else sh."""
    if interpreter:
        return shlex.split(interpreter) if isinstance(interpreter, str) else list(interpreter)
    if not text.startswith(b"#!"):
        return [SHELL]
    line = text[2:].partition(b"\n")[0].decode("utf-8", "surrogateescape")
    return line.strip().split(None, 1) or [SHELL]


def runner(script: Script, text: bytes, id: str) -> tuple[list[str], str]:
    """The words that receive the text and run it, and the mark of its notes."""
    mark = new_mark()
    size = str(len(text)) if script.stdin is not None else ""
    program = program_of(script.interpreter, text)
    return [SHELL, "-c", RUNNER, "sh", mark, id, size, script.cwd or "", *program, mark, *script.args], mark


def removal(paths: Sequence[str]) -> str:
    return f"rm -rf -- {joined(paths)}"


def leftovers(id: str) -> str:
    """A line that removes what a script left whose client and shell were both killed."""
    return f'rm -rf -- "${{TMPDIR:-/tmp}}"/{PREFIX}{id}.*'
