"""SSH, usable on its own: commands, scripts and transfers on hosts, over connections that are shared.

    async with Executor() as ssh:
        result = await ssh.run_command(Command("uptime", host="web1"))

    with holdfast.ssh.open() as ssh:  # the same, synchronous
        result = ssh.run_command(Command("uptime", host="web1"))

The only package that knows asyncssh, which is loaded with the first connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.ssh.address import Address
    from holdfast.ssh.configuration import ExecutorConfig
    from holdfast.ssh.executor import Executor
    from holdfast.ssh.front import Front
    from holdfast.ssh.pool import Pool
    from holdfast.ssh.retry import RetryStrategy
    from holdfast.ssh.values import Command, Result, Script, Sudo, Transfer, Transferred

_WHERE = {
    "Address": "holdfast.ssh.address",
    "Command": "holdfast.ssh.values",
    "Executor": "holdfast.ssh.executor",
    "ExecutorConfig": "holdfast.ssh.configuration",
    "Pool": "holdfast.ssh.pool",
    "Result": "holdfast.ssh.values",
    "RetryStrategy": "holdfast.ssh.retry",
    "Script": "holdfast.ssh.values",
    "Sudo": "holdfast.ssh.values",
    "Transfer": "holdfast.ssh.values",
    "Transferred": "holdfast.ssh.values",
}


def open(config: ExecutorConfig | None = None, **parts: Any) -> Front:
    """An executor for synchronous use; `parts` are those of `Executor`."""
    from holdfast.ssh.front import Front

    return Front(config, **parts)


def __getattr__(name: str) -> Any:
    where = _WHERE.get(name)
    if where is None:
        raise AttributeError(f"module `holdfast.ssh` has no attribute `{name}`")
    from importlib import import_module

    return getattr(import_module(where), name)


__all__ = [
    "Address",
    "Command",
    "Executor",
    "ExecutorConfig",
    "Pool",
    "Result",
    "RetryStrategy",
    "Script",
    "Sudo",
    "Transfer",
    "Transferred",
    "open",
]
