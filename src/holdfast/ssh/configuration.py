"""What can be set about connections and commands, with presets for the three usual situations.

A configuration is frozen; `with_timeout()` and its like give a changed copy. All its problems are told at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

from holdfast.core.errors import PlanError, Problem
from holdfast.ssh.retry import RetryStrategy

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorConfig:
    # getting in
    connect_timeout_s: float = 15.0
    keepalive_s: float = 15.0
    keepalives_missed_max: int = 3
    # the pool
    connections_max: int = 1000
    connecting_max: int = 32  # handshakes at once
    connecting_per_host_max: int = 8  # sshd drops more (MaxStartups)
    sessions_max: int = 10  # of one connection (MaxSessions)
    idle_s: float = 60.0  # unused for so long, a connection is closed
    check_after_s: float = 30.0  # unused for so long, it must show first that it is alive
    # commands
    timeout_s: float | None = 300.0
    grace_s: float = 5.0  # between asking a process group to end and ending it
    output_bytes_max: int = MIB  # kept of each stream
    # transfers
    transfer_timeout_s: float | None = None
    # when it does not work
    retry: RetryStrategy = field(default_factory=RetryStrategy)
    failures_max: int = 5  # in a row; then a host is left alone
    cooling_s: float = 30.0  # for so long

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise PlanError(problems)

    def _problems(self) -> Iterator[Problem]:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name == "retry":
                yield from value.problems() if isinstance(value, RetryStrategy) else [_no_strategy(value)]
            elif value is None and each.name in _OPTIONAL:
                continue
            elif not isinstance(value, (int, float)) or isinstance(value, bool) or not value >= _LEAST.get(each.name, 0):
                yield _problem(each.name, value, _LEAST.get(each.name, 0))
            elif each.name.endswith("_max") and value != int(value):
                yield Problem(code="invalid_value", message=f"`{each.name}` is a whole number, not {value}")

    @classmethod
    def default(cls) -> ExecutorConfig:
        return cls()

    @classmethod
    def development(cls) -> ExecutorConfig:
        """Says soon that something does not work, and does not try again."""
        return cls(connect_timeout_s=5.0, timeout_s=60.0, idle_s=20.0, retry=RetryStrategy(attempts=1), cooling_s=2.0)

    @classmethod
    def production(cls) -> ExecutorConfig:
        """Patient, and gentle to hosts in trouble."""
        retry = RetryStrategy(attempts=5, delay_s=1.0, max_delay_s=60.0)
        return cls(connect_timeout_s=30.0, timeout_s=900.0, idle_s=300.0, retry=retry, cooling_s=60.0)

    def changed(self, **what: Any) -> ExecutorConfig:
        return replace(self, **what)

    def with_timeout(self, seconds: float | None) -> ExecutorConfig:
        return replace(self, timeout_s=seconds)

    def with_retry(self, retry: RetryStrategy) -> ExecutorConfig:
        return replace(self, retry=retry)

    def with_output_bytes_max(self, count: int) -> ExecutorConfig:
        return replace(self, output_bytes_max=count)


_OPTIONAL: Final = frozenset({"timeout_s", "transfer_timeout_s"})
_LEAST: Final = {
    "connect_timeout_s": 0.001,
    "keepalives_missed_max": 1,
    "connections_max": 1,
    "connecting_max": 1,
    "connecting_per_host_max": 1,
    "sessions_max": 1,
    "timeout_s": 0.001,
    "transfer_timeout_s": 0.001,
    "output_bytes_max": 1024,
    "failures_max": 1,
}


def _no_strategy(value: Any) -> Problem:
    return Problem(
        code="invalid_value", message=f"`retry` is a RetryStrategy, not {value!r}", hint="write RetryStrategy(attempts=3)"
    )


def _problem(name: str, value: Any, least: float) -> Problem:
    return Problem(code="invalid_value", message=f"`{name}` is at least {least:g}, not {value!r}", hint="set a larger number")
