"""The one door to HTTP: a request goes out, and an answer or one of two kinds of silence comes back.

`Unsent`: the service never saw the request, so it may be tried again. `Unheard`: it may have seen it, so somebody has
to look. Nothing is followed to another place, nothing is repeated here, and no proxy of the environment is used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any, Final

import httpx2

from holdfast.drivers.http.trust import Trust
from holdfast.drivers.http.wire import Wire

ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
CONNECT_TIMEOUT_S: Final = 10.0


class Unsent(Exception):
    """No connection, or none that is believed: nothing was sent. `untrusted` when its certificate is the reason."""

    def __init__(self, message: str, *, untrusted: bool = False) -> None:
        super().__init__(message)
        self.untrusted = untrusted


class Unheard(Exception):
    """It was sent, and no whole answer came back. `late` when the time was up."""

    def __init__(self, message: str, *, late: bool = False) -> None:
        super().__init__(message)
        self.late = late


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    content_type: str = ""

    @property
    def document(self) -> Any:
        """What it says as JSON; None when it is something else."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


class Door:
    """Connections to services that are believed for the same reasons. `line` keeps one of them open."""

    def __init__(self, trust: Trust, *, auth: tuple[str, str] | None = None, headers: Mapping[str, str] | None = None) -> None:
        self._trust = trust
        self._auth = auth
        self._headers = dict(headers or {})
        self._kept: httpx2.AsyncClient | None = None
        self._single: httpx2.AsyncClient | None = None  # its connections serve one request each
        self._context: SSLContext | None = None  # costs more to make than most requests

    async def ask(
        self,
        method: str,
        url: str,
        *,
        json_body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 15.0,
        fresh: bool = False,
    ) -> Answer:
        """One request; `fresh` on a connection of its own, which no idle limit can have ended."""
        if not fresh:
            if self._kept is None:
                self._kept = self._client(keep=True)
            return await _send(self._kept, method, url, json_body, headers, timeout_s)
        if self._single is None:
            self._single = self._client(keep=False)
        return await _send(self._single, method, url, json_body, headers, timeout_s)

    def line(self, *, known: bool = True) -> Door:
        """A door of its own beside this one: what it opened stays open when new connections fail. Not `known`: a stranger's."""
        line = type(self)(self._trust, auth=self._auth if known else None, headers=self._headers)
        line._context = self._context
        return line

    async def close(self) -> None:
        clients = self._kept, self._single
        self._kept = self._single = None
        for client in clients:
            if client is not None:
                await client.aclose()

    def _client(self, *, keep: bool) -> httpx2.AsyncClient:
        if self._context is None:
            self._context = self._trust.context()
        wire = Wire(self._context, keep=keep)
        return httpx2.AsyncClient(transport=wire, auth=self._auth, headers=self._headers, trust_env=False)


async def _send(
    client: httpx2.AsyncClient, method: str, url: str, body: Any, headers: Mapping[str, str] | None, timeout_s: float
) -> Answer:
    timeout = httpx2.Timeout(timeout_s, connect=min(timeout_s, CONNECT_TIMEOUT_S))
    try:
        async with client.stream(method, url, json=body, headers=dict(headers or {}), timeout=timeout) as response:
            content = bytearray()
            async for part in response.aiter_bytes():
                content += part
                if len(content) > ANSWER_BYTES_MAX:
                    raise Unheard("the answer is too large")
            return Answer(response.status_code, bytes(content), response.headers.get("content-type", ""))
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
        raise Unsent(_told(error), untrusted="certificate" in str(error).lower()) from None
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
        raise Unsent(_told(error)) from None
    except httpx2.TimeoutException as error:
        raise Unheard(f"no answer within {timeout_s:g} s", late=True) from error
    except (httpx2.TransportError, httpx2.DecodingError) as error:
        raise Unheard(f"the connection broke: {_told(error)}") from None


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__
