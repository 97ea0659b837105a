"""The one place where words become text for a remote shell, and every check of what can be said to one at all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from holdfast.core.errors import WorldError

Words = str | Sequence[str]  # one line for the remote shell, or words that reach the program as they are

_PLAIN: Final = re.compile(r"[A-Za-z0-9_@%+:,./-][A-Za-z0-9_@%+=:,./-]*")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
COMMAND_BYTES_MAX: Final = 128 * 1024  # Linux takes no single argument beyond it, and sshd hands the line over as one


def quote(word: str) -> str:
    """One word, as sh reads it back unchanged. A `=` in front of all else could be an assignment, so it is quoted."""
    if _PLAIN.fullmatch(word) and "=" not in word:
        return word
    return "'" + word.replace("'", "'\\''") + "'"


def quote_for_any(text: str) -> str:
    """One word for whatever shell a user has: others take a backslash in quotes for more than it is."""
    return "'" + text.replace("\\", "\0").replace("'", "'\\''").replace("\0", "'\\\\'") + "'"


def joined(words: Iterable[str]) -> str:
    return " ".join(map(quote, words))


def line_of(command: Words) -> bytes:
    """What is sent: bytes, so that names that are not UTF-8 pass as they are."""
    if isinstance(command, str):
        line = command
    elif command and command[0]:
        line = joined(command)
    else:
        raise _invalid("there is no program to run")
    if not line.strip():
        raise _invalid("there is no program to run")
    data = encoded(line, "the command")
    if len(data) >= COMMAND_BYTES_MAX:
        raise _invalid(f"a command of {len(data)} bytes is longer than a host takes", "put it into a script")
    return data


def encoded(text: str, what: str) -> bytes:
    if "\0" in text:
        raise _invalid(f"{what} has a NUL byte, which no program can be given")
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise _invalid(f"{what} has half a character, which no program can be given") from None


def assignments(env: Mapping[str, str]) -> bytes:
    """Lines for a shell to evaluate that read them from its standard input: values are in no argument list."""
    for name, value in env.items():
        if _NAME.fullmatch(name) is None:
            raise _invalid(f"{name!r} is not the name of a variable")
        encoded(value, f"the value of `{name}`")
    return b"".join(encoded(f"export {name}={quote(value)}\n", name) for name, value in env.items())


def _invalid(message: str, hint: str = "") -> WorldError:
    return WorldError(message, code="invalid_value", hint=hint)
