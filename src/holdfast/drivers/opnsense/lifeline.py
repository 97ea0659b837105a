"""Connections from before an activation, which go on where new ones fail: by them a lock-out is taken back.

An appliance ends a connection after so many requests, or when it was idle for so long. So there are as many as taking
back may need, they are counted, and those that have waited long are replaced before the next activation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from holdfast.drivers.http.door import Answer, Door, Unheard, Unsent

REQUESTS_MAX: Final = 15  # of one connection
LINES_MAX: Final = 24
FRESH_S: Final = 10.0  # the appliance waits 30 s for the next request, and an activation may take some of them


class _Line:
    def __init__(self, door: Door, opened_at: float) -> None:
        self.door = door
        self.opened_at = opened_at
        self.left = REQUESTS_MAX

    async def ask(self, method: str, url: str, **options: Any) -> Answer:
        self.left -= 1
        return await self.door.ask(method, url, **options)


class Lifeline:
    def __init__(self, open_door: Callable[[], Door], clock: Callable[[], float] = monotonic) -> None:
        self._open_door = open_door
        self._clock = clock
        self._lines: list[_Line] = []

    @property
    def is_held(self) -> bool:
        return bool(self._lines)

    async def hold(self, url: str, requests: int, timeout_s: float) -> None:
        """Have so many requests ahead. Where no connection can be had there is only less to fall back on."""
        stale = [line for line in self._lines if self._clock() - line.opened_at > FRESH_S]
        self._lines = [line for line in self._lines if line not in stale]
        await asyncio.gather(*(line.door.close() for line in stale))
        wanted = min(LINES_MAX, -(-requests // (REQUESTS_MAX - 1))) - len(self._lines)
        opened = await asyncio.gather(*(self._opened(url, timeout_s) for _ in range(wanted)))
        self._lines += [line for line in opened if line is not None]

    async def _opened(self, url: str, timeout_s: float) -> _Line | None:
        line = _Line(self._open_door(), self._clock())
        try:
            await line.ask("GET", url, timeout_s=timeout_s)
        except (Unsent, Unheard):
            await line.door.close()
            return None
        return line

    async def ask(self, method: str, url: str, **options: Any) -> Answer:
        """By the first connection that still answers; what may have been heard is not said again."""
        while self._lines:
            line = self._lines[0]
            if line.left > 0:
                try:
                    return await line.ask(method, url, **options)
                except Unsent:
                    pass  # this one is gone, and nothing was sent: the next one may do
                except Unheard:
                    await self._forget(line)
                    raise
            await self._forget(line)
        raise Unsent("no connection from before the activation is left")

    async def _forget(self, line: _Line) -> None:
        self._lines.remove(line)
        await line.door.close()

    async def drop(self) -> None:
        lines, self._lines = self._lines, []
        await asyncio.gather(*(line.door.close() for line in lines))
