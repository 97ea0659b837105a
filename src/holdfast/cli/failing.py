"""What is said when a command does not end as it should: one clean error, never a traceback that nobody asked for."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from holdfast.app.extras import absent
from holdfast.cli import codes
from holdfast.cli.invocation import Invocation
from holdfast.cli.lines import line
from holdfast.core.errors import CODES, Bug, HoldfastError, Refused

_OS_CODES: Final[Mapping[int, str]] = {
    errno.EACCES: "permission_denied",
    errno.EPERM: "permission_denied",
    errno.EROFS: "read_only",
    errno.ENOSPC: "no_space",
    errno.EDQUOT: "no_space",
    errno.ENOENT: "parent_not_found",
}

_HINTS: Final = {"parent_not_found": "make the directory first, or correct the path"}


def failed(invocation: Invocation, error: BaseException, words: Sequence[str]) -> int:
    """Say it once, in the form that was asked for, and answer with the exit code."""
    if isinstance(error, (KeyboardInterrupt, click.Abort, EOFError)):
        if invocation.screen.json and not invocation.screen.streams:
            invocation.regret({"code": "cancelled", "message": "interrupted", "hint": CODES["cancelled"].hint})
        else:
            invocation.screen.complain(line("interrupted"))
        return codes.INTERRUPTED
    if isinstance(error, click.ClickException):
        document, code = _usage(error), codes.USAGE
        invocation.screen.json |= "--json" in words  # what was wrong may have stood before it
        if isinstance(error, click.exceptions.NoArgsIsHelpError) and not invocation.screen.json:
            invocation.screen.complain(*(line(text) for text in error.format_message().splitlines()))
            return code
    else:
        known = error if isinstance(error, HoldfastError) else _known(error, words)
        document, code = known.plain(), codes.of_error(known)
        if invocation.drove and code == codes.FAILED:  # then nobody may believe that nothing was changed
            code = codes.PERSON
    if invocation.debug:
        from traceback import format_exception

        invocation.screen.complain(*(line(text) for text in "".join(format_exception(error)).splitlines()))
    invocation.regret(document)
    return code


def _known(error: BaseException, words: Sequence[str]) -> HoldfastError:
    """What an unforeseen exception is to a person: the world's fault when the operating system said so, else ours."""
    if isinstance(error, UnicodeEncodeError) and not all(map(_is_text, words)):
        return Refused("only files have names that are not UTF-8", code="not_found")
    if isinstance(error, ImportError) and (refusal := absent(error)):
        return refusal
    if isinstance(error, OSError):
        code = _OS_CODES.get(error.errno or 0, "io_error")
        place = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, (str, bytes)) else ""
        return HoldfastError(f"{place}{error.strerror or error}", code=code, hint=_HINTS.get(code) or CODES[code].hint)
    return Bug(f"{type(error).__name__}: {error}")


def _is_text(word: str) -> bool:
    return word.encode(errors="replace").decode() == word


def _usage(error: click.ClickException) -> Mapping[str, Any]:
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "holdfast"
    no_command = isinstance(error, click.exceptions.NoArgsIsHelpError)
    message = "a command is missing" if no_command else error.format_message()
    code = "not_found" if isinstance(error, click.FileError) else "invalid_value"
    return {"code": code, "message": message, "hint": f"`{path} --help` shows what it understands"}
