"""A run as a screen shows it: how its stages follow each other, what can be asked of it now, what its steps did when.

Beyond the result, which every face gives; folded from the same records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from holdfast.app.keeping import restoring
from holdfast.app.looking.folding import heading_of, read
from holdfast.app.looking.runs import Names, holds
from holdfast.app.plans.preview import told
from holdfast.core.change import Change
from holdfast.core.control import refusal
from holdfast.core.plan import Plan, Step
from holdfast.core.result import result_of
from holdfast.core.run import SETTLED, Run
from holdfast.core.states import TASK_COMMANDS
from holdfast.core.times import iso
from holdfast.journal.contract import Journal, RunRow
from holdfast.kinds.content import Content, digest_of
from holdfast.kinds.contract import Secret
from holdfast.kinds.node import Node
from holdfast.kinds.states import parse_state
from holdfast.runtime.book import entries_from, rows_in

TEXT_BYTES_MAX: Final = 1024 * 1024  # of a content that is shown
VERBS: Final = ("pause", "resume", "cancel", "confirm", "approve", "retry", "rollback")
BEGINS: Final = frozenset({"step.applying", "step.undoing"})
ENDS: Final = frozenset(
    {"step.applied", "step.unchanged", "step.failed", "step.skipped", "step.undone", "step.undo_failed", "step.in_doubt"}
)

May = Callable[[str], bool]  # whether somebody may ask this at all


def document(journal: Journal, row: RunRow, may: May) -> dict[str, Any]:
    """The result of a run, and what a screen needs beside it."""
    run = read(journal, row)
    found = result_of(run, heading_of(row)).plain()
    done = sum(1 for state in run.steps if state in SETTLED)
    return {
        **found,
        "state": row.state if found["ending"] is None else found["state"],
        "tasks": _tasks(run, found["tasks"], needs_of(journal.plan(row.digest)), may),
        "progress": {"done": done, "total": len(run.steps)},
        "confirm_until": iso(run.confirm_until) if run.state == "confirming" else None,
        "questions": run.open_questions,
        "commands": [verb for verb in VERBS if may(verb) and _possible(run, row, verb)],
    }


def _possible(run: Run, row: RunRow, verb: str) -> bool:
    if verb == "approve":
        return not run.over and bool(run.questions or run.gate_waits)
    if verb == "rollback" and row.ending in ("committed", "partial", "unchanged") and not holds(row):
        return False
    return refusal(run, verb, {}) is None


def _tasks(run: Run, tasks: Sequence[Mapping[str, Any]], needs: Mapping[str, Sequence[str]], may: May) -> list[dict[str, Any]]:
    firsts = _first_levels(run, needs)
    return [
        {
            **task,
            "tenant": run.outline.tasks[number].key,
            "needs": list(needs.get(task["name"], ())),
            "commands": _task_commands(run, number, may),
            "stages": [{**stage, "level": firsts[number] + place} for place, stage in enumerate(task["stages"])],
        }
        for number, task in enumerate(tasks)
    ]


def _task_commands(run: Run, number: int, may: May) -> list[str]:
    """Of a run with one task they are the run's."""
    if len(run.tasks) == 1:
        return []
    name, state = run.outline.tasks[number].name, run.tasks[number].state
    possible = (verb for verb, states in TASK_COMMANDS.items() if state in states)
    return [verb for verb in possible if may(verb) and refusal(run, verb, {"task": name}) is None]


def _first_levels(run: Run, needs: Mapping[str, Sequence[str]]) -> list[int]:
    """Of each task: how many stages come before its first one, at least. Tasks stand in no particular order."""
    tasks = {task.name: task for task in run.outline.tasks}
    known: dict[str, int] = {}
    waiting = list(reversed(tasks))
    while waiting:
        name = waiting[-1]
        wanted = [need for need in needs.get(name, ()) if need in tasks]
        missing = [need for need in wanted if need not in known]
        if missing and name not in known:
            waiting += missing
            continue
        known.setdefault(name, max((known[need] + len(tasks[need].stages) for need in wanted), default=0))
        waiting.pop()
    return [known[task.name] for task in run.outline.tasks]


def needs_of(plan: bytes | None) -> Mapping[str, Sequence[str]]:
    """Which tasks wait for which, as the plan says; a restore has one task."""
    if plan is None or restoring.is_restore(plan):
        return {}
    found = msgspec.json.decode(plan, type=_Needs)
    return {task.name: task.needs for task in found.tasks}


class _Task(msgspec.Struct):
    name: str
    needs: list[str] = []


class _Needs(msgspec.Struct):
    tasks: list[_Task] = []


# -- when


def timeline(journal: Journal, row: RunRow) -> list[dict[str, Any]]:
    """Of every step that was begun: when, and when it ended. One line for each attempt, and for undoing."""
    outline = journal.outline(row.id)
    if outline is None:
        return []
    names = Names(outline)
    lines: list[dict[str, Any]] = []
    opened: dict[int, dict[str, Any]] = {}
    for record in journal.records(row.id):
        for event in record.events:
            if event.type in BEGINS:
                for step in event.steps or ():
                    lines.append(_begun(names, step, event.type, record.at))
                    opened[step] = lines[-1]
            elif event.type in ENDS or event.type == "step.retrying":
                for step in event.steps or ():
                    if step in opened:
                        opened.pop(step).update(ended_at=iso(record.at), state=event.type.removeprefix("step."))
    return lines


def _begun(names: Names, step: int, type_: str, at: float) -> dict[str, Any]:
    task, stage, name = names.steps[step]
    state = type_.removeprefix("step.")
    return {"step": name, "task": names.tasks[task], "stage": stage, "state": state, "started_at": iso(at), "ended_at": None}


# -- what


def changes(
    journal: Journal, row: RunRow, plan: Plan, diffs: Mapping[tuple[str, str], str], *, step: str | None = None
) -> Iterator[dict[str, Any]]:
    """What the run, or one step of it, changes, as it was prepared.

    The journal keeps no contents: their diffs are those of a preview that was kept; else the plan may hold the text.
    """
    only = None if step is None else plan.graph.positions.get(step, -1)
    events = (event for record in journal.records(row.id) for event in record.events)
    rows = [found for found in rows_in(events) if only is None or found[0] == only]
    for entry in entries_from(rows, parse_state):
        document = told(plan.steps[entry.step], _with_text(plan.steps[entry.step], entry.change))
        yield {**document, "diff": diffs.get((document["step"], document["resource"]), document["diff"])}


def _with_text(step: Step, change: Change) -> Change:
    """The content of a new file, where it stands in the plan; of a secret, that it is one."""
    text = getattr(step.operation, "content", None)
    if isinstance(text, Secret):
        return change._replace(means=Content(secret=text.secret))
    if not isinstance(text, str) or not isinstance(change.after, Node) or not change.changes:
        return change
    content = text.encode("utf-8", "surrogateescape")
    if len(content) > TEXT_BYTES_MAX or change.after.digest != digest_of(content):
        return change
    return change._replace(after=change.after._replace(content=content))
