"""What every tenant runs, and what it last ran well: one line for each document, folded from the journal.

A tenant is the key of a task, and its resources are the configuration documents that the task writes. The last known
good version changes only when a run that wrote one is in, or when one was put back and its task is rolled back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any, Final, NamedTuple

import msgspec

from holdfast.app.keeping.recorded import all_runs
from holdfast.app.looking.folding import read
from holdfast.core.run import FINISHED, Run
from holdfast.core.times import iso
from holdfast.journal.contract import Journal, RunRow
from holdfast.kinds.document import Document
from holdfast.kinds.states import parse_state
from holdfast.runtime.book import Entry, entries_from, rows_in

SHELF: Final = "tenants"  # what runs said whose own records were compacted away
NAME: Final = "ledger"
IN: Final = ("committed", "unchanged")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    tenant: str
    resource: str
    version: Any
    last_known_good: Any
    updated_at: float

    def plain(self) -> dict[str, Any]:
        return {**asdict(self), "updated_at": iso(self.updated_at)}


Place = tuple[str, str]  # a tenant, and one of its resources
AS_BEFORE: Final = object()


class Said(NamedTuple):
    """What a run says of one document, as the run stands."""

    when: float
    run: str
    version: Any
    good: Any  # AS_BEFORE: it proves no version


def lines(journal: Journal) -> Sequence[Line]:
    """One for each document of each tenant."""
    return Tenants(journal).lines()


def keep(journal: Journal) -> None:
    """Write the lines down, before the records of runs go."""
    kept = [asdict(line) for line in lines(journal)]
    if kept:
        journal.put(SHELF, NAME, msgspec.json.encode(kept))


class Tenants:
    """The same lines, for whoever asks again and again: of all runs only those are read anew that went on since."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._mutex = Lock()
        self._seq = 0  # the last event that was taken in
        self._kept: bytes | None = None
        self._begin(None)

    def _begin(self, kept: bytes | None) -> None:
        lines = [] if kept is None else [Line(**line) for line in msgspec.json.decode(kept)]
        self._kept = kept
        self._first = {(line.tenant, line.resource): line for line in lines}
        self._lines = dict(self._first)
        self._said: dict[Place, dict[str, Said]] = {}
        self._has_tenants: dict[str, bool] = {}  # by the digest of a plan

    def lines(self) -> Sequence[Line]:
        with self._mutex:
            last = self._journal.last_seq()
            if last != self._seq:
                self._take_in(self._news())
                self._seq = last
            return [self._lines[place] for place in sorted(self._lines)]

    def _news(self) -> Iterator[RunRow]:
        """The runs to be read: all of them at first, and after a compaction."""
        kept = self._journal.get(SHELF, NAME)
        if not self._seq or kept != self._kept:
            self._begin(kept)
            return all_runs(self._journal)
        touched = {record.run for record in self._journal.records(after=self._seq) if record.run is not None}
        return filter(None, map(self._journal.run, touched))

    def _take_in(self, rows: Iterator[RunRow]) -> None:
        places = {place for row in rows if self._is_of_tenants(row) for place in self._read(row)}
        for place in places:
            line = _line(place, self._first.get(place), self._said[place].values())
            if line is not None:
                self._lines[place] = line
            else:
                self._lines.pop(place, None)

    def _is_of_tenants(self, row: RunRow) -> bool:
        if row.compacted:
            return False
        if row.digest not in self._has_tenants:
            outline = self._journal.outline(row.id)
            self._has_tenants[row.digest] = outline is not None and any(task.key is not None for task in outline.tasks)
        return self._has_tenants[row.digest]

    def _read(self, row: RunRow) -> Iterator[Place]:
        for place, said in _documents(self._journal, row):
            found = self._said.setdefault(place, {})
            found.pop(row.id, None)
            if said is not None:
                found[row.id] = said
            yield place


def _documents(journal: Journal, row: RunRow) -> Iterator[tuple[Place, Said | None]]:
    """The documents that tasks of tenants have in this run."""
    run = read(journal, row)
    events = [event for record in journal.records(row.id) for event in record.events]
    # Whether it was in, whatever became of it later.
    was_in = any(event.type == "run.committed" and event.data.get("ending") in IN for event in events)
    for entry in entries_from(rows_in(events), parse_state):
        tenant = run.outline.tasks[run.graph.task_of[entry.step]].key
        if isinstance(entry.change.after, Document) and tenant is not None:
            yield (tenant, f"{entry.target}:{entry.change.key}"), _said(entry, run, row, was_in)


def _said(entry: Entry, run: Run, row: RunRow, was_in: bool) -> Said | None:
    """Nothing, as long as the document was not touched."""
    before, after = entry.change.before, entry.change.after
    assert isinstance(before, Document)
    assert isinstance(after, Document)
    state, task = run.steps[entry.step], run.tasks[run.graph.task_of[entry.step]].state
    if state not in (*FINISHED, "undone", "undo_failed"):
        return None
    version = before.version if state == "undone" else after.version
    is_in = was_in or (state in FINISHED and row.ending == "partial" and task == "completed")
    good = after.version if is_in else AS_BEFORE
    if state == "undone" and task in ("rolled_back", "cancelled"):
        good = version
    # What could not be put back is as it was left, or as somebody left it since.
    when = row.started_at if state == "undo_failed" else row.ended_at or row.started_at
    return Said(when, row.id, version, good)


def _line(place: Place, line: Line | None, said: Iterable[Said]) -> Line | None:
    tenant, resource = place
    for when, _, version, good in sorted(said, key=lambda one: one[:2]):
        if line is not None and line.updated_at > when:
            continue  # what was kept is newer than this run
        proved = (line.last_known_good if line else None) if good is AS_BEFORE else good
        line = Line(tenant=tenant, resource=resource, version=version, last_known_good=proved, updated_at=when)
    return line
