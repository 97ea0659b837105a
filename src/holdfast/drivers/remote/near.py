"""The near end of a worker: what is asked of one, and how its answers are heard, whatever it is made of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from json import loads
from typing import TYPE_CHECKING, Any, Protocol

from holdfast.core.errors import WorldError
from holdfast.drivers.remote.wire import HEAD, pack, sizes

if TYPE_CHECKING:
    from holdfast.ssh.dialogue import Process

Answer = tuple[Any, bytes]


class Line(Protocol):
    """What can be told to who asks for something before it answers."""

    async def send(self, document: Any) -> None: ...


Serve = Callable[[Line, dict[str, Any]], Awaitable[None]]


class Lost(Exception):
    """The worker is gone, and with it the answer."""

    def __init__(self, error: WorldError) -> None:
        super().__init__(error.message)
        self.error = error


class PythonWorker:
    """One that is written in Python there."""

    def __init__(self, process: Process, host: str) -> None:
        self.process = process
        self._host = host

    async def ask(self, what: str, serve: Serve | None, values: Mapping[str, Any]) -> Answer:
        await self.send({"ask": what, **values})
        said, beside = await self.receive()
        while "answer" not in said and "error" not in said:
            assert serve is not None
            await serve(self, said | {"beside": beside})
            said, beside = await self.receive()
        return said, beside

    async def send(self, document: Any) -> None:
        try:
            self.process.stdin.write(pack(document))
            await self.process.stdin.drain()
        except WorldError as error:
            raise Lost(error) from error

    async def receive(self) -> Answer:
        try:
            text, beside = sizes(await self.process.stdout.readexactly(HEAD.size))
            return loads(await self.process.stdout.readexactly(text)), await self.process.stdout.readexactly(beside)
        except asyncio.IncompleteReadError as error:
            raise Lost(WorldError(f"{self._host}: the connection was lost", code="unreachable")) from error
