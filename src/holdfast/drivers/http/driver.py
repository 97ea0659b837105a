"""REST resources: read, created, updated, deleted, each by one request, and read back before anything is believed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Final

from holdfast.core.change import Look, State
from holdfast.core.errors import Failure, WorldError
from holdfast.drivers.contract import DONE, UNCHANGED, Batch, Ending, Move, Outcome
from holdfast.drivers.http.door import Answer, Door, Unheard, Unsent
from holdfast.drivers.http.trust import Trust
from holdfast.drivers.one_by_one import one_by_one
from holdfast.drivers.output import plain_text
from holdfast.drivers.secrets import Secrets
from holdfast.kinds.document import Document
from holdfast.kinds.http import Rest, document_of

READ_TIMEOUT_S: Final = 15.0
WRITE_TIMEOUT_S: Final = 60.0
SHOWN_LENGTH_MAX: Final = 300
GONE: Final = (404, 410)


class RestResources:
    def __init__(self, *, secrets: Secrets | None = None, trust: Trust | None = None) -> None:
        self._secrets = secrets or Secrets()
        self._trust = trust or Trust()
        self._doors: dict[Trust, Door] = {}

    async def inspect(self, looks: Sequence[Look]) -> Mapping[str, State]:
        return {look.key: await self._read(Rest.of(look.key)) for look in looks}

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        return await one_by_one(batch, self._make)

    async def settle(self, moves: Sequence[Move]) -> None:
        """The journal holds what undo needs."""

    async def close(self) -> None:
        for door in self._doors.values():
            await door.close()
        self._doors.clear()

    def _door(self, rest: Rest) -> Door:
        """One for all resources that are believed for the same reasons."""
        trust = self._trust
        if rest.ca or rest.fingerprint or not rest.verify:
            trust = Trust(ca=rest.ca and os.path.expanduser(rest.ca), fingerprint=rest.fingerprint, verify=rest.verify)
        return self._doors.setdefault(trust, Door(trust))

    # -- one move

    async def _make(self, move: Move) -> Outcome:
        started = perf_counter()
        try:
            outcome = await self._move(move)
        except asyncio.CancelledError:
            outcome = Outcome(Ending.IN_DOUBT, Failure(code="cancelled", message="it was interrupted", doubtful=True))
        except WorldError as error:
            outcome = Outcome(Ending.FAILED, error.as_failure())
        return replace(outcome, duration_s=perf_counter() - started)

    async def _move(self, move: Move) -> Outcome:
        rest, wanted = Rest.of(move.change.key), document_of(move.change.after)
        before = document_of(move.change.before)
        found = await self._read(rest)
        if rest.alike(found, wanted):
            return UNCHANGED
        if not rest.alike(found, before):
            message = f"{rest.url} holds neither the old nor the new document"
            return Outcome(Ending.FAILED, Failure(code="foreign_change", message=message))
        verb = "delete" if not wanted.exists else "update" if found.exists else "create"
        try:
            answer = await self._send(rest, verb, wanted, move)
        except Unsent as error:
            return Outcome(Ending.FAILED, _unreachable(rest.url, error).as_failure())
        except Unheard as error:
            code = "timeout" if error.late else "unreachable"
            return await self._resolve(rest, wanted, before, Failure(code=code, message=f"{rest.url}: {error}"))
        if rest.accepts(verb, answer.status):
            why = Failure(code="api_rejected", message=f"{rest.url} said yes, but does not hold what was asked for")
            return await self._resolve(rest, wanted, before, why)
        if 400 <= answer.status < 500:
            return Outcome(Ending.FAILED, self._rejected(rest.url, answer))
        return await self._resolve(rest, wanted, before, self._rejected(rest.url, answer))

    async def _send(self, rest: Rest, verb: str, wanted: Document, move: Move) -> Answer:
        """With a key of its own, so that a service that heard it twice does it once."""
        method, url = rest.asked(verb)
        request = getattr(rest, verb)
        body = request.body if request.body is not None and not move.undo else wanted.values
        headers = {**self._headers(rest), "Idempotency-Key": f"{move.id}{'-undo' if move.undo else ''}"}
        timeout = WRITE_TIMEOUT_S if move.timeout is None else move.timeout
        return await self._door(rest).ask(method, url, json_body=body, headers=headers, timeout_s=timeout, fresh=True)

    async def _resolve(self, rest: Rest, wanted: Document, before: Document, why: Failure) -> Outcome:
        """Done, surely not done, or nobody can tell: what is there decides."""
        try:
            found = await self._read(rest)
        except WorldError:
            return Outcome(Ending.IN_DOUBT, replace(why, doubtful=True))
        if rest.alike(found, replace(wanted, partial=True)):  # a service may add fields of its own
            return DONE
        return Outcome(Ending.FAILED, why) if rest.alike(found, before) else Outcome(Ending.IN_DOUBT, why)

    async def _read(self, rest: Rest) -> Document:
        method, url = rest.asked("read")
        try:
            answer = await self._door(rest).ask(method, url, headers=self._headers(rest), timeout_s=READ_TIMEOUT_S, fresh=True)
        except Unsent as error:
            raise _unreachable(url, error) from None
        except Unheard as error:
            raise WorldError(f"{url}: {error}", code="timeout" if error.late else "unreachable") from None
        if answer.status in GONE:
            return Document()
        if not rest.accepts("read", answer.status):
            failure = self._rejected(url, answer)
            raise WorldError(failure.message, code=failure.code)
        if not isinstance(answer.document, dict):
            raise WorldError(f"{url} answers with something that is not a JSON object", code="api_rejected")
        return Document(answer.document)

    def _headers(self, rest: Rest) -> dict[str, str]:
        return {name: self._secrets.value(value) for name, value in rest.headers.items()}

    def _rejected(self, url: str, answer: Answer) -> Failure:
        if answer.status in (401, 403):
            return Failure(code="auth_failed", message=f"{url} answered with status {answer.status}")
        said = " ".join(self._secrets.scrub(plain_text(answer.text)).split())[:SHOWN_LENGTH_MAX]
        return Failure(
            code="api_rejected", message=f"{url} answered with status {answer.status}" + (f": {said}" if said else "")
        )


def _unreachable(url: str, error: Unsent) -> WorldError:
    code = "auth_failed" if error.untrusted else "unreachable"
    return WorldError(f"{url} cannot be reached: {error}", code=code)
