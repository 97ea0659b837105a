"""Configuration documents and listeners, asked from where Holdfast runs.

A write is believed when the document, read back, is what was wanted; so an answer that never came is looked into, not
guessed. What is neither the old nor the new document was put there by somebody else, and stays.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any, Final

import msgspec

from holdfast.core.change import Change, Look, State
from holdfast.core.errors import Bug, Failure, WorldError
from holdfast.drivers.contract import DONE, UNCHANGED, Batch, Ending, Move, Outcome
from holdfast.drivers.one_by_one import one_by_one
from holdfast.drivers.output import plain_text
from holdfast.drivers.plain_http import NotHttp, Request, Response, ask
from holdfast.drivers.secrets import Secrets
from holdfast.kinds.broadcast import Broadcast
from holdfast.kinds.contract import Secret
from holdfast.kinds.document import Document, Place

ANSWER_TIMEOUT_S: Final = 10.0
LOOKS_AT_ONCE: Final = 8
SHOWN_LENGTH_MAX: Final = 300
GONE: Final = (404, 410)


class Services:
    def __init__(self, *, secrets: Secrets | None = None, answer_timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        self._secrets = secrets or Secrets()
        self._answer_timeout_s = answer_timeout_s

    # -- the driver's page

    async def inspect(self, looks: Sequence[Look]) -> Mapping[str, State]:
        gate = asyncio.Semaphore(LOOKS_AT_ONCE)

        async def look(key: str) -> Document:
            async with gate:
                return await self._read(Place.of(key))

        keys = [look.key for look in looks]
        return dict(zip(keys, await asyncio.gather(*map(look, keys)), strict=True))

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        return await one_by_one(batch, self._make)

    async def settle(self, moves: Sequence[Move]) -> None:
        """The journal holds what undo needs."""

    async def close(self) -> None:
        """Nothing is held between two moves."""

    # -- one move

    async def _make(self, move: Move) -> Outcome:
        started = perf_counter()
        try:
            async with asyncio.timeout(move.timeout):
                outcome = await (self._tell(move.change.means) if move.change.runs else self._put(move))
        except TimeoutError:
            outcome = _doubtful("timeout", f"it was not over after {move.timeout:g} s")
        except asyncio.CancelledError:
            outcome = _doubtful("cancelled", "it was cancelled while a service was asked")
        except WorldError as error:
            outcome = Outcome(Ending.FAILED, error.as_failure())
        return replace(outcome, duration_s=perf_counter() - started)

    async def _put(self, move: Move) -> Outcome:
        change = move.change
        place, wanted = Place.of(change.key), _document(change.after).wanted
        found = await self._read(place)
        if _is_made(change, found, undo=move.undo):
            return UNCHANGED
        if not found.same(change.before):
            return _failed("foreign_change", f"{place.url} holds neither the old nor the new document")
        if wanted.values is None:
            return _failed("no_previous", f"{place.url} held no document before, and none was given to go back to")
        try:
            response = await self._ask(place.url, place.write, place.headers, wanted.values)
        except WorldError as error:
            return await self._resolve(place, wanted, change, error.as_failure())
        if not 200 <= response.status < 300:
            return await self._resolve(place, wanted, change, _rejected(place.url, response, self._secrets))
        why = Failure(code="checksum_mismatch", message=f"{place.url} took the document, but answers with another one")
        return await self._resolve(place, wanted, change, why)

    async def _resolve(self, place: Place, wanted: Document, change: Change, why: Failure) -> Outcome:
        """What became of a write: in place, surely not, or nobody can tell."""
        try:
            found = await self._read(place)
        except WorldError:
            return Outcome(Ending.IN_DOUBT, replace(why, doubtful=True))
        if wanted.same(found):
            return DONE
        return Outcome(Ending.FAILED, why) if found.same(change.before) else Outcome(Ending.IN_DOUBT, why)

    async def _tell(self, operation: Any) -> Outcome:
        if not isinstance(operation, Broadcast):
            raise Bug(f"{type(operation).__name__} is not for the service driver")
        for url in operation.listeners:
            response = await self._ask(url, operation.method, operation.headers, operation.message)
            if not 200 <= response.status < 300:
                return Outcome(Ending.FAILED, _rejected(url, response, self._secrets))
        return replace(DONE, output=f"told {len(operation.listeners)}")

    # -- one question

    async def _read(self, place: Place) -> Document:
        response = await self._ask(place.url, place.read, place.headers, None)
        if response.status in GONE:
            return Document()
        if response.status != 200:
            raise _error(_rejected(place.url, response, self._secrets))
        try:
            values = json.loads(response.body)
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            raise WorldError(f"{place.url} answers with something that is not a JSON object", code="api_rejected")
        return Document(values)

    async def _ask(self, url: str, method: str, headers: Mapping[str, str | Secret], body: Any) -> Response:
        sent = {name: self._secrets.value(value) for name, value in headers.items()}
        written = None if body is None else msgspec.json.encode(body)
        try:
            async with asyncio.timeout(self._answer_timeout_s):
                return await ask(Request(url, method, sent, written))
        except TimeoutError:
            raise WorldError(f"{url} did not answer within {self._answer_timeout_s:g} s", code="timeout") from None
        except ssl.SSLCertVerificationError as error:
            message = f"the certificate of {url} is not trusted: {error.verify_message}"
            raise WorldError(message, code="auth_failed", hint="check the certificate") from None
        except OSError as error:
            raise WorldError(f"{url} cannot be reached: {error.strerror or error}", code="unreachable") from None
        except (NotHttp, ValueError) as error:
            raise WorldError(f"{url}: {error}", code="api_rejected") from None


def _is_made(change: Change, found: Document, *, undo: bool) -> bool:
    """Nothing is to be done: the wanted document is there; or when undoing, the new one never was."""
    if _document(change.after).wanted.same(found):
        return True
    return undo and change.after.same(found)


def _document(state: State) -> Document:
    if not isinstance(state, Document):
        raise Bug("the state of a service is a document")
    return state


def _rejected(url: str, response: Response, secrets: Secrets) -> Failure:
    if response.status in (401, 403):
        return Failure(code="auth_failed", message=f"{url} answered with status {response.status}")
    said = " ".join(secrets.scrub(plain_text(response.body.decode("utf-8", "replace"))).split())[:SHOWN_LENGTH_MAX]
    return Failure(code="api_rejected", message=f"{url} answered with status {response.status}" + (f": {said}" if said else ""))


def _error(failure: Failure) -> WorldError:
    return WorldError(failure.message, code=failure.code, hint=failure.hint)


def _failed(code: str, message: str) -> Outcome:
    return Outcome(Ending.FAILED, Failure(code=code, message=message))


def _doubtful(code: str, message: str) -> Outcome:
    return Outcome(Ending.IN_DOUBT, Failure(code=code, message=message, doubtful=True))
