"""The circuit breaker of one host, as a pure value: it is told what happened and when, and says whether to try.

closed     --so many failures in a row-->          open
open       --a while later, at the next question-->  half_open: one attempt may pass
half_open  --it worked--> closed                    --it failed--> open
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum


class Circuit(str, Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    failures_max: int = 5
    cooling_s: float = 30.0
    state: Circuit = Circuit.CLOSED
    failures: int = 0
    opened_at: float = 0.0

    def asked(self, now: float) -> tuple[bool, Breaker]:
        """May it be tried now?"""
        if self.state is Circuit.CLOSED:
            return True, self
        if self.state is Circuit.OPEN and now - self.opened_at >= self.cooling_s:
            return True, replace(self, state=Circuit.HALF_OPEN, opened_at=now)
        # Who tries in half_open may never tell how it went; after another while somebody else may.
        if self.state is Circuit.HALF_OPEN and now - self.opened_at >= self.cooling_s:
            return True, replace(self, opened_at=now)
        return False, self

    def worked(self) -> Breaker:
        return self if self.state is Circuit.CLOSED and not self.failures else replace(self, state=Circuit.CLOSED, failures=0)

    def failed(self, now: float) -> Breaker:
        failures = self.failures + 1
        if self.state is Circuit.HALF_OPEN or failures >= self.failures_max:
            return replace(self, state=Circuit.OPEN, failures=failures, opened_at=now)
        return replace(self, failures=failures)

    def wait_s(self, now: float) -> float:
        """How long it is still left alone."""
        return 0.0 if self.state is Circuit.CLOSED else max(0.0, self.opened_at + self.cooling_s - now)
