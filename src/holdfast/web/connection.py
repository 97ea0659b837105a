"""One connection of a client. It has to say what it wants in time and in few words; all else uvicorn does.

The parser is h11, which bounds what one head of a request may take. A faster one is there, but has no such bound.
"""

from __future__ import annotations

import asyncio
from typing import Final

import h11
import msgspec
from uvicorn.protocols.http.h11_impl import H11Protocol

from holdfast.web.refusals import Denied, document_of

HEAD_S: Final = 20.0


class Connection(H11Protocol):
    head_s = HEAD_S
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._patience = self.loop.call_later(self.head_s, transport.abort)

    def data_received(self, data: bytes) -> None:
        """A request that is understood may take its time; one of which only a part came may not."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._forget()
        elif self._patience is None and not self.transport.is_closing():
            self._patience = self.loop.call_later(self.head_s, self.transport.abort)

    def send_400_response(self, msg: str) -> None:
        """Said like every other error."""
        body = msgspec.json.encode(document_of(_NOT_HTTP))
        length = b"%d" % len(body)
        headers = [(b"content-type", b"application/json"), (b"content-length", length), (b"connection", b"close")]
        for part in (h11.Response(status_code=400, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(part) or b"")
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _forget(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


_NOT_HTTP: Final = Denied(400, "syntax", "this is no request of HTTP/1.1, or its head is too large", hint="see /openapi.json")


def hasty(head_s: float) -> type[Connection]:
    """Connections with less patience."""
    return type("Hasty", (Connection,), {"head_s": head_s}) if head_s != HEAD_S else Connection
