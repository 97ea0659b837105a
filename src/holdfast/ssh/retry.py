"""When to try again, and after how long. Pure: time and chance are handed in.

Temporary trouble may pass, permanent trouble stays. What is doubtful may have happened already: it is never simply
done again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from holdfast.core.errors import CODES, Problem


class Trouble(str, Enum):
    TEMPORARY = "temporary"
    PERMANENT = "permanent"
    DOUBTFUL = "doubtful"


def trouble(code: str, *, sent: bool = False) -> Trouble:
    """What an error word means for trying again; `sent`: was the command on its way already?"""
    if code == "in_doubt" or (sent and code in ("timeout", "unreachable")):
        return Trouble.DOUBTFUL
    return Trouble.TEMPORARY if CODES[code].retryable and code != "circuit_open" else Trouble.PERMANENT


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryStrategy:
    """Exponential back-off with a cap. `jitter` is the part of a delay that chance decides."""

    attempts: int = 3
    delay_s: float = 0.5
    backoff: float = 2.0
    max_delay_s: float = 15.0
    jitter: float = 0.5

    def again(self, attempt: int, what: Trouble) -> bool:
        """After so many attempts: one more?"""
        return what is Trouble.TEMPORARY and attempt < self.attempts

    def pause_s(self, attempt: int, chance: float) -> float:
        """How long to wait after attempt number `attempt` (from 1); `chance` lies between 0 and 1."""
        full = min(self.max_delay_s, self.delay_s * self.backoff ** min(attempt - 1, 64))
        return full * (1 - self.jitter * chance)

    def problems(self) -> Iterator[Problem]:
        rows = (
            ("attempts", self.attempts >= 1, "at least 1"),
            ("delay_s", self.delay_s >= 0, "not negative"),
            ("backoff", self.backoff >= 1, "at least 1"),
            ("max_delay_s", self.max_delay_s >= self.delay_s, "at least `delay_s`"),
            ("jitter", 0 <= self.jitter <= 1, "between 0 and 1"),
        )
        for name, fine, what in rows:
            if not fine:
                yield Problem(code="invalid_value", message=f"`retry.{name}` is {what}, not {getattr(self, name)}")
