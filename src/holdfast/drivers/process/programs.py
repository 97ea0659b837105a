"""What drivers of programs have in common, wherever these run: checks are asked side by side, moves made one by one."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Final

from holdfast.core.change import Effect, Look, State
from holdfast.core.errors import Bug, Failure, WorldError
from holdfast.drivers.contract import SKIPPED, UNCHANGED, Ending, Move, Outcome
from holdfast.drivers.process.failures import UNJUDGED, cannot_undo
from holdfast.kinds.running import CHECK, Invocation, Running
from holdfast.kinds.script import Script

CHECK_TIMEOUT_S: Final = 30.0
CHECKS_AT_ONCE: Final = 8
_NOBODY_THERE: Final = frozenset({"unreachable", "auth_failed", "host_key_mismatch"})


class Programs(ABC):
    async def inspect(self, looks: Sequence[Look]) -> Mapping[str, State]:
        """Only a check can tell whether an effect was made; of any other key nobody can tell."""
        gate = asyncio.Semaphore(CHECKS_AT_ONCE)

        async def answer(key: str) -> Effect:
            if not key.startswith(CHECK):
                return Effect(None)
            async with gate:
                found = await self._ask(Invocation.asked(key), None)
            if isinstance(found, Failure) and found.code in _NOBODY_THERE:
                raise WorldError(found.message, code=found.code, hint=found.hint)
            return Effect(None if isinstance(found, Failure) else found)

        keys = [look.key for look in looks]
        return dict(zip(keys, await asyncio.gather(*map(answer, keys)), strict=True))

    async def _make(self, move: Move) -> Outcome:
        started = perf_counter()
        operation = move.change.means
        if not isinstance(operation, Running):
            raise Bug(f"{move.change.key} is not for a driver of programs")
        try:
            outcome = await (self._take_back(move, operation) if move.undo else self._do(move, operation))
        except WorldError as error:
            outcome = Outcome(Ending.FAILED, error.as_failure())
        except asyncio.CancelledError:
            outcome = await self._interrupted(move, operation)
        if outcome.ending is Ending.FAILED and outcome.failure is not None and outcome.failure.doubtful and not move.undo:
            outcome = await self._judged(outcome, outcome.failure, operation)
        return replace(outcome, duration_s=perf_counter() - started)

    async def _judged(self, outcome: Outcome, failure: Failure, operation: Running) -> Outcome:
        """What was broken off, and whose end was seen, has failed; unless its check says that it was done all the same."""
        if operation.asks is None:
            hint = failure.hint if operation.undoes is not None else UNJUDGED
            return replace(outcome, failure=replace(failure, hint=hint))
        so = await self._ask(operation.asks, None)
        if so is True:
            return replace(outcome, ending=Ending.DONE, failure=None)
        return outcome if so is False else replace(outcome, ending=Ending.IN_DOUBT)

    async def _spared(self, move: Move, operation: Running) -> Outcome | None:
        """What the check of a step says about doing it; None: it is to be done."""
        if operation.asks is None:
            return None
        try:
            so = await self._ask(operation.asks, move.timeout)
        except asyncio.CancelledError:
            return SKIPPED
        if so is False:
            return None
        return UNCHANGED if so is True else Outcome(Ending.FAILED, replace(so, doubtful=False))  # nothing was run

    async def _undo(self, move: Move, operation: Running) -> Outcome:
        """By the counter-action that was declared; nothing is to be done where the check says that nothing was."""
        if operation.undoes is not None:
            return await self._run(move, operation.undoes)
        if operation.asks is not None and await self._ask(operation.asks, move.timeout) is False:
            return UNCHANGED
        return Outcome(Ending.FAILED, cannot_undo(operation.kind))

    @abstractmethod
    async def _interrupted(self, move: Move, operation: Running) -> Outcome:
        """It was cancelled: nothing of it may go on. It is in doubt only where nobody can see to that."""

    @abstractmethod
    async def _ask(self, check: Invocation, timeout: float | None) -> bool | Failure:
        """Is it so? A check that cannot answer is a failure, never a no."""

    @abstractmethod
    async def _do(self, move: Move, operation: Running) -> Outcome: ...

    @abstractmethod
    async def _take_back(self, move: Move, operation: Running) -> Outcome: ...

    @abstractmethod
    async def _run(self, move: Move, invocation: Invocation) -> Outcome: ...


def text_of(script: Script) -> str:
    """What is to be run; a source is read where Holdfast runs."""
    if isinstance(script.text, str):
        return script.text
    path = script.text.source
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, ValueError) as error:
        code = "source_not_found" if isinstance(error, FileNotFoundError) else "invalid_value"
        why = error.strerror if isinstance(error, OSError) else "it is not a text in UTF-8"
        raise WorldError(f"the script {path} cannot be read: {why}", code=code) from None
