"""HTTP/1.1 over real sockets: connections that end after so many requests, TLS where wanted, answers that break on the way.

One thread per connection; what is answered is the business of the handler.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO, Final

from holdfast.testing.opnsense.wire import Request, Response

REASONS: Final = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}
REQUESTS_PER_CONNECTION: Final = 15
IDLE_S: Final = 30.0
LARGEST: Final = 64 * 1024 * 1024


class Server:
    """`admits` is asked for each new connection; one that is not admitted is never answered. `reaches` is asked for
    every answer: one that finds no way back is lost, also on a connection that was open before."""

    def __init__(
        self,
        handler: Callable[[Request], Response],
        *,
        tls: ssl.SSLContext | None = None,
        admits: Callable[[str], bool] = lambda peer: True,
        reaches: Callable[[], bool] = lambda: True,
        requests_per_connection: int = REQUESTS_PER_CONNECTION,
    ) -> None:
        self.handler = handler
        self.tls = tls
        self.admits = admits
        self.reaches = reaches
        self.requests_per_connection = requests_per_connection
        self.port = 0
        self._stopped = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()
        self._guard = threading.Lock()

    def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        self._listener = socket.create_server((host, port), backlog=256)
        self.port = int(self._listener.getsockname()[1])
        self._accepting = threading.Thread(target=self._accept, name="opnsense-sim", daemon=True)
        self._accepting.start()
        return self.port

    def stop(self) -> None:
        self._stopped.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_connections()
        self._accepting.join(5)
        for thread in list(self._threads):
            thread.join(5)

    def drop_connections(self) -> None:
        """End every connection that is open, whatever it is doing."""
        with self._guard:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, address = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection, address[0]), daemon=True)
            with self._guard:
                self._threads = {known for known in self._threads if known.is_alive()} | {thread}
                thread.start()

    def _serve(self, connection: socket.socket, peer: str) -> None:
        try:
            connection.settimeout(IDLE_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._keep(connection)
            if not self.admits(peer):
                self._hang(connection)
                return
            if self.tls:
                connection = self._keep(self.tls.wrap_socket(connection, server_side=True))
            self._converse(connection, peer)
        except (OSError, ValueError):
            return  # the client went away, or does not speak HTTP: its own affair
        finally:
            with self._guard:
                self._open.discard(connection)
            connection.close()

    def _keep(self, connection: socket.socket) -> socket.socket:
        """Remember the connection, so that it can be ended from outside, and forget what it was before TLS."""
        with self._guard:
            self._open = {known for known in self._open if known.fileno() >= 0} | {connection}
        return connection

    def _converse(self, connection: socket.socket, peer: str) -> None:
        with connection.makefile("rb") as stream:
            for served in range(1, self.requests_per_connection + 1):
                request = read_request(stream, peer, served)
                if request is None or self._stopped.is_set():
                    return
                response = self.handler(request)
                if not self.reaches():
                    self._hang(connection)
                    return
                last = served == self.requests_per_connection or wants_close(request)
                self._deliver(connection, response, last)
                if last or response.delivery.end:
                    return

    def _deliver(self, connection: socket.socket, response: Response, last: bool) -> None:
        delivery = response.delivery
        data = b"" if delivery.silent else head(response, last) + response.body[: delivery.truncate]
        if delivery.drip:
            size, pause = delivery.drip
            for start in range(0, len(data), size):
                connection.sendall(data[start : start + size])
                time.sleep(pause)
        elif data:
            connection.sendall(data)
        if delivery.end == "hang":
            self._hang(connection)
        elif delivery.end == "rst":
            # Linger of zero: closing sends a reset instead of finishing.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _hang(self, connection: socket.socket) -> None:
        """Say nothing until the client gives up or the server stops."""
        connection.settimeout(None)
        while not self._stopped.is_set() and connection.recv(4096):
            pass


def head(response: Response, last: bool) -> bytes:
    lines = [
        f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'Server Error')}",
        f"Content-Type: {response.content_type}",
        f"Content-Length: {len(response.body)}",
        "Server: OPNsense",
        f"Connection: {'close' if last else 'keep-alive'}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def read_request(stream: BinaryIO, peer: str, served: int) -> Request | None:
    """The next request, or None when the client is done. What is no HTTP raises ValueError."""
    first = stream.readline(65536).decode("latin-1").split()
    if not first:
        return None
    method, uri, _ = first
    headers: dict[str, str] = {}
    while (line := stream.readline(65536).decode("latin-1").strip()) and len(headers) < 200:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Request(method, uri, headers, _read_content(stream, headers), peer, served)


def _read_content(stream: BinaryIO, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        content = b""
        while size := int(stream.readline(1024).split(b";")[0], 16):
            content += stream.read(size)
            stream.readline()
        stream.readline()
        return content
    length = int(headers.get("content-length") or 0)
    content = stream.read(min(length, LARGEST))
    if len(content) < length:
        raise ValueError("the request ended early")
    return content


def wants_close(request: Request) -> bool:
    return request.headers.get("connection", "").lower() == "close"
