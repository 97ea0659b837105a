"""A run as its document tells it: how it ended, why, what it left behind, and every step of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from holdfast.cli.lines import EMPTY, Line, Span, clean_lines, line, width
from holdfast.cli.screen import problem_lines
from holdfast.cli.views import marks
from holdfast.cli.views.changes import short_digest
from holdfast.cli.words import ago, local, said, standing, took
from holdfast.core.times import seconds_of

Document = Mapping[str, Any]

STEPS_MAX: Final = 40  # of one stage, unless everything was asked for
OUTPUT_LINES_MAX: Final = 12
STATE_COLUMNS: Final = len("unchanged")
_COUNTS: Final = ("executed", "unchanged", "failed", "rolled_back", "skipped")
_MEANINGS: Final[Mapping[str | None, str]] = {
    "rolled_back": "everything is as it was before",
    "refused": "nothing was touched",
    "partial": "some changes are in place and others are not",
    "stuck": "not everything could be rolled back: see what was left behind",
}


def ending(run: Document) -> Iterator[Line]:
    """What `apply` says at the end."""
    yield from errors(run)
    yield from residue(run)
    word = run["ending"] or run["state"]
    counts = ", ".join(f"{len(run[name]):,} {said(name)}" for name in _COUNTS if run[name])
    spent = f"  in {took(run['duration_s'])}" if run["duration_s"] is not None else ""
    yield line(marks.state(word), f"  {run['plan']['name']}", f"  {counts}" if counts else "", Span(spent, "dim"))
    if word == "rolled_back" and run["residue"]:
        yield line("everything else is as it was before")
    elif word in _MEANINGS:
        yield line(_MEANINGS[word])
    yield line(Span(f"run {run['run']}", "dim"))


def errors(run: Document) -> Iterator[Line]:
    for error in run["errors"]:
        yield from problem_lines(error)


def residue(run: Document) -> Iterator[Line]:
    if run["residue"]:
        yield line(Span("left behind", "alarm"))
        yield from left_behind(run["residue"])


def left_behind(residue: Sequence[Document]) -> Iterator[Line]:
    for left in residue:
        yield line("  ", Span(str(left["resource"]), "bold"), Span(f"  step {left['step']}", "dim"))
        for label, name in (("why", "reason"), ("do", "what_to_do"), ("kept", "kept")):
            if left.get(name):
                yield line("    ", Span(f"{label:<5}", "cyan"), str(left[name]))


# -- one run, in full


def full(run: Document, now: float, *, everything: bool) -> Iterator[Line]:
    started = seconds_of(run["started_at"])
    yield line(Span(run["plan"]["name"], "bold"), "  ", marks.state(standing(run)))
    facts = {
        "run": run["run"],
        "digest": short_digest(run["plan"]["digest"]),
        "source": run["source"],
        "started": f"{local(started)}  ({ago(started, now)})" if started else "",
        "took": took(run["duration_s"]),
        "waits for": run["waits"]["behind"] if run.get("waits") else "",
        "approve": ", ".join(f"holdfast approve {run['run']} {name}" for name in run.get("questions", ())),
    }
    yield from (line("  ", Span(f"{name:<9} ", "dim"), value) for name, value in facts.items() if value)
    yield from (line("  ", Span("warning", "alarm"), f": {each}") for each in run.get("warnings", ()))
    yield EMPTY
    yield from tree(run["tasks"], everything=everything)
    details = [*errors(run), *residue(run)]
    if details:
        yield EMPTY
        yield from details


def tree(tasks: Sequence[Document], *, everything: bool) -> Iterator[Line]:
    """Tasks, their stages, their steps."""
    columns = max((width(step["id"]) for task in tasks for stage in task["stages"] for step in stage["steps"]), default=0)
    for task in tasks:
        place = Span(f" on {task['target']}  ", "dim")
        yield line(marks.mark(task["state"]), " ", Span(task["name"], "bold"), place, marks.state(task["state"]))
        for number, stage in enumerate(task["stages"]):
            last = number == len(task["stages"]) - 1
            yield line(Span("└─ " if last else "├─ ", "dim"), stage["name"], "  ", marks.state(stage["state"]))
            yield from _stage(stage, "   " if last else "│  ", min(columns, 48), everything)


def _stage(stage: Document, rail: str, columns: int, everything: bool) -> Iterator[Line]:
    steps = stage["steps"]
    shown = steps if everything else _telling(steps)
    hidden = Counter(step["state"] for step in steps)
    hidden.subtract(step["state"] for step in shown)
    more = ", ".join(f"{number:,} more {said(state)}" for state, number in hidden.items() if number > 0)
    for number, step in enumerate(shown):
        last = number == len(shown) - 1 and not more
        yield _step(step, f"{rail}{'└─ ' if last else '├─ '}", columns)
        yield from _output(step, f"{rail}{'   ' if last else '│  '}")
    if more:
        yield line(Span(f"{rail}└─ … {more} (--verbose lists all)", "dim"))


def _telling(steps: Sequence[Document]) -> Sequence[Document]:
    """All of a few; of many, those that did not simply work, and the first ones."""
    if len(steps) <= STEPS_MAX:
        return steps
    odd = [step for step in steps if step["state"] not in ("applied", "unchanged", "pending", "skipped", "undone")]
    return odd[:STEPS_MAX] or steps[:STEPS_MAX]


def _step(step: Document, rail: str, columns: int) -> Line:
    space = " " * max(0, columns - width(step["id"]))
    tries = Span(f"  {step['attempts']} attempts", "yellow") if step["attempts"] > 1 else Span("")
    spent = Span(f"  {took(step['duration_s'])}", "dim") if step["duration_s"] >= 0.0005 else Span("")
    state, promise = marks.state(step["state"]), marks.guarantee(step["guarantee"])
    return line(
        Span(rail, "dim"), marks.mark(step["state"]), f" {step['id']}{space}  ", Span(f"{step['kind']:<10} ", "dim"),
        state, " " * (STATE_COLUMNS - len(state.text)), Span(f"  {promise.text}", promise.style), spent, tries,
    )  # fmt: skip


def _output(step: Document, rail: str) -> Iterator[Line]:
    lines = clean_lines(step.get("output") or "")
    for text in lines[-OUTPUT_LINES_MAX:]:
        yield line(Span(f"{rail}  ", "dim"), Span(f"> {text}", "dim"))
