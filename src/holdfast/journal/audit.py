"""The full check of a journal: chain, numbers, gaps, rows, documents, and projections against a replay."""

from __future__ import annotations

from collections.abc import Callable

from holdfast.core.errors import WorldError
from holdfast.journal.chain import Gap, Link, corrupt
from holdfast.journal.compaction import MARKER
from holdfast.journal.contract import Record, Verification
from holdfast.journal.database import translated
from holdfast.journal.folds import CHANGED, fold
from holdfast.journal.opening import is_behind
from holdfast.journal.reading import LINKS, gaps_of, walk
from holdfast.journal.rows import SqliteRows
from holdfast.journal.snapshot import SNAPSHOT, restored


class Audit:
    """One walk over everything; what it finds is told in the order in which it was found."""

    def __init__(self, rows: SqliteRows, ring: int) -> None:
        self.rows = rows
        self.ring = ring
        self.records = 0
        self.problems: list[str] = []
        self._plan_seqs: dict[str, int] = {}
        self._task_seqs: dict[tuple[str, int], int] = {}
        self._again = restored(None)
        self._folded = 0  # what the snapshot holds already
        self._compacted: set[str] = set()  # runs whose first records went: what they say afterwards has none to follow

    def run(self) -> Verification:
        for look in (self._pages, self._snapshot, self._chain, self._documents):
            self._look(look)
        if not self.problems:  # else nothing is whole that the rows could be compared with
            self._look(self._projections)
        return Verification(not self.problems, self.records, tuple(self.problems))

    def _look(self, look: Callable[[], None]) -> None:
        try:
            with translated():
                look()
        except WorldError as error:
            self.problems.append(error.message)

    def _pages(self) -> None:
        for (line,) in self.rows.connection.execute("PRAGMA integrity_check(10)"):
            if line != "ok":
                self.problems.append(f"the database is damaged: {line}")

    def _snapshot(self) -> None:
        """The marker tells which snapshot stands for what is gone; without one, nothing may be gone."""
        marker = self.rows.get("@gaps", "marker")
        if marker is None:
            return
        found = self.rows.connection.execute(LINKS + "WHERE seq = ?", (marker,)).fetchone()
        event = None if found is None else self.rows.chain.open(Link(*found)).events[0]
        if event is None or event.type != MARKER:
            raise corrupt("the record that explains its gaps is missing")
        if [Gap(first, last, bytes.fromhex(mac)) for first, last, mac in event.data["gaps"]] != gaps_of(self.rows):
            raise corrupt("its gaps are not those that were recorded")
        if self.rows.digest(*SNAPSHOT) != event.data["snapshot"]:
            raise corrupt("its snapshot is not the one that was recorded")
        self._again, self._folded = restored(self.rows.document(*SNAPSHOT) or b""), marker
        self._compacted = {row["id"] for _, row in self._again.scan("run") if row.get("compacted")}

    def _chain(self) -> None:
        broken = len(self.problems)
        self._look(self._walk)
        if len(self.problems) > broken:
            sound = sum(self.rows.chain.holds(Link(*found)) for found in self.rows.connection.execute(LINKS))
            raise corrupt(f"behind that lie {max(0, sound - self.records)} records that are sound by themselves")

    def _walk(self) -> None:
        for record in walk(self.rows, 0):
            self.records += 1
            self._number(record)
            if record.seq > self._folded:
                fold(self._again, record, self.ring)

    def _number(self, record: Record) -> None:
        if record.run is None or record.run in self._compacted:
            return
        if record.plan_seq != self._plan_seqs.get(record.run, 0) + 1:
            raise corrupt(f"the numbers of run {record.run} have a gap before event {record.seq}")
        self._plan_seqs[record.run] = record.plan_seq + record.count - 1
        for task, first in record.task_seqs.items():
            if first != self._task_seqs.get((record.run, task), 0) + 1:
                raise corrupt(f"the numbers of task {task} of run {record.run} have a gap before event {record.seq}")
            total = sum(event.count for event in record.events if event.task == task)
            self._task_seqs[record.run, task] = first + total - 1

    def _documents(self) -> None:
        for shelf in self.rows.shelves():
            for name in self.rows.names(shelf):
                self.rows.document(shelf, name)

    def _projections(self) -> None:
        """Every row is read, which proves its seal, and compared with what the records say."""
        behind = CHANGED if is_behind(self.rows) else frozenset()  # whoever writes next folds them anew
        derived = {sheet: rows for sheet, rows in self._again.derived().items() if sheet not in behind}
        expected = {(sheet, key): row for sheet, found in derived.items() for key, row in found.items()}
        for sheet, key, row in self.rows.entries():
            if sheet not in behind and expected.pop((sheet, key), None) != row:
                raise corrupt(f"{sheet} {key} is not what the records say")
        for sheet, key in expected:
            raise corrupt(f"{sheet} {key} is missing")
