"""Structured logs: lines of JSON on the standard library's logging, with run, task, stage and step bound to each.

`LogLines` says what the events of a run say, one line each. Whatever else is logged while a run is worked on carries
the same names, because they are bound to the context and not passed along.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from holdfast.core.events import NOTHING, Event, singles
from holdfast.core.run import Run
from holdfast.core.times import iso

LOGGER: Final = "holdfast"
FIELDS: Final = "holdfast_fields"  # what a record of ours carries besides its message

_BOUND: Final[ContextVar[Mapping[str, str]]] = ContextVar("holdfast_bound", default=NOTHING)

# What is worth a line: how loudly, and its name. What happens to single steps is quiet as long as it goes well.
LINES: Final[Mapping[str, tuple[int, str]]] = {
    "run.created": (logging.INFO, "preparing_plan"),
    "run.refused": (logging.WARNING, "plan_refused"),
    "run.started": (logging.INFO, "executing_plan"),
    "run.pausing": (logging.INFO, "pausing_run"),
    "run.paused": (logging.INFO, "run_paused"),
    "run.queued": (logging.INFO, "run_queued"),
    "run.resumed": (logging.INFO, "run_resumed"),
    "run.cancelling": (logging.WARNING, "cancelling_run"),
    "run.interrupted": (logging.WARNING, "run_interrupted"),
    "run.confirming": (logging.INFO, "waiting_for_confirmation"),
    "run.rolling_back": (logging.WARNING, "rolling_back"),
    "run.rolled_back": (logging.WARNING, "execution_complete"),
    "run.rollback_failed": (logging.ERROR, "execution_complete"),
    "run.committed": (logging.INFO, "execution_complete"),
    "task.started": (logging.INFO, "task_started"),
    "task.completed": (logging.INFO, "task_completed"),
    "task.failed": (logging.ERROR, "task_failed"),
    "task.cancelled": (logging.WARNING, "task_cancelled"),
    "stage.started": (logging.DEBUG, "stage_started"),
    "stage.completed": (logging.DEBUG, "stage_completed"),
    "stage.failed": (logging.ERROR, "stage_failed"),
    "step.applying": (logging.DEBUG, "executing_operation"),
    "step.applied": (logging.DEBUG, "operation_executed"),
    "step.unchanged": (logging.DEBUG, "operation_unchanged"),
    "step.failed": (logging.ERROR, "operation_failed"),
    "step.retrying": (logging.WARNING, "retrying_operation"),
    "step.in_doubt": (logging.WARNING, "operation_in_doubt"),
    "step.undoing": (logging.INFO, "rolling_back_operation"),
    "step.undo_failed": (logging.ERROR, "rollback_of_operation_failed"),
    "checkpoint.created": (logging.INFO, "checkpoint_created"),
    "checkpoint.restored": (logging.INFO, "checkpoint_restored"),
    "checkpoint.deleted": (logging.INFO, "checkpoint_deleted"),
}
UNSAID: Final = frozenset(
    {"at", "outline", "policy", "output", "owner", "guarantees", "idle", "changes", "exact"}
)  # said already, or too much


@contextmanager
def bound(**names: str) -> Iterator[None]:
    """Everything logged within carries these names."""
    token = _BOUND.set({**_BOUND.get(), **names})
    try:
        yield
    finally:
        _BOUND.reset(token)


class LogLines:
    """A watcher of runs."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def __call__(self, run: Run, events: Sequence[Event]) -> None:
        for event in events:
            self.say(event, run)

    def say(self, event: Event, run: Run | None = None) -> None:
        level, name = LINES.get(event.type, (0, ""))
        if not name or not self._logger.isEnabledFor(level):
            return
        for step, data in singles(event):
            fields = {key: value for key, value in data.items() if key not in UNSAID}
            if run is not None and event.type.startswith("run.") and run.over:
                fields["ending"] = run.ending
            names = {} if run is None else _names(run, event, step)
            with bound(**names):
                self._logger.log(level, name, extra={FIELDS: fields, **names})


def _names(run: Run, event: Event, step: int | None) -> dict[str, str]:
    names = {"run": run.id}
    number = event.task if step is None else run.graph.task_of[step]
    if number is not None:
        task = run.outline.tasks[number]
        names["task"] = task.name
        if task.key is not None:
            names["tenant"] = task.key
        stage = event.stage if step is None else run.graph.stage_of[step]
        if stage is not None:
            names["stage"] = task.stages[stage].name
    if step is not None:
        names["step"] = run.ids[step]
    return names


class JsonLines(logging.Formatter):
    """One JSON object for each record; `scrub` takes secrets out of every text in it."""

    def __init__(self, scrub: Callable[[str], str] | None = None) -> None:
        super().__init__()
        self._scrub = scrub

    def format(self, record: logging.LogRecord) -> str:
        ours = getattr(record, FIELDS, None)
        document = {
            "at": iso(record.created),
            "level": record.levelname.lower(),
            "event": record.getMessage() if ours is not None else "message",
            "logger": record.name,
            **_BOUND.get(),
            **({"message": record.getMessage()} if ours is None else ours),
        }
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return json.dumps(self._clean(document), ensure_ascii=False, default=str)

    def _clean(self, value: Any) -> Any:
        if self._scrub is None or isinstance(value, int | float | None):
            return value
        if isinstance(value, Mapping):
            return {key: self._clean(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._clean(inner) for inner in value]
        return self._scrub(str(value))
