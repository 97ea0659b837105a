"""The table as an ASGI application, with what is not in the table: pages, the way in for browsers, and errors for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route as Path

from holdfast.web.door import FRESH, SAFETY, Door, refuse
from holdfast.web.gate import Gate
from holdfast.web.pages import Pages
from holdfast.web.refusals import Denied
from holdfast.web.routes import ROUTES, Route
from holdfast.web.serving import Serving
from holdfast.web.sessions import SESSION_S, Sessions


def application(
    serving: Serving, gate: Gate, sessions: Sessions, threads: Executor, *, secure: bool, more: Mapping[str, Any]
) -> Starlette:
    """`more` are applications of their own, by path, each behind a door of its own."""
    paths: dict[str, list[Route]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, []).append(route)
    doors = [Path(path, Door(routes, serving, gate, threads)) for path, routes in paths.items()]
    login = Path("/login", Login(gate, sessions, secure=secure))
    others = [Path(path, app) for path, app in more.items()]
    app = Starlette(routes=[*doors, *others, login])
    app.router.redirect_slashes = False  # a redirect would be an answer before anybody was let in
    app.router.default = Unrouted(gate, Pages.shipped())  # also for what does not look like a path at all
    return app


class Login:
    """`GET /login?code=...`: a code that was printed becomes a session, once."""

    def __init__(self, gate: Gate, sessions: Sessions, *, secure: bool) -> None:
        self._gate = gate
        self._sessions = sessions
        self._secure = "; Secure" if secure else ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        try:
            self._gate.check_host(request.headers)
            if request.method != "GET":
                raise Denied(405, "unsupported", f"{request.method} cannot be done here", headers={"Allow": "GET"})
            cookie = self._sessions.enter(request.query_params.get("code", ""))
            if cookie is None:
                raise Denied(401, "auth_failed", "this link was used already, or is too old", hint=_HINT)
            await send({"type": "http.response.start", "status": 303, "headers": [*SAFETY, FRESH, *self._way_in(cookie)]})
            await send({"type": "http.response.body", "body": b""})
        except Denied as denied:
            await refuse(send, denied)

    def _way_in(self, cookie: str) -> Iterable[tuple[bytes, bytes]]:
        kept = f"{self._gate.cookie}={cookie}; Path=/; Max-Age={SESSION_S:.0f}; HttpOnly; SameSite=Strict{self._secure}"
        return (b"location", b"/"), (b"set-cookie", kept.encode()), (b"content-length", b"0")


_HINT: Final = "`holdfast serve` prints a new one each time it starts"


class Unrouted:
    """Everything that is in no table: a page or its parts, which hold no data; else nothing is here."""

    def __init__(self, gate: Gate, pages: Pages) -> None:
        self._gate = gate
        self._pages = pages

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        try:
            self._gate.check_host(request.headers)
            page = self._pages.find(request.url.path)
            if page is None:
                self._gate.check_origin(request.headers)
                self._gate.enter("GET", request.headers, request.cookies)
                raise Denied(404, "not_found", "nothing is here", hint="see /openapi.json")
            if request.method not in ("GET", "HEAD"):
                raise Denied(405, "unsupported", f"{request.method} cannot be done here", headers={"Allow": "GET, HEAD"})
            await page.send(request, send, SAFETY)
        except Denied as denied:
            await refuse(send, denied)
