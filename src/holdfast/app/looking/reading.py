"""What can be seen without touching anything: runs and their events. Imports little, because looking must be quick."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from holdfast.app.home import Home
from holdfast.app.looking import runs, tracking
from holdfast.app.looking.locks import waiting_documents
from holdfast.journal import queue
from holdfast.journal.contract import Journal, LockRow, RunRow
from holdfast.journal.queue import Waiter
from holdfast.runtime.clock import Clock, SystemClock
from holdfast.runtime.owner import is_alive

if TYPE_CHECKING:
    from holdfast.app.keeping.checkpoints import Checkpoint
    from holdfast.core.result import Result

EVENT_POLL_S: Final = 0.1


def home_of(state: str | os.PathLike[str] | None, environment: Mapping[str, str] | None = None) -> Home:
    """The state directory that is meant; not made yet."""
    return Home(os.path.abspath(state)) if state else Home.default(os.environ if environment is None else environment)


class Reading:
    def __init__(self, journal: Journal, clock: Clock, home: Home) -> None:
        self.journal = journal
        self.clock = clock
        self._owners = home.owners
        self._executors = home.executors

    @classmethod
    def of(cls, state: str | os.PathLike[str] | None = None, *, environment: Mapping[str, str] | None = None) -> Reading:
        """A journal that is only read; one that is not there yet is empty."""
        from holdfast.journal.sqlite import SqliteJournal

        home = home_of(state, environment)
        return Reading(SqliteJournal.open(home.journal, read_only=True), SystemClock(), home)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self.journal.close()

    def run_row(self, run: str) -> RunRow:
        return runs.find(self.journal, run)

    def show(self, run: str) -> Result:
        from holdfast.app.looking.folding import show

        row = self.as_it_is(self.run_row(run))
        return replace(show(self.journal, row), waits=self.waits(row))

    def runs(
        self, *, limit: int = 100, ending: str | None = None, plan: str | None = None, before: str | None = None
    ) -> list[dict[str, Any]]:
        rows = self.journal.runs(limit=limit, ending=ending, plan=plan, before=before)
        return [runs.row_document(self.as_it_is(row)) for row in rows]

    def as_it_is(self, row: RunRow) -> RunRow:
        """A run whose process died says so, though nobody was left to write it down."""
        if row.ending is not None or row.state in runs.RESTING or (row.owner and is_alive(self._owners, row.owner)):
            return replace(row, state="queued") if row.state == "created" and self._place(row.id) else row
        return replace(row, state="interrupted")

    def abandoned(self) -> list[Mapping[str, Any]]:
        """Executions that will never end, because their process died, though nobody was left to write it down."""
        return [row for row in self.journal.in_flight() if self._is_abandoned(row)]

    def _is_abandoned(self, execution: Mapping[str, Any]) -> bool:
        """Of an action, when its executor is dead; of a plan, when nobody drives its run any more."""
        if execution.get("owner"):
            return not is_alive(self._executors, execution["owner"])
        row = None if execution["run"] is None else self.journal.run(execution["run"])
        return row is not None and self.as_it_is(row).state == "interrupted"

    def history(self, *, limit: int = 100, cleanups: bool = False, before: int | None = None) -> dict[str, Any]:
        over = {row["id"] for row in self.abandoned()}
        return tracking.history(self.journal, limit=limit, cleanups=cleanups, before=before, abandoned=over)

    def stats(self, action: str | None = None) -> dict[str, Any]:
        return tracking.stats(self.journal, action, abandoned=self.abandoned())

    def waiting(self) -> list[tuple[Waiter, LockRow | Waiter | None]]:
        """Who waits for locks, in order, and for whom."""
        line = queue.line(self.journal, lambda owner: is_alive(self._owners, owner))
        return [(waiter, queue.in_the_way(self.journal, line, waiter)) for waiter in line]

    def waits(self, row: RunRow) -> dict[str, Any] | None:
        """Since when this run waits for its locks, and for whom; None when it does not."""
        place = self._place(row.id) if row.state == "queued" else None
        return waiting_documents([place])[0] if place else None

    def _place(self, run: str) -> tuple[Waiter, LockRow | Waiter | None] | None:
        return next((place for place in self.waiting() if place[0].run == run), None)

    def event_documents(self, run: str | None = None, *, since: int = 0, limit: int | None = None) -> Iterator[dict[str, Any]]:
        return runs.event_documents(self.journal, None if run is None else self.run_row(run).id, since=since, limit=limit)

    def checkpoints(self) -> list[dict[str, Any]]:
        """The newest first."""
        from holdfast.app.keeping.checkpoints import all_of

        return [checkpoint.plain() for checkpoint in all_of(self.journal)]

    def checkpoint(self, name: str) -> Checkpoint:
        from holdfast.app.keeping.checkpoints import find

        return find(self.journal, name)

    def checkpoint_show(self, name: str) -> dict[str, Any]:
        return self.checkpoint(name).plain_states()

    def follow(self, run: str, *, since: int = 0) -> Iterator[dict[str, Any]]:
        """Every event of a run, from the past and as it happens; ends after the last one."""
        row = self.run_row(run)
        while True:
            over = is_over(self.journal.run(row.id))
            for document in runs.event_documents(self.journal, row.id, since=since):
                since = document["seq"]
                yield document
            if over:
                return
            self.clock.pause(EVENT_POLL_S)


def is_over(row: RunRow | None) -> bool:
    return row is None or row.ending is not None
