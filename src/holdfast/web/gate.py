"""Who is let in: the host that was asked for, where the request comes from, who asks, and what they may do.

Everything is refused that no rule allows. Pure: headers in, a caller out, or `Denied`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from holdfast.app.serving.tokens import Caller, Tokens
from holdfast.web.refusals import Denied
from holdfast.web.sessions import BrowserSession, Sessions

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
SAFE: Final = frozenset({"GET", "HEAD"})
CSRF_HEADER: Final = "x-csrf-token"
BEARER: Final = {"WWW-Authenticate": 'Bearer realm="holdfast"'}

Headers = Mapping[str, str]


class Gate:
    def __init__(
        self, tokens: Tokens, sessions: Sessions, *, hosts: Collection[str], cookie: str, secure: bool = False
    ) -> None:
        self._tokens = tokens
        self._sessions = sessions
        self._hosts = LOOPBACK | {host.lower() for host in hosts}
        self.cookie = cookie  # its name; cookies know no ports, so the port is in it
        # Without TLS of our own, a proxy before us may have it.
        self._schemes = ("https",) if secure else ("http", "https")

    def check_host(self, headers: Headers) -> None:
        """A page elsewhere can point a name of its own at this address, but not make a browser say another name."""
        if _name_of(headers.get("host", "")) not in self._hosts:
            hint = "ask for a name that the server knows; --allow-host adds one"
            raise Denied(421, "wrong_host", "this server does not answer for that host", hint=hint)

    def check_origin(self, headers: Headers) -> None:
        origin, host = headers.get("origin"), headers.get("host", "")
        if origin is not None and origin.lower() not in [f"{scheme}://{host.lower()}" for scheme in self._schemes]:
            raise Denied(403, "wrong_origin", "pages of another origin may not ask this server")

    def enter(self, method: str, headers: Headers, cookies: Mapping[str, str]) -> tuple[Caller, BrowserSession | None]:
        """Who asks: by a token, or by a session of a browser."""
        scheme, _, secret = headers.get("authorization", "").partition(" ")
        if scheme:
            caller = self._tokens.caller(secret.strip()) if scheme.lower() == "bearer" else None
            if caller is None:
                raise Denied(401, "auth_failed", "the token is not known, or has expired", hint=_HINT, headers=BEARER)
            return caller, None
        session = self._sessions.find(cookies[self.cookie]) if self.cookie in cookies else None
        if session is None:
            raise Denied(401, "auth_failed", "a token is needed", hint=_HINT, headers=BEARER)
        self._check_page(method, headers, session)
        return session.caller, session

    def _check_page(self, method: str, headers: Headers, session: BrowserSession) -> None:
        """A cookie comes by itself: the page that asks must be ours."""
        ours = headers.get("sec-fetch-site") == "same-origin"  # browsers name no origin when they only read
        if "origin" not in headers and not (ours and method in SAFE):
            raise Denied(403, "wrong_origin", "with a cookie, the origin of the page must be named")
        if method not in SAFE and not session.wrote(headers.get(CSRF_HEADER)):
            hint = f"send what /api/v1/session says as the header {CSRF_HEADER}"
            raise Denied(403, "wrong_origin", "the second token of the session is missing", hint=hint)


_HINT: Final = "send the header `Authorization: Bearer TOKEN`; the owner's token is in the file `api-token`"


def check_role(caller: Caller, role: str, *, confined: bool) -> None:
    if not caller.may(role):
        raise Denied(403, "permission_denied", f"this needs the role {role}, and the token has {caller.role}", hint=_OTHER)
    if caller.tenants is not None and not confined:
        raise Denied(403, "permission_denied", "this concerns all tenants, and the token is for some", hint=_OTHER)


_OTHER: Final = "use another token; `holdfast token create` makes them"


def foreign(what: str) -> Denied:
    """Of a caller who is confined to tenants."""
    return Denied(403, "permission_denied", f"{what} is not only about the tenants of the token", hint=_OTHER)


def _name_of(host: str) -> str:
    """Without the port."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdigit() else host.lower()
