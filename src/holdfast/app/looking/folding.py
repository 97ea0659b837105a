"""A run as it stands: folded from the journal, to look at it."""

from __future__ import annotations

from dataclasses import replace

from holdfast.core.errors import Refused
from holdfast.core.evolve import evolve
from holdfast.core.result import Heading, Result, result_of
from holdfast.core.run import Run
from holdfast.journal.contract import Journal, RunRow


def heading_of(row: RunRow) -> Heading:
    return Heading(row.plan, row.digest, row.source, row.started_at, row.ended_at)


def read(journal: Journal, row: RunRow) -> Run:
    """Fold a run without its plan, to look at it."""
    outline = journal.outline(row.id)
    if outline is None:
        raise Refused(f"the journal no longer holds the run {row.id}", code="not_found", hint="it was compacted away")
    run = Run.told(row.id, outline)
    _fold(journal, run)
    return run


def _fold(journal: Journal, run: Run) -> None:
    for record in journal.records(run.id):
        for event in record.events:
            evolve(run, event)


def show(journal: Journal, row: RunRow) -> Result:
    """The state is the row's: whether a process still drives the run is not in the journal."""
    result = result_of(read(journal, row), heading_of(row))
    return replace(result, state=row.state) if result.ending is None else result
