"""Why a program did not do what it should, in words for people."""

from __future__ import annotations

import os
import shlex
import signal
from typing import Final

from holdfast.core.errors import Failure
from holdfast.drivers.secrets import Secrets
from holdfast.drivers.spawn import Ended, Stopped
from holdfast.kinds.running import Invocation

NAME_LENGTH_MAX: Final = 200
ERROR_LINES_MAX: Final = 5
ERROR_LENGTH_MAX: Final = 1000
BROKEN_OFF: Final = Failure(code="cancelled", message="it was broken off while it ran", doubtful=True)
UNJUDGED: Final = "look how far it came: it declares neither `check` nor `undo`, so nothing of it was taken back"


def name_of(argv: tuple[str, ...]) -> str:
    shell = len(argv) == 3 and argv[1] == "-c"
    text = argv[2] if shell else shlex.join(argv)
    return text if len(text) <= NAME_LENGTH_MAX else text[: NAME_LENGTH_MAX - 3] + "..."


def ended_badly(name: str, ended: Ended, secrets: Secrets, timeout: float | None) -> Failure:
    said = _last_lines(secrets.show(ended.errors) or secrets.show(ended.output))
    tail = f": {said}" if said else ""
    if ended.stopped is Stopped.TIMEOUT:
        return Failure(code="timeout", message=f"`{name}` took longer than {timeout:g} s{tail}", doubtful=True)
    if said.startswith("sudo: "):
        hint = "allow this user to run it through `sudo -n`, without a password"
        return Failure(code="permission_denied", message=f"`{name}` was not allowed{tail}", hint=hint)
    how = f"ended with exit code {ended.code}" if ended.code >= 0 else f"was ended by {_signal(-ended.code)}"
    return Failure(code="command_failed", message=f"`{name}` {how}{tail}")


def not_started(invocation: Invocation, error: OSError | ValueError) -> Failure:
    name = name_of(invocation.argv)
    if invocation.cwd is not None and not os.path.isdir(invocation.cwd):
        return Failure(code="source_not_found", message=f"the working directory {invocation.cwd} does not exist")
    if isinstance(error, FileNotFoundError):
        hint = "install it, or correct its name; of a script also the interpreter must be there"
        return Failure(code="source_not_found", message=f"the program of `{name}` was not found", hint=hint)
    if isinstance(error, PermissionError):
        return Failure(code="permission_denied", message=f"`{name}` may not be run by this user")
    if isinstance(error, BlockingIOError | MemoryError):
        return Failure(code="io_error", message=f"`{name}` could not be started: {error}")
    why = error.strerror if isinstance(error, OSError) else "it holds what no program can be given"
    return Failure(code="command_failed", message=f"`{name}` could not be started: {why}")


def cannot_undo(kind: str) -> Failure:
    hint = "look at what it did and take it back by hand; next time declare an `undo`"
    return Failure(code="unsupported", message=f"a {kind} without an `undo` cannot be taken back", hint=hint)


def _last_lines(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(lines[-ERROR_LINES_MAX:])[-ERROR_LENGTH_MAX:]


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
