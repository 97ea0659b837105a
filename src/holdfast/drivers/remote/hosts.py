"""The hosts of a wiring, and the connections they share: opened with the first, closed with the last who needs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from holdfast.drivers.remote.host import Host, Way

if TYPE_CHECKING:
    from holdfast.ssh.configuration import ExecutorConfig
    from holdfast.ssh.executor import Executor
    from holdfast.ssh.pool import Pool, Statistics


class Hosts:
    """One event loop at a time: every driver of a host enters, and leaves when it is closed."""

    def __init__(self, config: ExecutorConfig | None = None) -> None:
        self.config = config
        self.watched: dict[str, Any] = {}  # a tracer and a meter, for whoever watches
        self._pools: dict[bool, Pool] = {}
        self._executor: Executor | None = None
        self._users: dict[str, list[Host]] = {}  # by what was declared: the host, once for every driver

    def enter(self, name: str, declared: Mapping[str, Any], way: Callable[[], Way]) -> Host:
        users = self._users.setdefault(repr((name, sorted(declared.items()))), [])
        users.append(users[0] if users else Host(name, way, self))
        return users[0]

    async def leave(self, host: Host) -> None:
        key = next(key for key, users in self._users.items() if users[0] is host)
        self._users[key].pop()
        if self._users[key]:
            return
        del self._users[key]
        await host.close()
        if not self._users:
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

            self._executor = Executor(self.config, pool=self.pool(), **self.watched)
        return self._executor

    def circuits(self) -> dict[str, str]:
        """By host: the state of its circuit breaker, for every host in use."""
        executor = self._executor
        users = [found[0] for found in list(self._users.values()) if found]
        return {host.name: "closed" if executor is None else executor.breaker(host.way.address).state.value for host in users}

    def statistics(self) -> Statistics | None:
        """Of the connections that are shared; None while there are none."""
        pool = self._pools.get(False)
        return None if pool is None else pool.statistics()
