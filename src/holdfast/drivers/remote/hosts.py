"""The hosts of a wiring: each once for all its drivers. With the last who needs one their connections are closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from holdfast.core.events import Event
from holdfast.drivers.remote.connections import Connections
from holdfast.drivers.remote.host import Host
from holdfast.drivers.remote.way import Way

if TYPE_CHECKING:
    from holdfast.ssh.configuration import ExecutorConfig
    from holdfast.ssh.trying import Attempt

Tell = Callable[[Event], None]


class Hosts:
    """One event loop at a time: every driver of a host enters, and leaves when it is closed."""

    def __init__(self, config: ExecutorConfig | None = None) -> None:
        self.connections = Connections(config, self._attempted)
        self._users: dict[str, list[Host]] = {}  # by what was declared: the host, once for every driver
        self._leaving = 0  # hosts that are being closed, over connections that are still there
        self._told: list[tuple[str, Tell]] = []  # by what was declared: who keeps a journal of what is tried there

    def enter(self, name: str, declared: Mapping[str, Any], way: Callable[[], Way]) -> Host:
        users = self._users.setdefault(_key(name, declared), [])
        users.append(users[0] if users else Host(name, way, self.connections, self.retrying))
        return users[0]

    async def leave(self, host: Host) -> None:
        key = next(key for key, users in self._users.items() if users[0] is host)
        self._users[key].pop()
        if self._users[key]:
            return
        del self._users[key]
        self._leaving += 1
        try:
            await host.close()
        finally:
            self._leaving -= 1
        if not self._users and not self._leaving:
            await self.connections.close()

    # -- what was tried in vain, and is tried again

    @contextmanager
    def telling(self, targets: Mapping[str, Mapping[str, Any]], tell: Tell) -> Iterator[None]:
        """Meanwhile this one hears of every attempt on these targets that failed and is made again."""
        added = [(_key(name, declared), tell) for name, declared in targets.items()]
        self._told += added
        try:
            yield
        finally:
            for each in added:
                self._told.remove(each)

    def retrying(self, host: Host, code: str, attempt: int, delay_s: float) -> None:
        fact = {"host": host.name, "code": code, "attempt": attempt, "delay_s": round(delay_s, 3)}
        for key, tell in self._told:
            if host in self._users.get(key, ()):
                tell(Event("host.retrying", fact))

    def _attempted(self, attempt: Attempt) -> None:
        if attempt.failure is None or attempt.pause_s is None:
            return
        for host in {users[0] for users in self._users.values()}:
            if host.is_at(attempt.host):
                self.retrying(host, attempt.failure.code, attempt.number, attempt.pause_s)

    def circuits(self) -> dict[str, str]:
        """By host: the state of its circuit breaker, for every host in use."""
        users = [found[0] for found in list(self._users.values()) if found]
        return {host.name: self.connections.breaker_of(host.way.address) for host in users}


def _key(name: str, declared: Mapping[str, Any]) -> str:
    return repr((name, sorted(declared.items())))
