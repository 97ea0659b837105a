"""The appliance's clock: it moves a fixed step with every request and further only when told, so runs repeat exactly."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

START: Final = 1_780_000_000.0
STEP_S: Final = 0.1


class Clock:
    def __init__(self, now: float = START) -> None:
        self.now = now
        self._timers: list[tuple[float, Callable[[], None]]] = []
        self._lock = threading.Lock()

    def tick(self) -> float:
        return self.advance(STEP_S)

    def advance(self, seconds: float) -> float:
        """Move on, and do what became due on the way, in its order."""
        with self._lock:
            self.now = round(self.now + seconds, 4)
            due = sorted((timer for timer in self._timers if timer[0] <= self.now), key=lambda timer: timer[0])
            self._timers = [timer for timer in self._timers if timer not in due]
        for _, action in due:
            action()
        return self.now

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        with self._lock:
            self._timers.append((self.now + seconds, action))
