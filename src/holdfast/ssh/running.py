"""Commands and scripts on one connection: prepared, run, cleaned up after, and told as a result."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from holdfast.core.errors import Failure, WorldError
from holdfast.ssh.attending import Attendant
from holdfast.ssh.configuration import ExecutorConfig
from holdfast.ssh.connection import Connection
from holdfast.ssh.dialogue import Hear, Ran
from holdfast.ssh.lines import Lines
from holdfast.ssh.scripts import removal, runner
from holdfast.ssh.trying import Tried
from holdfast.ssh.values import CONFIGURED, Command, Heard, Result, Running, Script, Sudo
from holdfast.ssh.wrapping import Wrapped, wrapped, wrapped_brief

REMOVE_S: Final = 10.0

Prepare = Callable[[Attendant | None], Wrapped]  # for every attempt anew: marks are used once


@dataclass(frozen=True, slots=True)
class Done:
    """What one attempt gave."""

    ran: Ran
    trouble: Failure | None


def prepared(asked: Command, attendant: Attendant | None) -> Wrapped:
    sudo = Sudo.of(asked.sudo)
    if asked.brief and sudo is None and asked.stdin is None:
        return wrapped_brief(asked.run, env=asked.env, cwd=asked.cwd)
    return wrapped(asked.run, env=asked.env, cwd=asked.cwd, sudo=sudo, payload=asked.input, attended=True, attendant=attendant)


def prepared_script(asked: Script, text: bytes, id: str, attendant: Attendant | None) -> Wrapped:
    words, mark = runner(asked, text, id)
    sudo, said = Sudo.of(asked.sudo), text + asked.input
    return wrapped(words, env=asked.env, sudo=sudo, payload=said, noted=True, mark=mark, attended=True, attendant=attendant)


def limit_s(asked: Running, config: ExecutorConfig) -> float | None:
    return config.timeout_s if asked.timeout == CONFIGURED else asked.timeout


async def carry_out(
    connection: Connection, asked: Running, wrap: Wrapped, config: ExecutorConfig, heard: Heard | None = None
) -> Done:
    """Raises WorldError when the host was lost; everything else is an answer."""
    watch, end = _watch(heard, str(connection.address))
    timeout, limit = limit_s(asked, config), asked.output_bytes_max or config.output_bytes_max
    around: dict[str, Any] = {"timeout": timeout, "grace_s": config.grace_s, "output_bytes_max": limit, "watch": watch}
    try:
        if wrap.brief:
            ran = await connection.run_brief(wrap.brief, wrap.note, **around)
        else:
            ran = await connection.run(wrap.launch, input=wrap.payload, **around)
    finally:
        end()
        await _tidy(connection, wrap)
    trouble = wrap.trouble(connection.address, ran.stderr, ran.exit_code) or _failure(connection.address, ran, timeout)
    return Done(ran, trouble)


async def _tidy(connection: Connection, wrap: Wrapped) -> None:
    """A shell that was killed could not remove its directory."""
    place = wrap.notes.get("at")
    if place is None or "gone" in wrap.notes or not connection.alive:
        return
    with suppress(WorldError):  # the directory is named after the script: it is found again
        await connection.run(wrapped(removal([place]), sudo=wrap.sudo).launch, timeout=REMOVE_S, grace_s=0.0)


def _failure(host: object, ran: Ran, timeout: float | None) -> Failure | None:
    if ran.timed_out:
        rest = "" if ran.ended else "; it withstood every signal and may still run"
        return Failure(code="timeout", message=f"{host}: not over after {timeout:g} s{rest}", doubtful=True)
    if ran.signal:
        return Failure(code="command_failed", message=f"{host}: ended by {ran.signal}")
    return Failure(code="command_failed", message=f"{host}: exit code {ran.exit_code}") if ran.exit_code else None


def _watch(heard: Heard | None, host: str) -> tuple[Hear | None, Callable[[], None]]:
    """Both streams as lines, and what to do at their end."""
    if heard is None:
        return None, lambda: None
    out = Lines(lambda line: heard(host, "stdout", line))
    err = Lines(lambda line: heard(host, "stderr", line))

    def end() -> None:
        out.end()
        err.end()

    return (lambda error, data: (err if error else out).feed(data)), end


def result_of(host: object, tried: Tried[Done], duration_s: float) -> Result:
    story = {"host": str(host), "attempts": tried.attempts, "duration_s": duration_s, "confirmed": tried.confirmed}
    if tried.value is None:
        return Result(**story, error=tried.failure)  # type: ignore[arg-type]
    ran = tried.value.ran
    return Result(
        **story,  # type: ignore[arg-type]
        exit_code=ran.exit_code,
        signal=ran.signal,
        stdout=ran.stdout.decode("utf-8", "replace"),
        stderr=ran.stderr.decode("utf-8", "replace"),
        output=ran.stdout,
        truncated=ran.truncated,
        error=tried.value.trouble,
    )
