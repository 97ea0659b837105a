"""Metrics as a fold over events: whoever sees the events of a run, live or from the journal, counts the same.

Batches are counted as batches: nothing here is done for each single step. A run counts as one execution from its
creation on; a rollback by hand is none, and a run that another process began counts only when it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from holdfast.core.events import Event
from holdfast.core.run import Run
from holdfast.runtime.clock import Clock
from holdfast.runtime.spans import taken_back

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

COUNTERS: Final = {
    "executor.executions.total": "runs that were begun",
    "executor.executions.success": "runs that ended as they should",
    "executor.executions.failed": "runs that did not",
    "executor.operations.executed": "changes that were made, also if they were undone later",
    "executor.operations.failed": "operations that failed, or kept a run from being begun",
    "executor.operations.rolled_back": "changes that were undone",
    "task_completed": "tasks that came to their end",
    "task_failed": "tasks that failed",
    "task_paused": "tasks that were paused",
    "task_cancelled": "tasks that were cancelled",
    "rollback_count": "rollbacks of tasks that were begun",
    "rollback_failed": "rollbacks of tasks that left something behind",
}
LEVELS: Final = {
    "executor.operations.queued": "operations that wait for their turn",
    "task_active": "tasks that are under way",
}
DURATION: Final = "executor.duration.seconds"
DURATIONS_S: Final = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800, 3600, 10800)  # a run of a few files, a roll-out
LAG: Final = "heartbeat_lag"

COUNTED: Final = {  # one for each fact of these types
    "step.applied": "executor.operations.executed",
    "step.failed": "executor.operations.failed",
    "task.completed": "task_completed",
    "task.failed": "task_failed",
    "task.paused": "task_paused",
    "task.cancelled": "task_cancelled",
    "task.rolling_back": "rollback_count",
    "task.rollback_failed": "rollback_failed",
}
BEGINNINGS: Final = frozenset({"run.created", "run.interrupted", "run.rolling_back", "run.queued", "run.resumed"})


class _Levels:
    """What one run adds to the levels at the moment."""

    __slots__ = ("active", "began", "execution", "queued")

    def __init__(self, began: float, execution: bool) -> None:
        self.began = began
        self.execution = execution
        self.queued = 0
        self.active = 0


class Metrics:
    """A watcher of runs."""

    def __init__(self, meter: Meter, clock: Clock) -> None:
        self._clock = clock
        self._counters = {name: meter.create_counter(name, description=text) for name, text in COUNTERS.items()}
        self._levels = {name: meter.create_up_down_counter(name, description=text) for name, text in LEVELS.items()}
        self._duration = meter.create_histogram(
            DURATION, unit="s", description="how long runs take", explicit_bucket_boundaries_advisory=DURATIONS_S
        )
        self._lag = meter.create_gauge(LAG, description="steps that a task still has before it")
        self._runs: dict[str, _Levels] = {}

    def begin(self) -> None:
        """Tell what never happened as nothing, instead of not at all."""
        for counter in self._counters.values():
            counter.add(0)

    def __call__(self, run: Run, events: Sequence[Event]) -> None:
        for event in events:
            levels = self._runs.get(run.id)
            if levels is None and event.type in BEGINNINGS:
                levels = self._begin(run, event)
            if levels is not None:
                self._hear(levels, run, event)
        levels = self._runs.get(run.id)
        if levels is not None:
            self._set_active(levels, run.active)
            if run.over:
                self._end(levels, run)

    def _begin(self, run: Run, event: Event) -> _Levels:
        levels = self._runs[run.id] = _Levels(self._clock.monotonic(), event.type != "run.rolling_back")
        if event.type == "run.created":
            self._counters["executor.executions.total"].add(1)
        return levels

    def _hear(self, levels: _Levels, run: Run, event: Event) -> None:
        name = COUNTED.get(event.type)
        if name is not None:
            self._counters[name].add(event.count)
        handler = _HEARD.get(event.type)
        if handler is not None:
            handler(self, levels, run, event)

    def _end(self, levels: _Levels, run: Run) -> None:
        del self._runs[run.id]
        self._queue(levels, -levels.queued)
        self._set_active(levels, 0)
        if levels.execution:
            well = run.ending in ("committed", "unchanged")
            self._counters[f"executor.executions.{'success' if well else 'failed'}"].add(1)
            self._duration.record(self._clock.monotonic() - levels.began)

    def _set_active(self, levels: _Levels, active: int) -> None:
        if active != levels.active:
            self._levels["task_active"].add(active - levels.active)
            levels.active = active

    def _queue(self, levels: _Levels, more: int) -> None:
        if more:
            self._levels["executor.operations.queued"].add(more)
            levels.queued += more

    def _prepared(self, levels: _Levels, run: Run, event: Event) -> None:
        if not event.data.get("more"):
            self._queue(levels, len(run.ids) - len(run.idle))

    def _applying(self, levels: _Levels, run: Run, event: Event) -> None:
        if event.data.get("attempt", 1) == 1:
            self._dequeued(levels, run, event)

    def _dequeued(self, levels: _Levels, run: Run, event: Event) -> None:
        self._queue(levels, -min(event.count, levels.queued))

    def _refused(self, levels: _Levels, run: Run, event: Event) -> None:
        steps = {problem["step"] for problem in event.data["problems"] if problem.get("step")}
        self._counters["executor.operations.failed"].add(len(steps))

    def _undone(self, levels: _Levels, run: Run, event: Event) -> None:
        self._counters["executor.operations.rolled_back"].add(taken_back(run, event))

    def _heartbeat(self, levels: _Levels, run: Run, event: Event) -> None:
        assert event.task is not None
        self._lag.set(event.data["total"] - event.data["done"], {"task": run.outline.tasks[event.task].name})

    def _no_lag(self, levels: _Levels, run: Run, event: Event) -> None:
        assert event.task is not None
        self._lag.set(0, {"task": run.outline.tasks[event.task].name})


_HEARD: Final[Mapping[str, Callable[[Metrics, _Levels, Run, Event], None]]] = {
    "run.prepared": Metrics._prepared,
    "run.refused": Metrics._refused,
    "step.applying": Metrics._applying,
    "step.skipped": Metrics._dequeued,
    "step.undone": Metrics._undone,
    "task.completed": Metrics._no_lag,
    "task.failed": Metrics._no_lag,
    "task.cancelled": Metrics._no_lag,
    "task.rolled_back": Metrics._no_lag,
    "task.rollback_failed": Metrics._no_lag,
    "task.heartbeat": Metrics._heartbeat,
}
