"""Health checks and waits, from the machine where Holdfast runs.

An attempt asks everything, one after the other; it counts only when all is well at once. Whatever goes wrong in an
attempt - nobody there, no answer in time, nonsense - is a failed attempt, not the end. Time passes through `sleep`.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any, Final
from urllib.parse import urlsplit

from holdfast.core.change import Look, State
from holdfast.core.errors import Bug, Failure
from holdfast.drivers.contract import DONE, UNCHANGED, Batch, Ending, Move, Outcome
from holdfast.drivers.one_by_one import one_by_one
from holdfast.drivers.output import plain_text
from holdfast.drivers.plain_http import NotHttp, get
from holdfast.drivers.probe.answers import HEALTHY, WELL, Answer, flaw_of, shorten
from holdfast.drivers.secrets import Secrets
from holdfast.drivers.spawn import Limits, Program, Stopped, run
from holdfast.kinds.document import Reported
from holdfast.kinds.health import Expect, Health, is_address
from holdfast.kinds.running import NOT_DONE, Words, argv_of
from holdfast.kinds.wait import Wait

ATTEMPT_TIMEOUT_S: Final = 10.0
GRACE_S: Final = 1.0
COMMAND_BYTES_MAX: Final = 64 * 1024

Sleep = Callable[[float], Awaitable[Any]]


class Unanswered(Exception):
    """Nobody answered, or not in time, or not in words that could be understood."""


class Probes:
    def __init__(
        self,
        *,
        secrets: Secrets | None = None,
        sleep: Sleep = asyncio.sleep,
        attempt_timeout_s: float = ATTEMPT_TIMEOUT_S,
    ) -> None:
        self._secrets = secrets or Secrets()
        self._sleep = sleep
        self._attempt_timeout_s = attempt_timeout_s

    # -- the driver's page

    async def inspect(self, looks: Sequence[Look]) -> Mapping[str, State]:
        """A probe leaves nothing behind: whatever became of one, it can be made again."""
        return {look.key: NOT_DONE for look in looks}

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        return await one_by_one(batch, self._make)

    async def settle(self, moves: Sequence[Move]) -> None:
        """Nothing is kept for undo."""

    async def close(self) -> None:
        """Nothing is held between two moves."""

    # -- one move

    async def _make(self, move: Move) -> Outcome:
        wanted = _wanted(move)
        if wanted is None:
            return UNCHANGED
        started = perf_counter()
        try:
            async with asyncio.timeout(move.timeout):
                outcome = await self._pass(wanted)
        except TimeoutError:
            outcome = _failed("timeout", f"it was not over after {move.timeout:g} s")
        except asyncio.CancelledError:
            outcome = _failed("cancelled", "it was cancelled while it waited")
        return replace(outcome, duration_s=perf_counter() - started)

    async def _pass(self, operation: Any) -> Outcome:
        if isinstance(operation, Wait):
            await self._sleep(operation.duration)
            return DONE
        if isinstance(operation, Health):
            return await self._watch(operation)
        raise Bug(f"{type(operation).__name__} is not for the probe driver")

    async def _watch(self, health: Health) -> Outcome:
        flaws: list[str] = []
        for attempt in range(1, health.attempts + 1):
            if attempt > 1:
                await self._sleep(health.interval)
            flaws = [flaw for probe in health.probes if (flaw := await self._flaw(probe, health)) is not None]
            if not flaws:
                return replace(DONE, output=f"healthy at attempt {attempt}")
        many = "1 attempt" if health.attempts == 1 else f"{health.attempts} attempts"
        return _failed("unhealthy", f"not healthy after {many}; the last time: {'; '.join(flaws)}")

    async def _flaw(self, probe: Words, health: Health) -> str | None:
        """What is wrong with one of the things that are asked, in words; None when it is well."""
        name = probe if isinstance(probe, str) else " ".join(probe)
        try:
            answer = await self._ask(probe, health.expect)
        except Unanswered as error:
            return f"{name}: {error}"
        flaw = None if answer is None else flaw_of(answer, health.expect)
        if answer is None or flaw is None:
            return None
        flaw, body = (self._secrets.scrub(plain_text(text)) for text in (flaw, answer.body))
        return f"{name}: it answered {replace(answer, body=body)}; {shorten(flaw)}"

    async def _ask(self, probe: Words, expect: Expect) -> Answer | None:
        """The answer; None of something that says nothing but that it is there."""
        if not is_address(probe):
            return await self._ask_command(argv_of(probe))
        url = str(probe)
        try:
            async with asyncio.timeout(self._attempt_timeout_s):
                return await (_knock(url) if url.lower().startswith("tcp:") else _ask_http(url, expect))
        except TimeoutError:
            raise Unanswered(f"no answer within {self._attempt_timeout_s:g} s") from None
        except ssl.SSLCertVerificationError as error:
            raise Unanswered(f"its certificate is not trusted: {error.verify_message}") from None
        except OSError as error:
            plain = isinstance(error, ConnectionError) and error.errno  # asyncio words these for programmers
            raise Unanswered(f"no connection: {os.strerror(plain) if plain else error.strerror or error}") from None
        except (NotHttp, UnicodeError, ValueError) as error:
            raise Unanswered(str(error)) from None

    async def _ask_command(self, argv: tuple[str, ...]) -> Answer:
        limits = Limits(self._attempt_timeout_s, GRACE_S, COMMAND_BYTES_MAX, self._secrets.margin)
        try:
            ended = await run(Program(argv, self._secrets.inherited()), limits)
        except (OSError, ValueError) as error:
            raise Unanswered(f"it cannot be run: {error.strerror if isinstance(error, OSError) else error}") from None
        if ended.stopped is Stopped.CANCELLED:
            raise asyncio.CancelledError
        if ended.stopped is Stopped.TIMEOUT:
            raise Unanswered(f"no answer within {self._attempt_timeout_s:g} s")
        return Answer(ended.code, self._secrets.show(ended.output), WELL)


def _wanted(move: Move) -> Any:
    """What is to be asked; None when nothing is. Going back, a check of a version asks for the one there was before."""
    operation, after = move.change.means, move.change.after
    if isinstance(operation, Health) and isinstance(after, Reported):
        return None if after.version is None else operation.wanting(after.version)
    return None if move.undo else operation


async def _knock(url: str) -> None:
    address = urlsplit(url)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.transport.abort()


async def _ask_http(url: str, expect: Expect) -> Answer:
    response = await get(url, enough=expect.wants)
    return Answer(response.status, response.body.decode("utf-8", "replace"), HEALTHY)


def _failed(code: str, message: str) -> Outcome:
    return Outcome(Ending.FAILED, Failure(code=code, message=message))
