"""One piece of work on one host, tried as often as makes sense: retry, circuit breaker, and what to do in doubt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from holdfast.core.errors import Failure, WorldError
from holdfast.ssh.address import Address
from holdfast.ssh.breaker import Breaker
from holdfast.ssh.configuration import ExecutorConfig
from holdfast.ssh.connection import Connection
from holdfast.ssh.pool import Pool
from holdfast.ssh.retry import Trouble, trouble
from holdfast.ssh.troubles import Crowded

T = TypeVar("T")
Work = Callable[[Connection], Awaitable[T]]
_OF_THE_WAY = frozenset({"unreachable", "timeout", "in_doubt"})  # what a host in trouble looks like


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try, for whoever keeps the journal."""

    host: str
    number: int
    failure: Failure | None = None
    trouble: Trouble | None = None
    pause_s: float | None = None  # None: it was the last


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried(Generic[T]):
    attempts: int
    value: T | None = None
    failure: Failure | None = None
    confirmed: bool = False  # in doubt, and then it turned out that it had happened


class Trier:
    """Remembers how hosts behaved. Time, chance and sleep are handed in."""

    def __init__(
        self,
        pool: Pool,
        config: ExecutorConfig,
        *,
        now: Callable[[], float],
        chance: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
        attempted: Callable[[Attempt], None],
    ) -> None:
        self.config = config
        self._pool = pool
        self._now = now
        self._chance = chance
        self._sleep = sleep
        self._attempted = attempted
        self._breakers: dict[tuple[str, int], Breaker] = {}
        self.attempts = 0
        self.retries = 0

    async def persist(self, address: Address, work: Work[T], happened: Work[bool] | None = None) -> Tried[T]:
        """Do it until it worked or trying again makes no sense. `happened` settles a doubt."""
        number = 0
        while True:
            number += 1
            try:
                value = await self._once(address, work)
                self._tell(Attempt(host=str(address), number=number))
                return Tried(attempts=number, value=value)
            except WorldError as error:
                failure, what = error.as_failure(), trouble(error.code)
            if what is Trouble.DOUBTFUL and happened is not None:
                so = await self._look(address, happened)
                if so:
                    return Tried(attempts=number, confirmed=True)
                what = what if so is None else Trouble.TEMPORARY  # what has not happened may be done again
            again = self.config.retry.again(number, what)
            pause_s = self.config.retry.pause_s(number, self._chance()) if again else None
            self._tell(Attempt(host=str(address), number=number, failure=failure, trouble=what, pause_s=pause_s))
            if pause_s is None:
                return Tried(attempts=number, failure=failure)
            await self._sleep(pause_s)

    def breaker(self, address: Address) -> Breaker:
        fresh = Breaker(failures_max=self.config.failures_max, cooling_s=self.config.cooling_s)
        return self._breakers.get((address.host, address.port), fresh)

    async def _once(self, address: Address, work: Work[T]) -> T:
        self._ask_breaker(address)
        try:
            while True:
                try:
                    async with self._pool.session(address) as connection:
                        value = await work(connection)
                    break
                except Crowded:
                    if not self._pool.makes_room(address):
                        raise
        except WorldError as error:
            if error.code in _OF_THE_WAY:
                self._keep(address, self.breaker(address).failed(self._now()))
            raise
        self._keep(address, self.breaker(address).worked())
        return value

    def _ask_breaker(self, address: Address) -> None:
        may, breaker = self.breaker(address).asked(self._now())
        self._keep(address, breaker)
        if not may:
            wait_s = breaker.wait_s(self._now())
            raise WorldError(f"{address}: it failed too often and is left alone for {wait_s:.0f} s", code="circuit_open")

    def _keep(self, address: Address, breaker: Breaker) -> None:
        """Hosts that behave take no room."""
        if breaker.failures:
            self._breakers[(address.host, address.port)] = breaker
        else:
            self._breakers.pop((address.host, address.port), None)

    async def _look(self, address: Address, happened: Work[bool]) -> bool | None:
        """None: nobody can tell."""
        try:
            return await self._once(address, happened)
        except WorldError:
            return None

    def _tell(self, attempt: Attempt) -> None:
        self.attempts += 1
        self.retries += attempt.number > 1
        self._attempted(attempt)
