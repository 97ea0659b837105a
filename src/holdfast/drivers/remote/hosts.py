"""The hosts of a wiring, and the connections they share: opened with the first, closed with the last who needs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from holdfast.core.events import Event
from holdfast.drivers.remote.host import Host, Way

if TYPE_CHECKING:
    from holdfast.ssh.configuration import ExecutorConfig
    from holdfast.ssh.executor import Executor
    from holdfast.ssh.pool import Pool, Statistics
    from holdfast.ssh.trying import Attempt

Tell = Callable[[Event], None]


class Hosts:
    """One event loop at a time: every driver of a host enters, and leaves when it is closed."""

    def __init__(self, config: ExecutorConfig | None = None) -> None:
        self.config = config
        self.watched: dict[str, Any] = {}  # a tracer and a meter, for whoever watches
        self._pools: dict[bool, Pool] = {}
        self._executor: Executor | None = None
        self._users: dict[str, list[Host]] = {}  # by what was declared: the host, once for every driver
        self._leaving = 0  # hosts that are being closed, over connections that are still there
        self._told: list[tuple[str, Tell]] = []  # by what was declared: who keeps a journal of what is tried there

    def enter(self, name: str, declared: Mapping[str, Any], way: Callable[[], Way]) -> Host:
        users = self._users.setdefault(_key(name, declared), [])
        users.append(users[0] if users else Host(name, way, self))
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
            pools, self._pools, self._executor = self._pools, {}, None
            for pool in pools.values():
                await pool.close()

    def pool(self, *, apart: bool = False) -> Pool:
        """Loaded with the first connection: who plans for local files only never pays for it. One is set apart for workers
        whose hosts give so few sessions to a connection that they need one for themselves.
        """
        if apart not in self._pools:
            from holdfast.ssh.pool import Pool

            self._pools[apart] = Pool(self.config, **self.watched)
        return self._pools[apart]

    def executor(self) -> Executor:
        if self._executor is None:
            from holdfast.ssh.executor import Executor

            self._executor = Executor(self.config, pool=self.pool(), attempted=self._attempted, **self.watched)
        return self._executor

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
        executor = self._executor
        users = [found[0] for found in list(self._users.values()) if found]
        return {host.name: "closed" if executor is None else executor.breaker(host.way.address).state.value for host in users}

    def statistics(self) -> Statistics | None:
        """Of the connections that are shared; None while there are none."""
        pool = self._pools.get(False)
        return None if pool is None else pool.statistics()


def _key(name: str, declared: Mapping[str, Any]) -> str:
    return repr((name, sorted(declared.items())))
