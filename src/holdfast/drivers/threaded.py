"""A driver whose calls block, made fit for an event loop."""

from __future__ import annotations

from asyncio import CancelledError, ensure_future, shield, to_thread
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from holdfast.core.change import Look, State
from holdfast.drivers.contract import Batch, Driver, Fetched, Keeper, Move, Outcome


class Threaded:
    """One thread hop per batch. `finish` runs what the driver gives to its end."""

    def __init__(self, inner: Driver, finish: Callable[[Any], Any]) -> None:
        self._inner = inner
        self._finish = finish

    async def inspect(self, looks: Sequence[Look]) -> Mapping[str, State]:
        found: Mapping[str, State] = await to_thread(self._finish, self._inner.inspect(looks))
        return found

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        """A thread cannot be stopped: whoever interrupts it hears what it did, before anybody takes that back."""
        working = ensure_future(to_thread(self._finish, self._inner.apply(batch)))
        try:
            found: Sequence[Outcome] = await shield(working)
        except CancelledError:
            found = await working
        return found

    async def settle(self, moves: Sequence[Move]) -> None:
        await to_thread(self._finish, self._inner.settle(moves))

    async def close(self) -> None:
        await self._inner.close()

    async def fetch(self, key: str, into: int | None) -> Fetched:
        keeper: Keeper = self._inner  # type: ignore[assignment]  # only drivers of files are wrapped
        found: Fetched = await to_thread(self._finish, keeper.fetch(key, into))
        return found

    async def untouched(self, moves: Sequence[Move]) -> set[str]:
        keeper: Keeper = self._inner  # type: ignore[assignment]  # only drivers of files are asked
        found: set[str] = await to_thread(self._finish, keeper.untouched(moves))
        return found
