"""Connections, shared: one per way into a host, so many sessions on each, no more of them than allowed.

A connection that was unused for a while must show that it is alive before it is lent; one that failed is replaced;
one that nobody needs is closed. Nothing stays behind when the one who waits is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from holdfast.core.errors import WorldError
from holdfast.ssh.address import Address
from holdfast.ssh.configuration import ExecutorConfig
from holdfast.ssh.tracing import Tracing
from holdfast.ssh.troubles import Crowded

if TYPE_CHECKING:
    from holdfast.ssh.connecting import Ways
    from holdfast.ssh.connection import Connection

HEALTHY_S: Final = 5.0  # how long a connection may take to show that it is alive
MANY: Final = 4  # sessions of one connection: so many can spare one for the attendant


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What a pool has done since it was made, and what it holds now."""

    connections: int
    sessions: int  # lent right now
    opened: int
    reused: int
    replaced: int  # found dead, or failed the health check
    expired: int
    failed: int  # could not be opened


class _Line:
    """What the pool holds for one address: at most one connection, and who uses it."""

    __slots__ = ("active", "connection", "idle_since", "lock", "room", "staying", "users")

    def __init__(self, sessions_max: int) -> None:
        self.connection: Connection | None = None
        self.lock = asyncio.Lock()  # one connects, the others wait for it
        self.room = asyncio.Semaphore(sessions_max)
        self.users = 0  # who have a session or wait for one
        self.active = 0  # who have one
        self.staying = 0  # those among them who do not give it back soon
        self.idle_since = 0.0

    @property
    def going(self) -> int:
        """Who have a session and give it back soon: it is worth waiting for them."""
        return self.active - self.staying


class Pool:
    """Use it as an asynchronous context manager, or call `close()` at the end."""

    def __init__(
        self,
        config: ExecutorConfig | None = None,
        *,
        now: Callable[[], float] = monotonic,
        accepted: Callable[[str], None] = lambda said: None,
        tracer: Any = None,
        meter: Any = None,
    ) -> None:
        self.config = config or ExecutorConfig()
        self._now = now
        self._accepted = accepted
        self._tracing = Tracing(tracer, meter)
        self._ways: Ways | None = None
        self._lines: dict[Address, _Line] = {}
        self._taken: set[_Line] = set()  # by those who stay: whoever comes now gets another
        self._connecting = asyncio.Semaphore(self.config.connecting_max)
        self._per_host: dict[tuple[str, int], asyncio.Semaphore] = {}
        self._space = asyncio.Condition()
        self._open = 0
        self._closed = False
        self._counts = dict.fromkeys(("opened", "reused", "replaced", "expired", "failed"), 0)
        self._expiry: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Pool:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @asynccontextmanager
    async def session(self, address: Address, *, stays: bool = False) -> AsyncIterator[Connection]:
        """Lend a connection for one session after the other. Raises WorldError when the host cannot be reached.

        `stays`: whoever borrows it keeps one session for long, and nobody is to wait for that.
        """
        if self._closed:
            raise WorldError("the pool is closed", code="wrong_state")
        line = self._lines.get(address)
        if line is None:
            line = self._lines[address] = _Line(_to_lend(address.sessions_max or self.config.sessions_max))
        line.users += 1
        keep_room = False
        try:
            await line.room.acquire()
            line.active += 1
            line.staying += stays
            try:
                yield await self._connected(line, address)
            except Crowded:
                keep_room = line.going > 1  # so many were too many: from now on one less at once
                raise
            finally:
                line.active -= 1
                line.staying -= stays
                if not keep_room:
                    line.room.release()
        finally:
            line.users -= 1
            line.idle_since = self._now()
            self._look_after(line, address)

    def makes_room(self, address: Address) -> bool:
        """Is a session to be had soon where there was none? Others give theirs back; those who stay keep their connection."""
        line = self._lines.get(address)
        if line is not None and line.active and not line.going:
            self._taken.add(self._lines.pop(address))
        return line is not None and line.active > 0

    def statistics(self) -> Statistics:
        lent = sum(line.active for line in self._all())
        return Statistics(connections=self._open, sessions=lent, **self._counts)

    def _all(self) -> list[_Line]:
        return [*self._lines.values(), *self._taken]

    async def close(self) -> None:
        """Close every connection, also those in use."""
        self._closed = True
        if self._expiry is not None:
            self._expiry.cancel()
        found = [line.connection for line in self._all() if line.connection is not None]
        self._lines.clear()
        self._taken.clear()
        for connection in reversed(found):  # those that go through others first
            connection.close()
        await asyncio.gather(*(connection.closed() for connection in found))
        self._open = 0

    # -- connecting

    async def _connected(self, line: _Line, address: Address) -> Connection:
        found = line.connection
        if found is not None and found.alive and line.users > 1:
            self._counts["reused"] += 1
            return found
        async with line.lock:
            found = line.connection
            if found is not None and await self._usable(line, found):
                self._counts["reused"] += 1
                return found
            if found is not None:
                self._counts["replaced"] += 1
                self._drop(line)
            line.connection = await self._new(address)
            return line.connection

    async def _usable(self, line: _Line, found: Connection) -> bool:
        if not found.alive:
            return False
        if line.users > 1 or self._now() - line.idle_since < self.config.check_after_s:
            return True
        return await found.healthy(HEALTHY_S)

    async def _new(self, address: Address) -> Connection:
        from holdfast.ssh.connecting import Ways, connect  # loads asyncssh

        if self._ways is None:
            self._ways = Ways(self._accepted)
        await self._take_space()
        try:
            per_host = self._per_host.setdefault(
                (address.host, address.port), asyncio.Semaphore(self.config.connecting_per_host_max)
            )
            attributes = {"host": address.host, "port": address.port, "user": address.user, "jump": address.jump}
            async with self._connecting, per_host, self._tracing.span("ssh.connect", attributes):
                made = await connect(address, self.config, self._ways, lambda jump: self._tunnel(address, jump))
        except BaseException:
            self._counts["failed"] += 1
            self._open -= 1
            await self._tell_space()
            raise
        self._counts["opened"] += 1
        return made

    async def _tunnel(self, address: Address, jump: str) -> Connection:
        """A connection to a jump host; of several, each is reached through those before it."""
        before, _, last = jump.rpartition(",")
        hop = Address.parse(last.strip().removeprefix("ssh://"), identity=address.identity, known_hosts=address.known_hosts)
        hop = replace(hop, jump=before, config=address.config, accept_new=address.accept_new)
        async with self.session(hop) as connection:
            return connection

    # -- space

    async def _take_space(self) -> None:
        """Wait until one more connection is allowed; idle ones give way."""
        async with self._space:
            while self._open >= self.config.connections_max and not self._evict():
                await self._space.wait()
            self._open += 1

    def _evict(self) -> bool:
        idle = [(line.idle_since, address) for address, line in self._lines.items() if line.connection and not line.users]
        if not idle:
            return False
        address = min(idle, key=lambda each: each[0])[1]
        self._drop(self._lines.pop(address))
        return True

    def _drop(self, line: _Line) -> None:
        if line.connection is not None:
            line.connection.close()
            line.connection = None
            self._open -= 1

    async def _tell_space(self) -> None:
        async with self._space:
            self._space.notify()

    # -- idle lines

    def _look_after(self, line: _Line, address: Address) -> None:
        """A line that nobody uses is forgotten, at once without a connection, else after a while."""
        if line.users or self._closed:
            return
        if line in self._taken:
            self._taken.remove(line)
            self._drop(line)
        elif line.connection is None or not self.config.idle_s:
            self._drop(self._lines.pop(address))
        elif self._expiry is None:
            self._expiry = asyncio.get_running_loop().call_later(self.config.idle_s, self._expire)
        if self._open >= self.config.connections_max:
            asyncio.get_running_loop().create_task(self._tell_space())

    def _expire(self) -> None:
        self._expiry = None
        due = self._now() - self.config.idle_s
        idle = [(address, line) for address, line in self._lines.items() if not line.users]
        for address, line in idle:
            if line.idle_since <= due:
                self._counts["expired"] += line.connection is not None
                self._drop(self._lines.pop(address))
        if len(self._lines) > 0:
            self._expiry = asyncio.get_running_loop().call_later(max(self.config.idle_s / 2, 0.01), self._expire)


def _to_lend(sessions_max: int) -> int:
    """One session is held back: something may have to be ended when all others are taken. Of many, one is the attendant's."""
    return max(1, sessions_max - (2 if sessions_max >= MANY else 1))
