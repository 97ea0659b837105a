"""What tests of SSH share: one server with three people on it, and a configuration that loses no time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.ssh import Address, ExecutorConfig, RetryStrategy
from holdfast.testing.sshd import Sshd

PASSWORD = "canary pass'word $HOME"


@dataclass(frozen=True)
class Hosts:
    server: Sshd
    plain: str  # may do nothing special
    admin: str  # may become anybody, without being asked
    asked: str  # may, after saying PASSWORD

    def address(self, user: str = "", **changes: Any) -> Address:
        return self.server.address(user=user or self.plain, **changes)

    def home(self, user: str = "") -> Path:
        return Path("/home") / (user or self.plain)


async def heard_of(event: asyncio.Event, task: asyncio.Task[Any]) -> None:
    """Wait for the event; a task that is over without it tells how it ended, instead of letting the test wait for ever."""
    waiting = asyncio.ensure_future(event.wait())
    await asyncio.wait((waiting, task), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    assert event.is_set(), task.result()


QUICK = ExecutorConfig(
    connect_timeout_s=10, timeout_s=30, grace_s=0.3, idle_s=30, retry=RetryStrategy(attempts=3, delay_s=0.01, max_delay_s=0.05)
)
