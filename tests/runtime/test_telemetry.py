"""What observers are told of a run: spans, metrics and log lines, right on the failing path as well."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from holdfast.core.decide import decide
from holdfast.core.draft import Flights
from holdfast.core.errors import Failure
from holdfast.core.events import Event
from holdfast.core.evolve import evolve
from holdfast.core.plan import Plan, Policy, Stage, Step, Task
from holdfast.core.run import Run
from holdfast.core.stimuli import Apply, Asked, Began, Returned, StepResult
from holdfast.kinds.command import Command
from holdfast.runtime.logs import JsonLines, LogLines, bound
from holdfast.runtime.telemetry import from_environment, watchers

CHECKSUM = "sha256:abc"
BAD = Failure(code="command_failed", message="it said no")


class Clock:
    """Each look at it takes a second."""

    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        self.at += 1.0
        return self.at

    monotonic = now

    def pause(self, seconds: float) -> None:
        raise AssertionError("nothing waits here")


class Observed:
    """A run that is driven by the real decisions, with a script for what the world answers."""

    def __init__(self, *ids: str, tasks: int = 1, policy: Policy | None = None, idle: Sequence[int] = ()) -> None:
        self.spans = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()
        tracing = TracerProvider()
        tracing.add_span_processor(SimpleSpanProcessor(self.spans))
        self.meters = MeterProvider([self.reader])
        self.clock = Clock()
        self.watchers = watchers(self.clock, tracer=tracing.get_tracer("t"), meter=self.meters.get_meter("t"))
        self.lines: list[dict[str, Any]] = []
        self.watchers.append(LogLines(self._logger()))
        steps = [Step(id=name, kind="command", operation=Command(argv=("true",), undo=("true",))) for name in ids]
        share = len(steps) // tasks
        groups = [tuple(steps[n * share : (n + 1) * share]) for n in range(tasks)]
        self.plan = Plan(
            name="p",
            tasks=tuple(
                Task(name=f"t{n}", key=f"tenant-{n}", stages=(Stage(name="go", steps=group),)) for n, group in enumerate(groups)
            ),
        )
        self.run = Run.of("run-1", self.plan, policy or Policy())
        self.flights = Flights()
        self.idle = list(idle)
        self.queued_while: list[int] = []

    def _logger(self) -> logging.Logger:
        logger = logging.Logger("holdfast.test", logging.DEBUG)
        handler = logging.Handler()
        formatter = JsonLines()
        handler.emit = lambda record: self.lines.append(json.loads(formatter.format(record)))  # type: ignore[method-assign]
        logger.addHandler(handler)
        return logger

    def tell(self, *events: Event) -> None:
        for event in events:
            evolve(self.run, event)
        self._watch(events)

    def _watch(self, events: Sequence[Event]) -> None:
        for watch in self.watchers:
            watch(self.run, events)

    def prepare(self) -> None:
        self.tell(Event("run.created", {"plan": "p", "digest": CHECKSUM, "source": "manual:me"}))
        self.tell(Event("run.prepared", {"guarantees": [], "idle": self.idle}))

    def drive(self, stimulus: Any, answers: Mapping[tuple[str, bool], StepResult] | None = None) -> Observed:
        """`answers`: what becomes of a step, by its id and whether it is being undone; all else is done."""
        todo = [stimulus]
        while todo:
            decision = decide(self.run, self.flights, todo.pop(0))
            self._watch(decision.events)
            self.queued_while.append(self.metrics().get("executor.operations.queued", 0))
            for effect in decision.effects:
                if isinstance(effect, Apply):
                    results = [self._answer(step, effect.undo, answers or {}) for step in effect.steps]
                    todo.append(Returned(self.clock.now(), effect.number, results))
        return self

    def _answer(self, step: int, undo: bool, answers: Mapping[tuple[str, bool], StepResult]) -> StepResult:
        found = answers.get((self.run.ids[step], undo))
        return StepResult(step, "done", duration_s=0.5) if found is None else found.__class__(step, found.ending, found.failure)

    def apply(self, answers: Mapping[tuple[str, bool], StepResult] | None = None) -> Observed:
        self.prepare()
        return self.drive(Began(self.clock.now()), answers)

    def metrics(self) -> dict[str, Any]:
        found = self.reader.get_metrics_data()
        points = {
            metric.name: next(iter(metric.data.data_points))
            for resource in (found.resource_metrics if found else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }
        return {name: point.value if hasattr(point, "value") else point.count for name, point in points.items()}

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans.get_finished_spans() if span.name == name]


def failing(*ids: str, undo: bool = False) -> dict[tuple[str, bool], StepResult]:
    return {(name, undo): StepResult(0, "failed", BAD) for name in ids}


class TestMetrics:
    def test_a_run_that_commits(self):
        found = Observed("a", "b", "c").apply().metrics()
        assert found["executor.executions.total"] == found["executor.executions.success"] == 1
        assert found["executor.operations.executed"] == 3
        assert found["executor.duration.seconds"] == 1
        assert (found["task_completed"], found["task_active"]) == (1, 0)
        assert not {"executor.executions.failed", "executor.operations.failed", "rollback_count"} & found.keys()

    def test_a_run_that_fails_counts_what_was_done_what_failed_and_what_was_taken_back(self):
        found = Observed("a", "b", "c").apply(failing("c")).metrics()
        assert (found["executor.executions.total"], found["executor.executions.failed"]) == (1, 1)
        assert (found["executor.operations.executed"], found["executor.operations.failed"]) == (2, 1)
        assert found["executor.operations.rolled_back"] == 2  # what failed half-way is taken back too, and counts as failed
        assert (found["task_failed"], found["rollback_count"], found["task_active"]) == (1, 1, 0)
        assert "rollback_failed" not in found

    def test_a_rollback_that_leaves_something_behind(self):
        found = Observed("a", "b").apply({**failing("b"), **failing("a", undo=True)}).metrics()
        assert (found["rollback_count"], found["rollback_failed"]) == (1, 1)
        assert found["executor.executions.failed"] == 1

    def test_a_refused_run_is_an_execution_and_a_failure_and_its_problems_are_failed_operations(self):
        observed = Observed("a", "b", "c")
        problems = [{"step": "a", "code": "conflict"}, {"step": "a", "code": "conflict"}, {"step": "b", "code": "conflict"}]
        observed.tell(Event("run.created", {"digest": CHECKSUM}))
        observed.tell(Event("run.refused", {"problems": problems}))
        found = observed.metrics()
        assert (found["executor.executions.total"], found["executor.executions.failed"]) == (1, 1)
        assert found["executor.operations.failed"] == 2
        assert "executor.operations.executed" not in found

    @pytest.mark.parametrize("answers", [{}, failing("c"), failing("a", "b", "c")])
    def test_the_queue_is_empty_in_the_end_however_it_ends(self, answers):
        observed = Observed("a", "b", "c", "d", policy=Policy(parallel=2), idle=[3]).apply(answers)
        assert observed.metrics()["executor.operations.queued"] == 0
        assert max(observed.queued_while) == 1  # three steps, of which two are begun at once

    def test_a_rollback_by_hand_is_no_execution(self):
        observed = Observed("a", "b").apply()
        observed.drive(Asked(observed.clock.now(), "rollback", {"by": "me"}))
        found = observed.metrics()
        assert observed.run.ending == "rolled_back"
        assert (found["executor.executions.total"], found["executor.executions.success"]) == (1, 1)
        assert "executor.executions.failed" not in found
        assert (found["executor.operations.executed"], found["executor.operations.rolled_back"]) == (2, 2)

    def test_B02_the_lag_of_a_task_is_what_it_still_has_before_it(self):
        observed = Observed("a", "b", "c")
        observed.prepare()
        for done, lag in ((0, 3), (2, 1)):
            observed._watch([Event("task.heartbeat", {"done": done, "total": 3}, task=0)])
            assert observed.metrics()["heartbeat_lag"] == lag

    @pytest.mark.parametrize("answers", [{}, failing("c")])
    def test_a_task_that_is_over_lags_no_more(self, answers):
        observed = Observed("a", "b", "c")
        observed.prepare()
        observed._watch([Event("task.heartbeat", {"done": 0, "total": 3}, task=0)])
        observed.drive(Began(observed.clock.now()), answers)
        assert observed.metrics()["heartbeat_lag"] == 0


class TestSpans:
    def test_a_run_is_a_span_with_its_preparation_and_operations_beneath(self):
        observed = Observed("a", "b").apply()
        (execute,) = observed.named("executor.Execute")
        assert dict(execute.attributes) == {
            "operation_count": 2,
            "plan_checksum": CHECKSUM,
            "run": "run-1",
            "executed": 2,
            "failed": 0,
            "rolled_back": 0,
            "ending": "committed",
        }
        (prepare,) = observed.named("executor.Prepare")
        assert dict(prepare.attributes) == {"operations": 2}
        operations = observed.named("operation.Execute")
        assert [dict(span.attributes) for span in operations] == [{"op.id": name, "op.kind": "command"} for name in "ab"]
        assert {span.parent.span_id for span in (prepare, *operations)} == {execute.context.span_id}
        assert all(span.end_time - span.start_time == 500_000_000 for span in operations)

    def test_a_failed_run_says_in_which_phase_and_why(self):
        observed = Observed("a", "b").apply(failing("b"))
        (execute,) = observed.named("executor.Execute")
        assert execute.attributes["failure_phase"] == "commit"
        assert (execute.attributes["executed"], execute.attributes["failed"], execute.attributes["rolled_back"]) == (1, 1, 1)
        assert execute.status.description == "command_failed: it said no"
        (rollback,) = observed.named("executor.Rollback")
        assert dict(rollback.attributes) == {"operations_to_rollback": 1, "rolled_back": 1, "failed_rollback": 0}
        failed = [span for span in observed.named("operation.Execute") if not span.status.is_ok]
        assert [span.attributes["error.code"] for span in failed] == ["command_failed"]

    def test_a_rollback_that_leaves_something_behind_is_the_phase_that_failed(self):
        observed = Observed("a", "b").apply({**failing("b"), **failing("a", undo=True)})
        (execute,) = observed.named("executor.Execute")
        assert execute.attributes["failure_phase"] == "rollback"
        (rollback,) = observed.named("executor.Rollback")
        assert (rollback.attributes["rolled_back"], rollback.attributes["failed_rollback"]) == (0, 1)

    def test_a_refused_run_failed_in_preparing(self):
        observed = Observed("a")
        observed.tell(Event("run.created", {"digest": CHECKSUM}))
        observed.tell(Event("run.refused", {"problems": [{"step": "a", "code": "conflict", "message": "in the way"}]}))
        (execute,) = observed.named("executor.Execute")
        assert (execute.attributes["failure_phase"], execute.attributes["failed"]) == ("prepare", 1)
        assert execute.status.description == "conflict: in the way"

    def test_a_task_that_goes_back_alone_is_a_rollback_of_its_own(self):
        observed = Observed("a", "b", "c", "d", tasks=2, policy=Policy(scope="task")).apply(failing("d"))
        (rollback,) = observed.named("executor.Rollback")
        assert rollback.attributes["operations_to_rollback"] == 1

    def test_a_rollback_by_hand_has_no_execution_above_it(self):
        observed = Observed("a", "b").apply()
        observed.spans.clear()
        observed.drive(Asked(observed.clock.now(), "rollback", {"by": "me"}))
        assert [span.name for span in observed.spans.get_finished_spans()] == ["executor.Rollback"]


class TestLogs:
    def test_lines_are_named_and_bound_to_run_task_stage_and_step(self):
        observed = Observed("a", "b").apply(failing("b"))
        names = [line["event"] for line in observed.lines]
        for name in ("preparing_plan", "executing_plan", "operation_executed", "rolling_back_operation", "execution_complete"):
            assert name in names
        (failed,) = [line for line in observed.lines if line["event"] == "operation_failed"]
        assert {key: failed[key] for key in ("level", "run", "task", "tenant", "stage", "step")} == {
            "level": "error",
            "run": "run-1",
            "task": "t0",
            "tenant": "tenant-0",
            "stage": "go",
            "step": "b",
        }
        assert failed["error"]["code"] == "command_failed"
        assert observed.lines[-1]["ending"] == "rolled_back"

    def test_every_line_tells_its_time_in_the_same_way(self):
        observed = Observed("a").apply()
        assert {"executing_plan", "execution_complete"} <= {line["event"] for line in observed.lines}
        assert all(line["at"].endswith("Z") for line in observed.lines)

    @pytest.mark.parametrize("ending", ["success", "failure", "cancel"])
    def test_M01_names_are_bound_during_the_work_and_gone_afterwards(self, ending):
        def line() -> dict[str, Any]:
            record = logging.LogRecord("any.library", logging.INFO, "", 0, "hello %s", ("you",), None)
            return json.loads(JsonLines().format(record))

        try:
            with bound(run="r", task="t"), bound(stage="s"):
                inside = line()
                if ending != "success":
                    raise (KeyboardInterrupt if ending == "cancel" else ValueError)
        except (ValueError, KeyboardInterrupt):
            pass
        assert {key: inside[key] for key in ("run", "task", "stage")} == {"run": "r", "task": "t", "stage": "s"}
        assert (inside["event"], inside["message"]) == ("message", "hello you")
        assert not {"run", "task", "stage"} & line().keys()

    def test_secrets_are_taken_out_of_every_text(self):
        formatter = JsonLines(lambda text: text.replace("hunter2", "***"))
        record = logging.LogRecord("x", logging.INFO, "", 0, "done", (), None)
        record.holdfast_fields = {"error": {"message": "it said hunter2", "count": 3}, "list": ["hunter2", None]}
        found = json.loads(formatter.format(record))
        assert found["error"] == {"message": "it said ***", "count": 3}
        assert found["list"] == ["***", None]

    def test_what_nobody_listens_to_is_not_made(self):
        quiet = logging.Logger("quiet", logging.ERROR)
        run = Observed("a").run
        LogLines(quiet)(run, [Event("step.applied", {"output[]": _Untouchable()}, 0, None, (0,))])


class _Untouchable(list):
    def __getitem__(self, at: Any) -> Any:
        raise AssertionError("somebody looked")


class TestCost:
    def test_without_anybody_who_watches_there_is_nothing(self):
        assert watchers(Clock()) == []
        assert from_environment({}) == (None, None)
        assert from_environment({"OTEL_TRACES_EXPORTER": "none"}) == (None, None)
        assert from_environment({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}) == (None, None)

    def test_nothing_of_it_is_imported_before_it_is_wanted(self):
        code = (
            "import sys; from holdfast.runtime.telemetry import watchers, from_environment\n"
            "from holdfast.runtime.clock import SystemClock\n"
            "assert watchers(SystemClock()) == [] and from_environment({}) == (None, None)\n"
            "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
        )
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_the_console_is_standard_error_because_documents_stand_on_standard_output(self):
        done = _traced({"OTEL_TRACES_EXPORTER": "console"})
        assert done.stdout == "" and '"name": "seen"' in done.stderr

    @pytest.mark.parametrize("environ", [{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, {"OTEL_TRACES_EXPORTER": "otlp"}])
    def test_an_installed_exporter_is_found_by_its_name(self, tmp_path, environ):
        (tmp_path / "fake-1.dist-info").mkdir()
        (tmp_path / "fake-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: fake\nVersion: 1\n")
        points = "[opentelemetry_traces_exporter]\notlp = fake_exporter:Exporter\n"
        (tmp_path / "fake-1.dist-info" / "entry_points.txt").write_text(points)
        (tmp_path / "fake_exporter.py").write_text(FAKE_EXPORTER)
        assert _traced({**environ, "OTEL_METRICS_EXPORTER": "none"}, tmp_path).stderr == "exported seen\n"

    def test_an_exporter_that_is_not_installed_is_said_and_harms_nobody(self):
        done = _traced({"OTEL_TRACES_EXPORTER": "telepathy"})
        assert "the exporter `telepathy` is asked for, but not installed" in done.stderr


FAKE_EXPORTER = """
import sys
from opentelemetry.sdk.trace.export import SpanExporter
class Exporter(SpanExporter):
    def export(self, spans):
        print("exported", *(span.name for span in spans), file=sys.stderr)
"""


def _traced(environ: Mapping[str, str], *folders: Any) -> subprocess.CompletedProcess[str]:
    code = (
        "import os; from holdfast.runtime.telemetry import from_environment\n"
        "tracer, meter = from_environment(os.environ)\n"
        "assert meter is None\n"
        "if tracer is not None:\n"
        "    with tracer.start_as_current_span('seen'): pass\n"
    )
    path = ":".join([*map(str, folders), *sys.path])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**environ, "PYTHONPATH": path})
    assert done.returncode == 0, done.stderr
    return done


def test_watching_a_large_run_costs_little():
    """Batches are counted as batches."""
    observed = Observed("a", "b")
    seen: list[Callable[..., Any]] = [watch for watch in observed.watchers if type(watch).__name__ == "Metrics"]
    observed.tell(Event("run.created", {"digest": CHECKSUM}))
    huge = Event("step.applied", {}, 0, None, _Length(10_000_000))
    seen[0](observed.run, [huge])
    assert observed.metrics()["executor.operations.executed"] == 10_000_000


class _Length:
    """So many steps that nobody could look at each."""

    def __init__(self, length: int) -> None:
        self._length = length

    def __len__(self) -> int:
        return self._length
