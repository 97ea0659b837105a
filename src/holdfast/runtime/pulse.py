"""What is published of a run and never journaled: that its tasks are still worked on, and how far the run has come.

A task beats for the first time when it begins, then every ten seconds for as long as it is under way, also in a long
step; never after its end. No clock and no thread: whoever drives or follows a run says what time it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from typing import Final

from holdfast.core.events import Event
from holdfast.core.run import SETTLED, UNDER_WAY, Run

BEAT_S: Final = 10.0
PROGRESS_S: Final = 1.0  # a run tells this often at most how far it has come


class Pulse:
    """Of one run, which has come as far as its events were heard."""

    def __init__(self, run: Run, now: float) -> None:
        self.next_at = inf
        self._run = run
        self._beats_at: dict[int, float] = {}
        self._told_at = now
        self._moved = False
        for number in range(len(run.tasks)):
            self._note(number, now)

    def hear(self, events: Sequence[Event], now: float) -> None:
        """These are part of the run by now."""
        for event in events:
            if event.steps:
                self._moved = True
            elif event.task is not None and event.stage is None:
                self._note(event.task, now)

    def _note(self, number: int, now: float) -> None:
        if self._run.tasks[number].state not in UNDER_WAY:
            self._beats_at.pop(number, None)
        elif number not in self._beats_at:
            self._beats_at[number] = now
            self.next_at = min(self.next_at, now)

    def due(self, now: float) -> list[Event]:
        """What is to be published by now."""
        found = list(self._beats(now)) if now >= self.next_at else []
        if self._moved and now >= self._told_at + PROGRESS_S and not self._run.over:
            found.append(self._progress())
            self._told_at, self._moved = now, False
        return found

    def _beats(self, now: float) -> Iterator[Event]:
        for number, at in self._beats_at.items():
            if at <= now:
                self._beats_at[number] = now + BEAT_S
                steps = self._run.tasks[number].steps
                yield Event("task.heartbeat", {"done": self._settled(steps), "total": len(steps)}, task=number)
        self.next_at = min(self._beats_at.values(), default=inf)

    def _progress(self) -> Event:
        done, total = self._settled(range(len(self._run.steps))), len(self._run.steps)
        return Event("run.progress", {"done": done, "total": total, "percent": round(100 * done / max(total, 1), 1)})

    def _settled(self, steps: range) -> int:
        states = self._run.steps
        return sum(1 for step in steps if states[step] in SETTLED)
