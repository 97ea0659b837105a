"""The smallest HTTP client: one request, one connection, TLS verified, everything bounded.

In the standard library's own client a thread would hang where this can be cancelled at any moment.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, quote, urljoin, urlsplit

BODY_BYTES_MAX: Final = 1024 * 1024
LINE_BYTES_MAX: Final = 16 * 1024
HEADERS_MAX: Final = 200
REDIRECTS_MAX: Final = 5
PORTS: Final = {"http": 80, "https": 443}


class NotHttp(Exception):
    """What answered does not speak the protocol."""


@dataclass(frozen=True, slots=True)
class Request:
    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None  # JSON


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes
    location: str | None


async def get(url: str, *, enough: Callable[[int], bool]) -> Response:
    """The document, or where it leads to: followed only on the same host, never from TLS to plain text, and not when
    the status is enough already.
    """
    for _ in range(REDIRECTS_MAX):
        response = await ask(Request(url))
        if response.location is None or not 300 <= response.status < 400 or enough(response.status):
            break
        target = urljoin(url, response.location)
        if not _same_host(urlsplit(url), urlsplit(target)):
            break
        url = target
    return response


def _same_host(one: SplitResult, other: SplitResult) -> bool:
    safe = other.scheme == "https" or (other.scheme == "http" and one.scheme == "http")
    return safe and one.hostname == other.hostname and (one.port == other.port or one.scheme != other.scheme)


async def ask(request: Request) -> Response:
    """One request, which leads nowhere else."""
    address = urlsplit(request.url)
    async with _connected(address) as (reader, writer):
        writer.write(_written(request, address))
        await writer.drain()
        status = await _status(reader)
        while 100 <= status < 200:
            await _headers(reader)
            status = await _status(reader)
        headers = await _headers(reader)
        body = b"" if status in (204, 304) else await _body(reader, headers)
        return Response(status, body, headers.get("location"))


@asynccontextmanager
async def _connected(address: SplitResult) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    tls = ssl.create_default_context() if address.scheme == "https" else None
    port = address.port or PORTS[address.scheme]
    reader, writer = await asyncio.open_connection(address.hostname, port, ssl=tls, limit=LINE_BYTES_MAX)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()  # one question, one connection; a polite goodbye could hang


def _written(request: Request, address: SplitResult) -> bytes:
    path = quote(address.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = "?" + quote(address.query, safe="/?%:@!$&'()*+,;=~-._") if address.query else ""
    body = {} if request.body is None else {"Content-Type": "application/json", "Content-Length": str(len(request.body))}
    own = {"Host": address.netloc, "User-Agent": "holdfast", "Accept": "*/*", **body, "Connection": "close"}
    lines = [f"{name}: {value}" for name, value in {**own, **request.headers}.items()]
    head = "".join(f"{line}\r\n" for line in (f"{request.method} {path}{query} HTTP/1.1", *lines, ""))
    return head.encode("ascii") + (request.body or b"")


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return (await reader.readuntil(b"\n")).strip()
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        raise NotHttp("the answer breaks off, or is not HTTP") from None


async def _status(reader: asyncio.StreamReader) -> int:
    words = (await _line(reader)).split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not (words[1].isdigit() and len(words[1]) == 3):
        raise NotHttp("the answer is not HTTP")
    return int(words[1])


async def _headers(reader: asyncio.StreamReader) -> dict[str, str]:
    found: dict[str, str] = {}
    for _ in range(HEADERS_MAX):
        line = await _line(reader)
        if not line:
            return found
        name, _, value = line.decode("latin-1").partition(":")
        found[name.strip().lower()] = value.strip()
    raise NotHttp("the answer has too many headers")


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    """At most the first megabyte: who needs more to say that it is well is not well."""
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return await _chunks(reader)
    length = headers.get("content-length", "")
    if length.isdigit():
        return await _exactly(reader, min(int(length), BODY_BYTES_MAX))
    return await _until_end(reader)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while len(body) < BODY_BYTES_MAX:
        try:
            size = int((await _line(reader)).partition(b";")[0], 16)
        except ValueError:
            raise NotHttp("the answer is badly chunked") from None
        if size <= 0:
            break
        body += await _exactly(reader, min(size, BODY_BYTES_MAX - len(body)))
        if len(body) < BODY_BYTES_MAX:
            await _line(reader)
    return bytes(body)


async def _exactly(reader: asyncio.StreamReader, size: int) -> bytes:
    try:
        return await reader.readexactly(size)
    except asyncio.IncompleteReadError:
        raise NotHttp("the answer breaks off") from None


async def _until_end(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while len(body) < BODY_BYTES_MAX:
        part = await reader.read(BODY_BYTES_MAX - len(body))
        if not part:
            break
        body += part
    return bytes(body)
