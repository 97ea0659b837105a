"""What happened to a run, event by event: a line for every step that moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from holdfast.cli.lines import Line, Span, line
from holdfast.cli.words import counted, took
from holdfast.core.events import Event, singles
from holdfast.core.run import Run

# type of event -> what is said, its colour, whether only --verbose says it
STEPS: Final[Mapping[str, tuple[str, str, bool]]] = {
    "step.applied": ("applied", "green", False),
    "step.unchanged": ("unchanged", "dim", True),
    "step.failed": ("failed", "red", False),
    "step.retrying": ("retrying", "yellow", False),
    "step.skipped": ("skipped", "dim", True),
    "step.undone": ("undone", "yellow", False),
    "step.undo_failed": ("not undone", "alarm", False),
    "step.in_doubt": ("in doubt", "alarm", False),
    "step.applying": ("applying", "dim", True),
    "step.undoing": ("undoing", "dim", True),
}
RUNS: Final[Mapping[str, tuple[str, str]]] = {
    "run.cancelling": ("cancelling", "yellow"),
    "run.rolling_back": ("rolling back", "yellow"),
    "run.interrupted": ("taken over", "yellow"),
}
COLUMN: Final = 14
NAMED_MAX: Final = 200  # steps that moved together are named up to this number, then counted; what went wrong is always named


def told(run: Run, events: Sequence[Event], *, everything: bool) -> Iterator[Line]:
    for event in events:
        if event.type in STEPS:
            yield from _steps(run, event, everything)
        elif event.type in RUNS:
            word, style = RUNS[event.type]
            yield line(Span(f"{word:<{COLUMN}}", style), run.id)
        elif event.type == "run.confirming":
            yield from _confirming(run, event)
        elif event.type == "run.gate_waiting":
            yield _asking(run, "gate")


def _steps(run: Run, event: Event, everything: bool) -> Iterator[Line]:
    word, style, aside = STEPS[event.type]
    if event.type == "step.applying":
        yield from (_asking(run, run.ids[step]) for step in event.steps or () if step in run.questions)
    if aside and not everything:
        return
    head = Span(f"{word:<{COLUMN}}", style)
    if event.count > NAMED_MAX and not everything and "error[]" not in event.data:
        yield line(head, counted(event.count, "step"))
        return
    for step, values in singles(event):
        if step is not None:
            yield line(head, run.ids[step], Span(_remark(values), "dim"))


def _remark(values: Mapping[str, Any]) -> str:
    error = values.get("error")
    attempt = f"  attempt {values['attempt']}" if values.get("attempt", 1) > 1 else ""
    if error:
        return f"{attempt}  {error['message']}"
    return f"{attempt}  {took(values['duration_s'])}" if values.get("duration_s", 0) >= 0.001 else attempt


def _asking(run: Run, name: str) -> Line:
    return line(Span(f"{'to approve':<{COLUMN}}", "cyan"), f"holdfast approve {run.id} {name}")


def _confirming(run: Run, event: Event) -> Iterator[Line]:
    limit = run.policy.confirm_within or 0
    words = f"within {took(limit)}, or it is rolled back: holdfast confirm {run.id}"
    yield line(Span(f"{'to confirm':<{COLUMN}}", "cyan"), words)
