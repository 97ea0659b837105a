"""Spans as a fold over events: one for a run, with its preparation, its operations and its rollback beneath.

The span of an operation is made when its outcome is known, and begins as long ago as it took.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from holdfast.core.events import Event
from holdfast.core.run import Run
from holdfast.runtime.clock import Clock

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

BEGINNINGS: Final = frozenset({"run.created", "run.interrupted", "run.rolling_back", "run.queued", "run.resumed"})
NANO: Final = 1_000_000_000


class _Trace:
    """The open spans of one run, and what they will say."""

    __slots__ = ("context", "execute", "failed", "prepare", "rollback", "to_undo", "undo_failed", "undone")

    def __init__(self) -> None:
        self.execute: Span | None = None
        self.context: Context | None = None
        self.prepare: Span | None = None
        self.rollback: Span | None = None
        self.failed = 0
        self.undone = 0
        self.undo_failed = 0
        self.to_undo: set[int] = set()


class Spans:
    """A watcher of runs."""

    def __init__(self, tracer: Tracer, clock: Clock) -> None:
        from opentelemetry import trace

        self._api = trace
        self._tracer = tracer
        self._clock = clock
        self._runs: dict[str, _Trace] = {}

    def __call__(self, run: Run, events: Sequence[Event]) -> None:
        for event in events:
            found = self._runs.get(run.id)
            if found is None and event.type in BEGINNINGS:
                found = self._begin(run, event)
            handler = _HEARD.get(event.type)
            if found is not None and handler is not None:
                handler(self, found, run, event)
        found = self._runs.get(run.id)
        if found is not None and run.over:
            self._end(found, run)

    def _now(self) -> int:
        return int(self._clock.now() * NANO)

    def _begin(self, run: Run, event: Event) -> _Trace:
        made = self._runs[run.id] = _Trace()
        if event.type == "run.rolling_back":  # by hand: a rollback, but no execution
            return made
        digest = str(event.data.get("digest", ""))
        attributes: dict[str, str | int] = {"operation_count": len(run.ids), "plan_checksum": digest, "run": run.id}
        made.execute = self._tracer.start_span("executor.Execute", attributes=attributes, start_time=self._now())
        made.context = self._api.set_span_in_context(made.execute)
        if event.type == "run.created":
            made.prepare = self._child(made, "executor.Prepare", {"operations": len(run.ids)})
        return made

    def _child(self, made: _Trace, name: str, attributes: Mapping[str, str | int]) -> Span:
        return self._tracer.start_span(name, made.context, attributes=attributes, start_time=self._now())

    def _end(self, made: _Trace, run: Run) -> None:
        del self._runs[run.id]
        self._close_prepare(made, run)
        self._close_rollback(made)
        if made.execute is None:
            return
        counts = {"executed": len(run.executed), "failed": made.failed, "rolled_back": made.undone}
        made.execute.set_attributes({**counts, "ending": run.ending or ""})
        if run.ending not in ("committed", "unchanged"):
            made.execute.set_attribute("failure_phase", _phase(run))
            self._mark_failed(made.execute, run.error or next(iter(run.problems), {}))
        made.execute.end(self._now())

    def _mark_failed(self, span: Span, error: Mapping[str, Any]) -> None:
        code = str(error.get("code", ""))
        span.set_attribute("error.code", code)
        span.set_status(self._api.StatusCode.ERROR, f"{code}: {error.get('message', '')}")

    def _prepared(self, made: _Trace, run: Run, event: Event) -> None:
        if not event.data.get("more"):
            self._close_prepare(made, run)

    def _close_prepare(self, made: _Trace, run: Run) -> None:
        if made.prepare is None:
            return
        if run.problems:
            made.failed = len({problem["step"] for problem in run.problems if problem.get("step")})
            self._mark_failed(made.prepare, run.problems[0])
        made.prepare.end(self._now())
        made.prepare = None

    def _landed(self, made: _Trace, run: Run, event: Event) -> None:
        if event.type == "step.failed":
            made.failed += event.count
        if made.execute is None or not made.execute.is_recording():
            return
        now = self._now()
        durations, errors = event.column("duration_s"), event.column("error")
        for step, duration, error in zip(event.steps or (), durations, errors, strict=True):
            attributes = {"op.id": run.ids[step], "op.kind": run.kinds[step]}
            began = now - int((duration or 0.0) * NANO)
            span = self._tracer.start_span("operation.Execute", made.context, attributes=attributes, start_time=began)
            if error:
                self._mark_failed(span, error)
            span.end(now)

    def _rolling_back(self, made: _Trace, run: Run, event: Event) -> None:
        if made.rollback is None:
            made.rollback = self._child(made, "executor.Rollback", {})

    def _undoing(self, made: _Trace, run: Run, event: Event) -> None:
        made.to_undo.update(step for step in event.steps or () if step in run.executed)

    def _undone(self, made: _Trace, run: Run, event: Event) -> None:
        made.undone += taken_back(run, event)

    def _undo_failed(self, made: _Trace, run: Run, event: Event) -> None:
        made.undo_failed += event.count
        made.to_undo.update(event.steps or ())

    def _rolled_back(self, made: _Trace, run: Run, event: Event) -> None:
        """A task went back alone: its rollback is over when no other one is under way."""
        if run.state != "rolling_back" and not any(task.state == "rolling_back" for task in run.tasks):
            self._close_rollback(made)

    def _close_rollback(self, made: _Trace) -> None:
        if made.rollback is None:
            return
        counts = {"operations_to_rollback": len(made.to_undo), "rolled_back": made.undone, "failed_rollback": made.undo_failed}
        made.rollback.set_attributes(counts)
        if made.undo_failed:
            made.rollback.set_status(self._api.StatusCode.ERROR)
        made.rollback.end(self._now())
        made.rollback = None


def taken_back(run: Run, event: Event) -> int:
    """How many steps of an event were executed before: what only failed half-way is undone as well, but counts as failed."""
    return sum(step in run.executed for step in event.steps or ())


def _phase(run: Run) -> str:
    """In which phase a run failed."""
    if run.ending == "refused":
        return "prepare"
    return "rollback" if run.ending == "stuck" else "commit"


_HEARD: Final[Mapping[str, Callable[[Spans, _Trace, Run, Event], None]]] = {
    "run.prepared": Spans._prepared,
    "step.applied": Spans._landed,
    "step.unchanged": Spans._landed,
    "step.failed": Spans._landed,
    "run.rolling_back": Spans._rolling_back,
    "task.rolling_back": Spans._rolling_back,
    "step.undoing": Spans._undoing,
    "step.undone": Spans._undone,
    "step.undo_failed": Spans._undo_failed,
    "task.rolled_back": Spans._rolled_back,
    "task.rollback_failed": Spans._rolled_back,
}
