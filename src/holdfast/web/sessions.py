"""Sessions of browsers: opened once by a link that `serve` prints, kept in a cookie, and gone with the process.

A browser sends its cookie whoever made it ask, so whatever changes something needs the session's second token as well,
which only a page of ours can read.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from holdfast.app.serving.tokens import TOKEN_BYTES, Caller, digest_of
from holdfast.runtime.clock import Clock

CODE_S: Final = 300.0
SESSION_S: Final = 12 * 3600.0
SESSIONS_MAX: Final = 100

Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class BrowserSession:
    caller: Caller
    csrf: str
    until: float

    def wrote(self, token: str | None) -> bool:
        """Does this come from a page of ours?"""
        return token is not None and hmac.compare_digest(token.encode(), self.csrf.encode())


class Sessions:
    def __init__(self, clock: Clock, random_bytes: Random = os.urandom) -> None:
        self._clock = clock
        self._random_bytes = random_bytes
        self._codes: dict[str, tuple[Caller, float]] = {}  # by digest: nobody who reads memory could use them
        self._sessions: dict[str, BrowserSession] = {}

    def invite(self, caller: Caller) -> str:
        """A code that opens one session, once, soon."""
        code = self._random_bytes(TOKEN_BYTES).hex()
        self._codes[digest_of(code)] = caller, self._clock.monotonic() + CODE_S
        return code

    def enter(self, code: str) -> str | None:
        """What the cookie of the new session holds; None when the code opens nothing."""
        caller, until = self._codes.pop(digest_of(code), (None, 0.0))
        if caller is None or self._clock.monotonic() > until:
            return None
        if len(self._sessions) >= SESSIONS_MAX:
            del self._sessions[next(iter(self._sessions))]
        cookie = self._random_bytes(TOKEN_BYTES).hex()
        self._sessions[digest_of(cookie)] = BrowserSession(
            caller, self._random_bytes(TOKEN_BYTES).hex(), self._clock.monotonic() + SESSION_S
        )
        return cookie

    def find(self, cookie: str) -> BrowserSession | None:
        digest = digest_of(cookie)
        session = self._sessions.get(digest)
        if session is not None and self._clock.monotonic() > session.until:
            del self._sessions[digest]
            return None
        return session
