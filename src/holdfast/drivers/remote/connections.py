"""The connections that hosts share: opened with the first who needs one, closed all together."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.ssh.address import Address
    from holdfast.ssh.configuration import ExecutorConfig
    from holdfast.ssh.executor import Executor
    from holdfast.ssh.pool import Pool, Statistics
    from holdfast.ssh.trying import Attempt


class Connections:
    """`attempted` hears of every try. Loaded with the first: who plans for local files only never pays for it."""

    def __init__(self, config: ExecutorConfig | None, attempted: Callable[[Attempt], None]) -> None:
        self.config = config
        self.watched: dict[str, Any] = {}  # a tracer and a meter, for whoever watches
        self._attempted = attempted
        self._pools: dict[bool, Pool] = {}
        self._executor: Executor | None = None

    def pool(self, *, apart: bool = False) -> Pool:
        """One is set apart for workers whose hosts give so few sessions to a connection that they need one for themselves."""
        if apart not in self._pools:
            from holdfast.ssh.pool import Pool

            self._pools[apart] = Pool(self.config, **self.watched)
        return self._pools[apart]

    def executor(self) -> Executor:
        if self._executor is None:
            from holdfast.ssh.executor import Executor

            self._executor = Executor(self.config, pool=self.pool(), attempted=self._attempted, **self.watched)
        return self._executor

    def breaker_of(self, address: Address) -> str:
        """The state of its circuit breaker."""
        return "closed" if self._executor is None else self._executor.breaker(address).state.value

    def statistics(self) -> Statistics | None:
        """None while nothing is shared."""
        pool = self._pools.get(False)
        return None if pool is None else pool.statistics()

    async def close(self) -> None:
        pools, self._pools, self._executor = self._pools, {}, None
        for pool in pools.values():
            await pool.close()
