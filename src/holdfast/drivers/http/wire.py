"""Connections by asyncio itself: the way of the client library there costs more than all the rest of a request.

A request leaves in one piece, when its answer is first read for. What goes wrong is raised in the library's words.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any, Final

import httpcore2
import httpx2

QUICK_ACK: Final = getattr(socket, "TCP_QUICKACK", None)  # Linux only; it holds for the next answer


class Wire(httpx2.AsyncBaseTransport):
    """Keeps one connection to each service, or none: then every request has one of its own."""

    def __init__(self, context: ssl.SSLContext, *, keep: bool) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_connections=1 if keep else None,
            max_keepalive_connections=1 if keep else 0,
            keepalive_expiry=25.0,
            network_backend=_Network(),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        asked = httpcore2.Request(
            request.method, target, headers=request.headers.raw, content=request.stream, extensions=request.extensions
        )
        with _translated():
            answer = await self._pool.handle_async_request(asked)
        return httpx2.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body(httpx2.AsyncByteStream):
    def __init__(self, answer: httpcore2.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated():
            async for part in self._answer.aiter_stream():
                yield part

    async def aclose(self) -> None:
        await self._answer.aclose()


@contextmanager
def _translated() -> Iterator[None]:
    """Both libraries have the same names for what goes wrong."""
    try:
        yield
    except (
        httpcore2.TimeoutException,
        httpcore2.NetworkError,
        httpcore2.ProtocolError,
        httpcore2.UnsupportedProtocol,
    ) as error:
        raise getattr(httpx2, type(error).__name__)(str(error)) from error


class _Network(httpcore2.AsyncNetworkBackend):
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        with _told(httpcore2.ConnectTimeout, httpcore2.ConnectError):
            async with asyncio.timeout(timeout):
                return _Stream(*await asyncio.open_connection(host, port, happy_eyeballs_delay=_race_s(host)))


def _race_s(host: str) -> float | None:
    """A name may have addresses that lead nowhere, so they are raced; with one address there is nobody to race."""
    try:
        ip_address(host)
    except ValueError:
        return 0.25
    return None


class _Stream(httpcore2.AsyncNetworkStream):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._unsent: list[bytes] = []

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._unsent.append(buffer)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _told(httpcore2.ReadTimeout, httpcore2.ReadError):
            async with asyncio.timeout(timeout):
                if self._unsent:
                    self._writer.write(b"".join(self._unsent))
                    self._unsent.clear()
                    _acknowledge_at_once(self._writer.get_extra_info("socket"))
                return await self._reader.read(max_bytes)

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        try:
            with _told(httpcore2.ConnectTimeout, httpcore2.ConnectError):
                async with asyncio.timeout(timeout):
                    await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        except BaseException:
            await self.aclose()
            raise
        return self

    async def aclose(self) -> None:
        self._writer.transport.abort()  # its answer is here, or no longer wanted: there is nobody to say goodbye to

    def get_extra_info(self, info: str) -> Any:
        if info != "is_readable":
            return self._writer.get_extra_info(info)
        return self._writer.transport.is_closing() or _has_word(self._writer.get_extra_info("socket"))


def _acknowledge_at_once(connection: Any) -> None:
    """A server that sends head and body apart waits for the one to be acknowledged: 40 ms of each request on a kept line."""
    if QUICK_ACK is not None and connection is not None:
        connection.setsockopt(socket.IPPROTO_TCP, QUICK_ACK, 1)


def _has_word(connection: Any) -> bool:
    """An idle connection that has something to say was ended: the loop may not have heard it yet."""
    waiting = select.poll()
    waiting.register(connection, select.POLLIN)
    return bool(waiting.poll(0))


@contextmanager
def _told(late: type[Exception], lost: type[Exception]) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise late(str(error)) from error
    except (OSError, EOFError) as error:
        raise lost(str(error) or "the other side ended the connection") from error
