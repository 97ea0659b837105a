"""What a record does to the projections: runs, executions, cleanups, stats, locks. Pure, and the only place that knows.

Each fold reads and replaces rows of sheets; nothing else changes them, so a replay of all records gives what is there.

    run / run_id        rows of runs by number, numbers by id;  tag:NAME  numbers of the runs that have a tag
    execution(_id)      the ring of executions by number, numbers by id;  in_flight  those that have not ended
    cleanup             the ring of cleanups by number
    stats               one row per action, for ever
    lock                held locks by id
    firing              where actions and triggers stand, see `journal.firing`
    head, head:RUN      last plan_seq and newest fence of a run, last task_seq of its tasks
    count               how many there are of each: lists prove with it that they are complete
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from holdfast.core.errors import Bug
from holdfast.core.events import Event
from holdfast.journal import firing
from holdfast.journal.chain import corrupt
from holdfast.journal.contract import Record
from holdfast.journal.sheets import Sheets
from holdfast.journal.stats import restat

Row = Mapping[str, Any]
Fold = Callable[[Sheets, Record, Event, int, int], None]  # sheets, record, event, its number, size of the rings

VERSION: Final = 3  # of what is folded; a journal that was written by less is folded anew. 2: triggers; 3: questions
CHANGED: Final = frozenset({firing.SHEET, "run"})  # sheets that an earlier version folded otherwise
ENDINGS: Final = ("committed", "unchanged", "refused", "rolled_back", "partial", "stuck")
SUCCESSES: Final = frozenset({"committed", "unchanged"})

# Which state a run is in after an event. `run.committed` tells its ending itself.
STATES: Final[Mapping[str, str]] = {
    "run.created": "queued",
    "run.refused": "refused",
    "run.started": "running",
    "run.pausing": "pausing",
    "run.paused": "paused",
    "run.queued": "queued",
    "run.resumed": "running",
    "run.cancelling": "cancelling",
    "run.cancelled": "cancelled",
    "run.rolling_back": "rolling_back",
    "run.rolled_back": "rolled_back",
    "run.rollback_failed": "stuck",
    "run.confirming": "confirming",
    "run.confirmed": "running",
    "run.interrupted": "interrupted",
}

COUNTED: Final = (
    "runs",
    "executions",
    "in_flight",
    "cleanups",
    "stats",
    "locks",
    "open",
    *(f"ending={ending}" for ending in ENDINGS),
)
GATE: Final = "gate"
NO_HEAD: Final[Row] = {"plan_seq": 0, "fence": 0}


def fold(sheets: Sheets, record: Record, ring: int) -> None:
    _fold_numbers(sheets, record)
    seq = record.seq
    for event in record.events:
        folding = FOLDS.get(event.type)
        if folding is not None:
            folding(sheets, record, event, seq, ring)
        seq += event.count


def _fold_numbers(sheets: Sheets, record: Record) -> None:
    if record.run is None:
        return
    sheets.put("head", record.run, {**head_of(sheets, record.run), "plan_seq": record.plan_seq + record.count - 1})
    counts: dict[int, int] = {}
    for event in record.events:
        if event.task is not None:
            counts[event.task] = counts.get(event.task, 0) + event.count
    for task, count in counts.items():
        sheets.put(f"head:{record.run}", task, record.task_seqs[task] + count - 1)


def head_of(sheets: Sheets, run: str) -> Row:
    found: Row | None = sheets.get("head", run)
    if found is None and sheets.get("run_id", run) is not None:
        raise corrupt(f"the numbers of run {run} are missing")
    return NO_HEAD if found is None else found


def begin(sheets: Sheets) -> None:
    """The counts that are always there, so that a missing one is damage and not a zero."""
    for name in COUNTED:
        sheets.put("count", name, 0)


def count(sheets: Sheets, name: str) -> int:
    found: int | None = sheets.get("count", name)
    if found is None and name in COUNTED:
        raise corrupt(f"the number of {name} is missing")
    return found or 0


def run_ids(sheets: Sheets) -> list[str]:
    ids = [str(run) for run, _ in sheets.scan("run_id")]
    if len(ids) != count(sheets, "runs"):
        raise corrupt("the index of runs is not complete")
    return ids


def number_of(sheets: Sheets, run: str) -> int | None:
    """Of a run. Before an id is called unknown, every id is looked at: damage must not hide a run."""
    number: int | None = sheets.get("run_id", run)
    if number is None and run in run_ids(sheets):
        raise corrupt(f"the index of runs does not lead to {run}")
    return number


def _next(sheets: Sheets, name: str, by: int = 1) -> int:
    number = count(sheets, name) + by
    sheets.put("count", name, number)
    return number


def _milliseconds(at: float) -> int:
    return round(at * 1000)


# -- runs


def _run_created(sheets: Sheets, record: Record, event: Event, seq: int, ring: int) -> None:
    run, data = record.run, event.data
    if run is None or sheets.get("run_id", run) is not None:
        raise Bug(f"`run.created` for {run}, which is not a new run")
    number = _next(sheets, "runs")
    outline = data.get("outline")
    row = {
        "id": run,
        "plan": data["plan"],
        "digest": data.get("digest", ""),
        "source": data.get("source", ""),
        "state": STATES[event.type],
        "ending": None,
        "started_at": record.at,
        "ended_at": None,
        "owner": data.get("owner"),
        "settled": False,
        "step_count": 0 if outline is None else outline.step_count,
        "error": None,
    }
    sheets.put("run_id", run, number)
    sheets.put("run", number, row)
    for tag in sorted(_tags(row)):
        _tag(sheets, tag, number)
    started = {"id": run, "action_id": row["plan"], "source": row["source"], "execution_type": "plan", "run": run}
    _begin(sheets, started, _milliseconds(record.at), ring)


def _run_changed(sheets: Sheets, record: Record, event: Event, seq: int, ring: int) -> None:
    number = sheets.get("run_id", record.run or "")
    if number is None:
        return
    before: Row = sheets.get("run", number)
    state = event.data.get("ending", "committed") if event.type == "run.committed" else STATES[event.type]
    ending = state if state in ENDINGS else None
    after = {
        **before,
        "state": state,
        "ending": ending,
        "ended_at": record.at if ending else None,
        "owner": event.data.get("owner", before["owner"]),  # whoever goes on with it
        "settled": before["settled"] and event.type != "run.resumed",
        "error": _error_code(event.data) or before["error"],
    }
    if event.type == "run.started" and before["state"] == "queued":
        after["started_at"] = record.at
    elif event.type == "run.resumed" and before["ending"]:
        after["error"] = None
    _replace(sheets, number, before, after)
    _follow_run(sheets, after, event, record.at)


def _run_settled(sheets: Sheets, record: Record, event: Event, seq: int, ring: int) -> None:
    number = sheets.get("run_id", record.run or "")
    if number is not None:
        sheets.put("run", number, {**sheets.get("run", number), "settled": True})


# What a run waits for, by what it is told by: the number of a step, or the gate.


def _gate_waiting(sheets: Sheets, record: Record, event: Event, seq: int, ring: int) -> None:
    _ask(sheets, record, {GATE: GATE})


def _gate_opened(sheets: Sheets, record: Record, event: Event, seq: int, ring: int) -> None:
    _answer(sheets, record, [GATE])


def _step_applying(sheets: Sheets, record: Record, event: Event, seq: int, ring: int) -> None:
    if "question" in event.data:
        _ask(sheets, record, {str(step): event.data["question"] for step in event.steps or ()})


def _step_answered(sheets: Sheets, record: Record, event: Event, seq: int, ring: int) -> None:
    _answer(sheets, record, [str(step) for step in event.steps or ()])


def _ask(sheets: Sheets, record: Record, questions: Mapping[str, str]) -> None:
    number = sheets.get("run_id", record.run or "")
    if number is not None:
        row = sheets.get("run", number)
        sheets.put("run", number, {**row, "questions": {**row.get("questions", {}), **questions}})


def _answer(sheets: Sheets, record: Record, answered: Sequence[str]) -> None:
    """Rows of runs that ask nothing, which are most, stay as they are."""
    number = sheets.get("run_id", record.run or "")
    row = {} if number is None else sheets.get("run", number)
    if row.get("questions"):
        left = {key: question for key, question in row["questions"].items() if key not in answered}
        sheets.put("run", number, {**row, "questions": left})


def _error_code(data: Row) -> str | None:
    error = data.get("error") or next(iter(data.get("problems") or ()), None)
    found = error.get("code") if isinstance(error, Mapping) else error
    return None if found is None else str(found)


def tag_of(*, ending: str | None = None, plan: str | None = None) -> str:
    return f"plan={plan}" if plan is not None else f"ending={ending}" if ending is not None else "open"


def _tags(row: Row) -> set[str]:
    return {tag_of(ending=row["ending"]), tag_of(plan=row["plan"])}


def _tag(sheets: Sheets, tag: str, number: int) -> None:
    sheets.put(f"tag:{tag}", number, 1)
    _next(sheets, tag)


def _replace(sheets: Sheets, number: int, before: Row, after: Row) -> None:
    sheets.put("run", number, after)
    for tag in sorted(_tags(before) - _tags(after)):
        sheets.drop(f"tag:{tag}", number)
        _next(sheets, tag, -1)
    for tag in sorted(_tags(after) - _tags(before)):
        _tag(sheets, tag, number)


def _follow_run(sheets: Sheets, run: Row, event: Event, at: float) -> None:
    """A run is an execution too. It is over with the run's first ending; only a resume opens it again, so that a
    rollback by hand does not turn a success into a failure."""
    number = sheets.get("execution_id", run["id"])
    before = None if number is None else sheets.get("execution", number)
    if before is None:
        return
    over = before["completed_at"] is not None and not before["interrupted"]
    if run["ending"] and not over:
        success = run["ending"] in SUCCESSES
        after = {**before, "success": success, "error": None if success else run["error"], **_span(before, _milliseconds(at))}
    elif run["state"] == "interrupted" and not over:
        after = {**before, "success": False, "interrupted": True, **_span(before, _milliseconds(at))}
    elif event.type == "run.resumed":
        after = {**before, "success": None, "interrupted": False, "error": None, "completed_at": None, "duration_ms": None}
    elif event.type == "run.started" and not over:
        after = {**before, "started_at": _milliseconds(run["started_at"])}
    else:
        return
    _put_execution(sheets, number, before, after)


def _span(row: Row, completed_at: int) -> Row:
    return {"completed_at": completed_at, "duration_ms": completed_at - row["started_at"]}


# -- executions and cleanups


def _begin(sheets: Sheets, values: Row, at: int, ring: int) -> None:
    row = {
        "id": values["id"],
        "action_id": values["action_id"],
        "source": values.get("source"),
        "execution_type": values.get("execution_type"),
        "success": None,
        "started_at": at,
        "completed_at": None,
        "duration_ms": None,
        "output": None,
        "error": None,
        "interrupted": False,
        "run": values.get("run"),
    }
    if values.get("owner"):
        row["owner"] = values["owner"]
    number = _next(sheets, "executions")
    sheets.put("execution_id", row["id"], number)
    _put_execution(sheets, number, None, row)
    oldest = sheets.get("execution", number - ring) if number > ring else None
    if oldest is not None:
        sheets.drop("execution", number - ring)
        _note_flight(sheets, oldest["id"], None)
        if sheets.get("execution_id", oldest["id"]) == number - ring:
            sheets.drop("execution_id", oldest["id"])


def _put_execution(sheets: Sheets, number: int, before: Row | None, after: Row) -> None:
    sheets.put("execution", number, after)
    _note_flight(sheets, after["id"], number if after["completed_at"] is None else None)
    restat(sheets, before, after)


def _note_flight(sheets: Sheets, execution: str, number: int | None) -> None:
    known = sheets.get("in_flight", execution)
    if number is not None:
        sheets.put("in_flight", execution, number)
    else:
        sheets.drop("in_flight", execution)
    if (number is None) != (known is None):
        _next(sheets, "in_flight", 1 if known is None else -1)


def _action_started(sheets: Sheets, record: Record, event: Event, seq: int, ring: int) -> None:
    data = event.data
    firing.note_started(sheets, data, record.at)
    if not firing.is_the_run(data):
        _begin(sheets, {**data, "run": data.get("run", record.run)}, _milliseconds(record.at), ring)


def _action_completed(sheets: Sheets, record: Record, event: Event, seq: int, ring: int) -> None:
    """Legal without a start: then it started as long ago as it took."""
    data, at = event.data, _milliseconds(record.at)
    firing.note_completed(sheets, data, record.at)
    if firing.is_the_run(data) and (data.get("run") or data.get("interrupted")):
        return
    if sheets.get("in_flight", data["id"]) is None:
        _begin(sheets, {**data, "run": data.get("run", record.run)}, at - round(data.get("duration_ms") or 0), ring)
    number = sheets.get("in_flight", data["id"])
    before: Row = sheets.get("execution", number)
    given = {name: data[name] for name in ("output", "error", "source", "execution_type", "run") if data.get(name) is not None}
    after = {
        **before,
        **given,
        **_span(before, at),
        "success": bool(data.get("success")),
        "interrupted": bool(data.get("interrupted")),
    }
    if data.get("duration_ms") is not None:
        after["duration_ms"] = data["duration_ms"]
    _put_execution(sheets, number, before, after)


def _cleanup_executed(sheets: Sheets, record: Record, event: Event, seq: int, ring: int) -> None:
    names = ("scanner_id", "resource_id", "action", "success", "error")
    number = _next(sheets, "cleanups")
    sheets.put("cleanup", number, {**{name: event.data.get(name) for name in names}, "executed_at": _milliseconds(record.at)})
    sheets.drop("cleanup", number - ring)


# -- locks


def _lock_acquired(sheets: Sheets, record: Record, event: Event, seq: int, ring: int) -> None:
    run, data = str(record.run), event.data
    sheets.put(
        "lock",
        data["id"],
        {"run": run, "owner": data["owner"], "since": record.at, "fence": data["fence"], "record": record.seq},
    )
    sheets.put("head", run, {**head_of(sheets, run), "fence": data["fence"], "denied": False})
    _next(sheets, "locks")


def _lock_denied(sheets: Sheets, record: Record, event: Event, seq: int, ring: int) -> None:
    run = str(record.run)
    sheets.put("head", run, {**head_of(sheets, run), "denied": True})


def _lock_released(sheets: Sheets, record: Record, event: Event, seq: int, ring: int) -> None:
    if sheets.get("lock", event.data["id"]) is not None:
        sheets.drop("lock", event.data["id"])
        _next(sheets, "locks", -1)


def _lock_reclaimed(sheets: Sheets, record: Record, event: Event, seq: int, ring: int) -> None:
    """Whoever held it is fenced off: should it wake, its writes are refused."""
    held = sheets.get("lock", event.data["id"])
    _lock_released(sheets, record, event, seq, ring)
    if held is not None:
        sheets.put("head", held["run"], {**head_of(sheets, held["run"]), "fence": seq})


FOLDS: Final[Mapping[str, Fold]] = {
    **dict.fromkeys([*STATES, "run.committed"], _run_changed),
    "run.created": _run_created,
    "run.settled": _run_settled,
    "run.gate_waiting": _gate_waiting,
    "run.gate_opened": _gate_opened,
    "step.applying": _step_applying,
    "step.approved": _step_answered,
    "step.resolved": _step_answered,
    "step.failed": _step_answered,
    "step.retrying": _step_answered,
    "action.started": _action_started,
    "action.completed": _action_completed,
    "cleanup.executed": _cleanup_executed,
    "trigger.changed": firing.trigger_changed,
    "trigger.fired": firing.trigger_fired,
    "trigger.skipped": firing.trigger_skipped,
    "trigger.escalated": firing.trigger_over,
    "trigger.resolved": firing.trigger_over,
    "lock.acquired": _lock_acquired,
    "lock.denied": _lock_denied,
    "lock.released": _lock_released,
    "lock.reclaimed": _lock_reclaimed,
}
