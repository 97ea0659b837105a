"""The door: one per path of the table. Lets in, reads what was sent, has it done, and says what came of it.

Nothing reaches a handler that was not let in and understood; whatever goes wrong is answered with a typed error.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, Final

import msgspec
from starlette.requests import ClientDisconnect, Request

from holdfast.app.serving.tokens import Caller
from holdfast.core.errors import Bug, HoldfastError, Problem
from holdfast.web import streams
from holdfast.web.gate import Gate, check_role
from holdfast.web.packing import PACKED, PACKED_MIN, VARIES, packed, reads_packed
from holdfast.web.refusals import Denied, document_of, invalid, status_of
from holdfast.web.routes import Route
from holdfast.web.serving import Call, Serving

BODY_BYTES_MAX: Final = 16 * 1024 * 1024  # what a plan file may have, and no more
BODY_S: Final = 30.0
JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"
PACKED_AT_ONCE_MAX: Final = 64 * 1024

SAFETY: Final = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        b"connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
FRESH: Final = (b"cache-control", b"no-store")


class Door:
    """An ASGI application for one path."""

    def __init__(self, routes: Sequence[Route], serving: Serving, gate: Gate, threads: Executor) -> None:
        self._routes = {route.method: route for route in routes}
        self._serving = serving
        self._gate = gate
        self._threads = threads

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        try:
            route = self._route(request)
            call = await self._call(route, request)
            if route.stream is not None and request.method == "GET" and EVENTS in request.headers.get("accept", ""):
                with self._serving.feed.listening():
                    await self._stream(route.stream, call, request, receive, send)
                return
            body = encoded(await self._done(route, call))
            more = [VARIES]
            if len(body) >= PACKED_MIN and reads_packed(request.headers):
                body, more = await self._packed(body), [VARIES, PACKED]
            await say(send, route.status, body, media=route.media, head=request.method == "HEAD", more=more)
        except ClientDisconnect:  # in the middle of what it sent: nobody is left to be told
            return
        except Exception as error:  # whatever it is, it is answered, and the server goes on
            await refuse(send, error)

    async def _packed(self, body: bytes) -> bytes:
        """What takes longer is no work for the event loop."""
        if len(body) <= PACKED_AT_ONCE_MAX:
            return packed(body)
        return await asyncio.get_running_loop().run_in_executor(self._threads, packed, body)

    async def _done(self, route: Route, call: Call) -> Any:
        if route.quick:
            return route.handler(self._serving, call)
        return await asyncio.get_running_loop().run_in_executor(self._threads, route.handler, self._serving, call)

    def _route(self, request: Request) -> Route:
        """Who comes in is checked first: nobody learns from an error what there is."""
        methods = {**self._routes, **({"HEAD": self._routes["GET"]} if "GET" in self._routes else {})}
        self._gate.check_host(request.headers)
        self._gate.check_origin(request.headers)
        route = methods.get(request.method)
        if route is None:
            if not any(each.role is None for each in self._routes.values()):
                self._gate.enter("GET", request.headers, request.cookies)
            allowed = {"Allow": ", ".join(sorted(methods))}
            raise Denied(405, "unsupported", f"{request.method} cannot be done here", hint="see /openapi.json", headers=allowed)
        return route

    async def _call(self, route: Route, request: Request) -> Call:
        if route.role is None:
            return Call(_NOBODY, {}, None, None)
        caller, session = self._gate.enter(request.method, request.headers, request.cookies)
        check_role(caller, route.role, confined=route.confined)
        asked = dict(request.query_params)
        query = understood(asked, route.query, "the query", strict=False)
        last = request.headers.get("last-event-id")
        if route.stream is not None and last:  # what a browser says when it comes back
            query = understood({**asked, "since": last}, route.query, "Last-Event-ID", strict=False)
        body = None if route.body is None else await self._body(request, route.body)
        return Call(caller, dict(request.path_params), query, body, None if session is None else session.csrf)

    async def _body(self, request: Request, type_: type[msgspec.Struct]) -> Any:
        content = await read_body(request)
        given = request.headers.get("content-type")
        if given is None and not content:
            return understood({}, type_, "the body")
        if (given or "").partition(";")[0].strip().lower() != JSON:
            raise Denied(415, "unsupported", f"only {JSON} is understood", hint=f"send Content-Type: {JSON}")
        try:
            document = msgspec.json.decode(content) if content else {}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise invalid(
                [Problem(code="syntax", message=f"the body is not JSON: {error}", hint="send a JSON object")]
            ) from None
        return understood(document, type_, "the body")

    def _is_known(self, request: Request) -> bool:
        try:
            self._gate.enter(request.method, request.headers, request.cookies)
        except Denied:
            return False
        return True

    async def _stream(self, opened: streams.Open, call: Call, request: Request, receive: Any, send: Any) -> None:
        pieces = streams.while_known(opened(self._serving, call), lambda: self._is_known(request))
        first = await anext(pieces, None)
        if first is None:  # over, and the client has it all: it need not come back
            await send({"type": "http.response.start", "status": 204, "headers": [*SAFETY, FRESH]})
            await send({"type": "http.response.body", "body": b""})
            return
        await streams.stream(pieces, first, list(SAFETY), receive, send)


_NOBODY: Final = Caller(name="nobody", role="viewer", tenants=frozenset())


def understood(document: Any, type_: type[msgspec.Struct], what: str, *, strict: bool = True) -> Any:
    try:
        return msgspec.convert(document, type_, strict=strict)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at ")
        code = "unknown_key" if "unknown field" in message else "invalid_value"
        place = where.strip("`").replace("$.", "") or None
        raise invalid([Problem(code=code, message=f"{what}: {message}", hint="see /openapi.json", where=place)]) from None


async def read_body(request: Request) -> bytes:
    """What was sent, as long as it is not too much and does not take too long."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > BODY_BYTES_MAX:
        raise _TOO_LARGE
    pieces, size = [], 0
    try:
        async with asyncio.timeout(BODY_S):
            async for piece in request.stream():
                size += len(piece)
                if size > BODY_BYTES_MAX:
                    raise _TOO_LARGE
                pieces.append(piece)
    except TimeoutError:
        raise Denied(408, "timeout", f"the body did not come within {BODY_S:.0f} s") from None
    return b"".join(pieces)


_TOO_LARGE: Final = Denied(413, "too_large", f"the body is larger than {BODY_BYTES_MAX // 1024 // 1024} MiB")


# -- what is said


def encoded(document: Any) -> bytes:
    return document if isinstance(document, bytes) else msgspec.json.encode(document)


async def answer(send: Any, status: int, document: Any, *, headers: Mapping[str, str] | None = None) -> None:
    more = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    await say(send, status, encoded(document), more=more)


async def say(
    send: Any, status: int, body: bytes, *, more: Sequence[tuple[bytes, bytes]], media: str = JSON, head: bool = False
) -> None:
    lines = [(b"content-type", media.encode()), (b"content-length", b"%d" % len(body)), FRESH, *SAFETY, *more]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": b"" if head else body})


async def refuse(send: Any, error: Exception) -> None:
    if not isinstance(error, HoldfastError):
        logging.getLogger("holdfast").error("request_failed", exc_info=error)
        error = Bug("the server met something that nobody foresaw; its log says more")
    headers = error.headers if isinstance(error, Denied) else None
    await answer(send, status_of(error), document_of(error), headers=headers)
