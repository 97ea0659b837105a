"""Runs as they can be listed: found by prefix, shown as rows, their events as documents. Imports little."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from holdfast.core.errors import Refused
from holdfast.core.events import Event, Outline, singles
from holdfast.core.times import iso
from holdfast.journal.contract import Journal, Record, RunRow

if TYPE_CHECKING:
    from holdfast.core.run import Run

AT_ONCE_MAX: Final = 4  # runs that let go after one run: it takes the place of one, and a few may have been missed
RESTING: Final = frozenset({"paused"})  # states that no process need hold
HOLDING: Final = frozenset({"committed", "partial"})  # endings with something that could be undone


def find(journal: Journal, name: str) -> RunRow:
    """The run that is meant: its id, a unique prefix of it, or `last`."""
    if name == "last":
        newest = journal.runs(limit=1)
        if not newest:
            raise Refused("there is no run yet", code="not_found", hint="`holdfast apply FILE` makes one")
        return newest[0]
    found = journal.find_runs(name.upper(), limit=2) if name else ()
    if len(found) > 1:
        raise Refused(f"more than one run begins with `{name}`", code="not_found", hint="write more of its id")
    if not found:
        raise Refused(f"there is no run `{name}`", code="not_found", hint="`holdfast runs` lists them")
    return found[0]


def has_begun(journal: Journal, run: str) -> bool:
    """Did it have its locks? Before that nothing of it was done."""
    return any(event.type == "run.started" for record in journal.records(run) for event in record.events)


def holds(row: RunRow) -> bool:
    """Are before-images held for this run, so that it can be undone by hand?"""
    return row.ending in HOLDING and not row.settled


def fallen_out(journal: Journal, held_max: int) -> list[RunRow]:
    """The few runs that still hold before-images though they are not among the newest any more."""
    return [row for row in journal.runs(limit=held_max + AT_ONCE_MAX)[held_max:] if holds(row)]


def row_document(row: RunRow) -> dict[str, Any]:
    return {
        "run": row.id,
        "plan": {"name": row.plan, "digest": row.digest},
        "ending": row.ending,
        "state": row.state,
        "source": row.source,
        "started_at": iso(row.started_at),
        "duration_s": None if row.ended_at is None else round(row.ended_at - row.started_at, 6),
        "steps": row.step_count,
        "error": row.error,
        "questions": [] if row.ending else list(row.questions),
    }


# -- events


def event_documents(
    journal: Journal, run: str | None = None, *, since: int = 0, limit: int | None = None
) -> Iterator[dict[str, Any]]:
    """Single public events, after the number `since`."""
    names: dict[str, Names] = {}
    given = 0
    for record in journal.records(run, after=since):
        known = None
        if record.run is not None:
            known = names.get(record.run) or names.setdefault(record.run, Names(journal.outline(record.run)))
        for document in documents_of(record, known):
            if document["seq"] <= since:
                continue
            yield document
            given += 1
            if limit is not None and given >= limit:
                return


class Names:
    """What numbers in events mean."""

    def __init__(self, outline: Outline | None) -> None:
        tasks = outline.tasks if outline else ()
        self.tasks = [task.name for task in tasks]
        self.stages = [[stage.name for stage in task.stages] for task in tasks]
        self.steps = [
            (number, stage.name, step) for number, task in enumerate(tasks) for stage in task.stages for step in stage.ids
        ]


def documents_of(record: Record, names: Names | None) -> Iterator[dict[str, Any]]:
    """The single public events of one record."""
    seq, plan_seq, at = record.seq, record.plan_seq, iso(record.at)
    task_seqs = dict(record.task_seqs)
    for event in record.events:
        for step, values in singles(event):
            document: dict[str, Any] = {"seq": seq, "at": at, "type": event.type, "run": record.run}
            if record.run is not None:
                document["plan_seq"] = plan_seq
                plan_seq += 1
            seq += 1
            task = event.task
            if names is not None and step is not None:
                task, document["stage"], document["step"] = names.steps[step]
            elif names is not None and task is not None and event.stage is not None:
                document["stage"] = names.stages[task][event.stage]
            if names is not None and task is not None:
                document["task"] = names.tasks[task]
                document["task_seq"] = task_seqs[task]
                task_seqs[task] += 1
            if "attempt" in values:
                document["attempt"] = values["attempt"]
            document["data"] = _public(event.type, values)
            yield document


def published(run: Run, event: Event, at: float) -> dict[str, Any]:
    """An event that is in no journal, so it has no number: only who listens now hears of it."""
    document: dict[str, Any] = {"seq": None, "at": iso(at), "type": event.type, "run": run.id, "plan_seq": None}
    if event.task is not None:
        document["task"] = run.outline.tasks[event.task].name
    return {**document, "data": dict(event.data)}


# Bulk that only recovery needs; people see it through `show` and `plan`.
_BULK = {
    "run.created": ("outline",),
    "run.prepared": ("changes", "guarantees", "idle", "accepted"),
    "run.paused": ("exact",),
}

_MOMENTS = frozenset({"at", "until"})  # the journal counts seconds, documents hold times


def _public(type_: str, values: Mapping[str, Any]) -> dict[str, Any]:
    hidden = _BULK.get(type_, ())
    return {name: _said(name, value) for name, value in values.items() if name not in hidden}


def _said(name: str, value: Any) -> Any:
    return iso(value) if name in _MOMENTS and isinstance(value, float) else value
