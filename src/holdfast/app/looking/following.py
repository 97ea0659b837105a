"""One run, followed: what the journal says of it, and what is only published while somebody works on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from holdfast.app.looking.runs import Names, documents_of, published
from holdfast.core.evolve import evolve
from holdfast.core.run import Run
from holdfast.journal.contract import Journal
from holdfast.runtime.clock import Clock
from holdfast.runtime.pulse import Pulse

Alive = Callable[[str], bool]  # does the owner of this name live?


class Following:
    """Whoever drives the run, in whichever process. Calls block."""

    def __init__(self, journal: Journal, run: str, *, since: int, clock: Clock, alive: Alive) -> None:
        outline = journal.outline(run)
        self._journal = journal
        self._since = since
        self._read = 0
        self._clock = clock
        self._alive = alive
        self._names = Names(outline)
        self._run = Run.told(run, outline) if outline is not None else None
        self._pulse: Pulse | None = None
        self.over = outline is None

    def news(self) -> Iterator[dict[str, Any]]:
        """What was written or published since the last call."""
        if self._run is None:
            return
        row = self._journal.run(self._run.id)
        self.over = row is None or row.ending is not None
        yield from self._written(self._run)
        if not self.over and row is not None and row.owner is not None and self._alive(row.owner):
            now = self._clock.now()
            self._pulse = self._pulse or Pulse(self._run, now)
            yield from (published(self._run, event, now) for event in self._pulse.due(now))

    def _written(self, run: Run) -> Iterator[dict[str, Any]]:
        for record in self._journal.records(run.id, after=self._read):
            self._read = record.seq + record.count - 1
            for event in record.events:
                evolve(run, event)
            if self._pulse is not None:
                self._pulse.hear(record.events, self._clock.now())
            yield from (document for document in documents_of(record, self._names) if document["seq"] > self._since)
