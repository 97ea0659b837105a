"""What every tenant runs, and what it last ran well: a ledger folded from the journal.

A tenant is the key of a task, and its resources are the configuration documents that the task writes. The last known
good version changes only when a run that wrote one is in, or when one was put back and its task is rolled back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

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


Ledger = dict[tuple[str, str], Line]


def ledger(journal: Journal) -> Sequence[Line]:
    """One line for each document of each tenant."""
    found = _kept(journal)
    rows = [row for row in all_runs(journal) if not row.compacted]
    for row in sorted(rows, key=_when):
        for entry, run, was_in in _documents(journal, row):
            _enter(found, entry, run, row, was_in)
    return [found[place] for place in sorted(found)]


def keep(journal: Journal) -> None:
    """Write the ledger down, before the records of runs go."""
    lines = [asdict(line) for line in ledger(journal)]
    if lines:
        journal.put(SHELF, NAME, msgspec.json.encode(lines))


def _kept(journal: Journal) -> Ledger:
    document = journal.get(SHELF, NAME)
    lines = [] if document is None else [Line(**line) for line in msgspec.json.decode(document)]
    return {(line.tenant, line.resource): line for line in lines}


def _when(row: RunRow) -> float:
    return row.ended_at or row.started_at


def _documents(journal: Journal, row: RunRow) -> Iterator[tuple[Entry, Run, bool]]:
    """The documents that tasks of tenants have in this run; and whether the run was in, whatever became of it later."""
    outline = journal.outline(row.id)
    if outline is None or not any(task.key is not None for task in outline.tasks):
        return
    events = [event for record in journal.records(row.id) for event in record.events]
    was_in = any(event.type == "run.committed" and event.data.get("ending") in IN for event in events)
    run = read(journal, row)
    for entry in entries_from(rows_in(events), parse_state):
        if isinstance(entry.change.after, Document) and run.outline.tasks[run.graph.task_of[entry.step]].key is not None:
            yield entry, run, was_in


def _enter(found: Ledger, entry: Entry, run: Run, row: RunRow, was_in: bool) -> None:
    number = run.graph.task_of[entry.step]
    tenant, resource = run.outline.tasks[number].key or "", f"{entry.target}:{entry.change.key}"
    before, after = entry.change.before, entry.change.after
    assert isinstance(before, Document)
    assert isinstance(after, Document)
    known = found.get((tenant, resource))
    if known is not None and known.updated_at > _when(row):
        return  # what was kept is newer than this run
    good = after.version if was_in else None if known is None else known.last_known_good
    state, task = run.steps[entry.step], run.tasks[number].state
    if state in FINISHED:
        version = after.version
        good = version if row.ending == "partial" and task == "completed" else good
    elif state == "undone":
        version = before.version
        good = version if task in ("rolled_back", "cancelled") else good
    elif state == "undo_failed":
        version = after.version
    else:
        return
    found[tenant, resource] = Line(
        tenant=tenant, resource=resource, version=version, last_known_good=good, updated_at=_when(row)
    )
