"""The journal in memory, for tests, rehearsals and short-lived histories: events are kept as they are."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from operator import attrgetter
from threading import RLock

from holdfast.core.errors import WorldError
from holdfast.core.events import Event
from holdfast.journal.compaction import MARKER, PLANS, droppable, leaving, mark, plans_of
from holdfast.journal.contract import Record, Verification
from holdfast.journal.folds import begin, fold
from holdfast.journal.ledger import EXECUTIONS_MAX, Ledger
from holdfast.journal.sheets import DictSheets, MemorySheets, Sheets

_seq = attrgetter("seq")


class MemoryJournal(Ledger):
    damage: str | None = None

    def __init__(self, *, executions_max: int = EXECUTIONS_MAX) -> None:
        self.ring = executions_max
        self._sheets = MemorySheets()
        self._records: list[Record] = []
        self._by_run: dict[str, list[Record]] = {}
        self._documents: dict[tuple[str, str], bytes] = {}
        begin(self._sheets)
        self._snapshot = DictSheets()
        begin(self._snapshot)
        self._folded = 0  # number of the last event that the snapshot holds
        self._writes = 0
        self._next = 1
        self._lock = RLock()
        self._closed = False

    # -- the store

    @contextmanager
    def _reading(self) -> Iterator[Sheets]:
        with self._lock:
            self._check_open()
            yield self._sheets

    @contextmanager
    def _writing(self, durable: bool) -> Iterator[Sheets]:
        with self._lock:
            self._check_open()
            self._sheets.begin()
            kept, following = len(self._records), self._next
            try:
                yield self._sheets
            except BaseException:
                self._sheets.undo()
                self._forget(kept)
                self._next = following
                raise
            self._writes += 1

    def _check_open(self) -> None:
        if self._closed:
            raise WorldError("the journal is closed", code="wrong_state", hint="open it again")

    def _forget(self, kept: int) -> None:
        for record in self._records[kept:]:
            if record.run is not None:
                self._by_run[record.run].pop()
        del self._records[kept:]

    def _last(self, sheets: Sheets) -> int:
        return self._next - 1

    def _keep(self, sheets: Sheets, record: Record, encoded: bytes) -> None:
        self._records.append(record)
        if record.run is not None:
            self._by_run.setdefault(record.run, []).append(record)
        self._next = record.seq + record.count

    def records(self, run: str | None = None, *, after: int = 0, limit: int | None = None) -> Iterator[Record]:
        with self._lock:
            self._check_open()
            records = self._records if run is None else self._by_run.get(run, [])
            start = bisect_left(records, after + 1, key=_seq)
            if start and records[start - 1].seq + records[start - 1].count - 1 > after:
                start -= 1
            found = records[start:] if limit is None else records[start : start + limit]
        yield from found

    def changed(self) -> int:
        return self._writes

    # -- documents

    def keep_plan(self, digest: str, document: bytes) -> None:
        self.put(PLANS, digest, document)

    def plan(self, digest: str) -> bytes | None:
        return self.get(PLANS, digest)

    def put(self, shelf: str, name: str, document: bytes) -> None:
        with self._writing(True):
            self._documents[shelf, name] = bytes(document)

    def get(self, shelf: str, name: str) -> bytes | None:
        with self._reading():
            return self._documents.get((shelf, name))

    def names(self, shelf: str) -> list[str]:
        with self._reading():
            return sorted(name for place, name in self._documents if place == shelf)

    def drop(self, shelf: str, name: str) -> bool:
        with self._writing(True):
            return self._documents.pop((shelf, name), None) is not None

    # -- care

    def verify(self) -> Verification:
        with self._reading():
            return Verification(True, len(self._records))

    def replay(self) -> None:
        with self._writing(True):
            again = DictSheets()
            again.become(self._snapshot.derived())
            for record in self._records:
                if record.seq > self._folded:
                    fold(again, record, self.ring)
            self._sheets.become(again.derived())

    def compact(self, *, keep_runs: int, at: float) -> Mapping[str, int]:
        with self._writing(True) as sheets:
            runs = droppable(sheets, keep_runs)
            goes = leaving(((record.seq, record.run) for record in self._records), runs, sheets.get("@gaps", "marker"))
            removed = sum(goes)
            if removed:
                self._shrink(sheets, runs, [record for record, gone in zip(self._records, goes, strict=True) if not gone])
                sheets.put("@gaps", "marker", self._next)
                self._add(sheets, None, (Event(MARKER, {"runs": len(runs), "records": removed}),), at)
            return {"removed": removed, "kept": len(self._records), "runs": len(runs), "bytes_reclaimed": 0}

    def _shrink(self, sheets: Sheets, runs: Mapping[str, int], kept: list[Record]) -> None:
        mark(sheets, runs)
        for digest in plans_of(sheets, runs):
            self._documents.pop((PLANS, digest), None)
        self._snapshot.become(self._sheets.derived())
        self._folded = self._next - 1
        self._records = kept
        for run in runs:
            self._by_run.pop(run, None)

    def close(self) -> None:
        self._closed = True
