"""A scripted HTTP server, a clock that only probes turn, and builders."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, closing, suppress
from typing import Any

from holdfast.core.change import Change, Effect
from holdfast.drivers.contract import Batch, Move, Outcome
from holdfast.drivers.probe.local import Probes
from holdfast.drivers.secrets import Secrets
from holdfast.kinds.contract import Kind
from holdfast.kinds.health import Expect, Health

ENVIRON = {"PATH": "/usr/bin:/bin"}


class VirtualTime:
    """Sleeping takes no time and is remembered."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.on_sleep: list[Callable[[], Coroutine[Any, Any, None]]] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.on_sleep:
            await self.on_sleep.pop(0)()


class Server:
    """Answers one scripted response after the other; the last one again and again."""

    def __init__(self, *responses: bytes) -> None:
        self.responses = list(responses)
        self.requests: list[bytes] = []
        self.port = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(asyncio.IncompleteReadError):  # who only knocks says nothing
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            response = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
            writer.write(response)
            if not response:
                await reader.read()  # says nothing, until the other side goes

    @asynccontextmanager
    async def serving(self, port: int = 0):
        server = await asyncio.start_server(self.handle, "127.0.0.1", port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/health"


def answer(body: str = "", status: int = 200, **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Word", f"Content-Length: {len(body.encode())}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", body]).encode()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def health(probe: str | Sequence[Any], *, expect: Expect | None = None, **arguments: Any) -> Health:
    probe = probe if isinstance(probe, str) else tuple(probe)
    return Health(probe=probe, expect=expect or Expect(), **arguments)


def move(operation: Kind, *, undo: bool = False, timeout: float | None = None) -> Move:
    change = Change(f"{operation.kind}/it", Effect(False), Effect(True), means=operation, runs=True)
    return Move("run-1", change.reversed() if undo else change, undo=undo, timeout=timeout)


async def probe(operation: Kind, time: VirtualTime | None = None, **arguments: Any) -> Outcome:
    timeout = arguments.pop("timeout", None)
    secrets = arguments.pop("secrets", None) or Secrets(ENVIRON)
    driver = Probes(secrets=secrets, sleep=(time or VirtualTime()).sleep, **arguments)
    (outcome,) = await driver.apply(Batch((move(operation, timeout=timeout),)))
    return outcome
