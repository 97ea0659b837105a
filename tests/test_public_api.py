"""What a program relies on: `holdfast.load`, `parse`, `open`, `Engine`, and results that never raise for an ending."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import pydoc
import subprocess
import sys
from pathlib import Path

import pytest

import holdfast
from holdfast import testing
from holdfast.journal.memory import MemoryJournal
from holdfast.runtime.ids import Ulids
from holdfast.testing.builders import VirtualClock

PLAN = """
holdfast: 1
name: web
steps:
  - dir: {root}/app
  - file: {root}/app/conf
    id: conf
    content: "release=1"
"""


@pytest.fixture
def text(tmp_path: Path) -> str:
    (tmp_path / "root").mkdir()
    return PLAN.format(root=tmp_path / "root")


def test_a_plan_is_loaded_previewed_and_applied(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.yaml").write_text(text)
    plan = holdfast.load(str(tmp_path / "plan.yaml"))
    with holdfast.open(str(tmp_path / "state")) as hf:
        preview = hf.plan(plan)
        assert (preview.problems, list(preview.irreversible), preview.pending) == ((), [], True)
        assert [change["action"] for change in preview.changes] == ["create", "create"]
        result = hf.apply(plan)
    assert (result.ending, result.success, result.partial_failure) == ("committed", True, False)
    assert list(result.executed)[-1] == "conf"
    assert (tmp_path / "root/app/conf").read_text() == "release=1"


def test_an_invalid_plan_raises_with_all_its_problems() -> None:
    with pytest.raises(holdfast.PlanError) as failed:
        holdfast.parse("holdfast: 1\nname: web\nsteps:\n  - fil: /x\n  - file: /y\n    contents: x\n")
    assert {problem.code for problem in failed.value.problems} >= {"unknown_kind", "unknown_key"}
    assert all(problem.where and problem.hint for problem in failed.value.problems)


def test_a_format_that_nobody_reads_is_a_problem() -> None:
    with pytest.raises(holdfast.PlanError, match="yaml, json, toml"):
        holdfast.parse("<plan/>", format="xml")  # type: ignore[arg-type]


def test_a_refused_run_is_a_result(tmp_path: Path) -> None:
    plan = holdfast.parse(f"holdfast: 1\nname: web\nsteps:\n  - file: {tmp_path}/missing/f\n    content: x\n    id: f\n")
    with holdfast.open(str(tmp_path / "state")) as hf:
        result = hf.apply(plan)
    assert (result.ending, result.success, list(result.failed), list(result.executed)) == ("refused", False, ["f"], [])
    assert result.errors[0]["code"] == "parent_not_found"


def test_a_failed_run_is_a_result_as_complete_as_a_good_one(tmp_path: Path, text: str) -> None:
    plan = holdfast.parse(text + '  - command: ["false"]\n    id: no\n    undo: ["true"]\n    needs: [conf]\n')
    with holdfast.open(str(tmp_path / "state")) as hf:
        result = hf.apply(plan)
    assert (result.ending, list(result.failed)) == ("rolled_back", ["no"])
    assert sorted(result.rolled_back) == sorted(result.executed)
    assert result.errors[0]["code"] == "command_failed"
    assert list((tmp_path / "root").iterdir()) == []
    assert json.loads(json.dumps(result.plain()))["tasks"][0]["state"] == "rolled_back"


def test_a_preview_is_applied_exactly_or_refused_as_stale(tmp_path: Path, text: str) -> None:
    plan = holdfast.parse(text)
    with holdfast.open(str(tmp_path / "state")) as hf:
        preview = hf.plan(plan)
        (tmp_path / "root/app").mkdir()
        result = hf.apply(preview)
    assert (result.ending, {error["code"] for error in result.errors}) == ("refused", {"stale_plan"})


def test_the_asynchronous_engine_does_the_same(tmp_path: Path, text: str) -> None:
    plan = holdfast.parse(text)

    async def use() -> list[str]:
        async with holdfast.Engine.open(str(tmp_path / "state")) as engine:
            assert (await engine.plan(plan)).pending
            result = await engine.apply(plan)
            assert result.ending == "committed"
            types = [event["type"] async for event in engine.events(result.run)]
            assert (await engine.rollback(result.run)).ending == "rolled_back"
            return types

    types = asyncio.run(use())
    assert types[0] == "run.created"
    assert "run.committed" in types
    assert list((tmp_path / "root").iterdir()) == []


def test_options_are_given_by_name_to_both_engines_and_must_be_sound(tmp_path: Path, text: str) -> None:
    plan = holdfast.parse(text)

    async def use() -> str | None:
        async with holdfast.Engine.open(tmp_path / "state") as engine:
            return (await engine.apply(plan, parallel=2, source="manual:somebody")).ending

    assert asyncio.run(use()) == "committed"
    for wrong in ({"parallel": 0}, {"on_failure": "explode"}, {"confirm_within": -1}):
        with holdfast.open(tmp_path / "state") as hf, pytest.raises(holdfast.PlanError, match=next(iter(wrong))):
            hf.apply(plan, **wrong)


def test_what_is_no_plan_is_told_what_a_plan_is(tmp_path: Path) -> None:
    with holdfast.open(tmp_path / "state") as hf, pytest.raises(TypeError, match=r"holdfast\.load"):
        hf.apply("plan.yaml")  # type: ignore[arg-type]


@pytest.mark.parametrize("front", [holdfast.Engine, holdfast.Holdfast])
def test_an_engine_over_a_directory_that_was_not_opened_says_how_to_open_it(
    front: type[holdfast.Engine | holdfast.Holdfast], tmp_path: Path
) -> None:
    with pytest.raises(TypeError, match=rf"{front.__name__}\.open\(state\)"):
        front(tmp_path / "state")  # type: ignore[arg-type]  # the mistake that is tested


def test_everything_an_engine_is_made_of_can_be_handed_in(tmp_path: Path, text: str) -> None:
    clock, store = VirtualClock(), MemoryJournal()
    lines: list[logging.LogRecord] = []
    logger = logging.Logger("mine", logging.INFO)
    handler = logging.Handler()
    handler.emit = lines.append  # type: ignore[method-assign]
    logger.addHandler(handler)
    with holdfast.open(
        tmp_path / "state", store=store, clock=clock, ids=Ulids(lambda count: bytes(count)), logger=logger
    ) as hf:
        result = hf.apply(holdfast.parse(text))
        hf.checkpoint_create("before")
    assert (result.started_at, result.run[-16:]) == (clock.now(), "0" * 15 + "1")  # the engine itself is the first
    assert [line.getMessage() for line in lines][:2] == ["preparing_plan", "executing_plan"]
    assert [line.getMessage() for line in lines][-2:] == ["execution_complete", "checkpoint_created"]
    assert {vars(line).get("run") for line in lines} == {result.run, None}


def test_without_a_tracer_the_sdk_of_the_process_hears_of_runs_and_hosts(tmp_path: Path, text: str) -> None:
    """In a process of its own: an SDK is configured once and for all."""
    code = """
import sys, holdfast
from holdfast import ssh
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

spans, reader, provider = InMemorySpanExporter(), InMemoryMetricReader(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
metrics.set_meter_provider(MeterProvider([reader]))
with holdfast.open(sys.argv[1]) as hf:
    hf.apply(holdfast.parse(sys.stdin.read()))
with ssh.open(ssh.ExecutorConfig.development()) as executor:
    executor.run_command(ssh.Command("true", host="127.0.0.1:1"))
scopes = [scope for found in reader.get_metrics_data().resource_metrics for scope in found.scope_metrics]
names = {metric.name for scope in scopes for metric in scope.metrics}
print(sorted({span.name for span in spans.get_finished_spans()}), {"executor.executions.total", "ssh.command.failed"} <= names)
"""
    found = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "state")], input=text, capture_output=True, text=True, check=True
    )
    assert found.stdout == "['executor.Execute', 'executor.Prepare', 'operation.Execute', 'ssh.command', 'ssh.connect'] True\n"


def test_two_engines_share_a_state_directory(tmp_path: Path, text: str) -> None:
    plan = holdfast.parse(text)
    with holdfast.open(str(tmp_path / "state")) as one, holdfast.open(str(tmp_path / "state")) as other:
        run = one.apply(plan).run
        assert other.show(run).ending == "committed"
        assert other.apply(plan).ending == "unchanged"


def test_names_that_are_promised_are_there_and_others_are_told() -> None:
    for name in holdfast.__all__:
        assert getattr(holdfast, name) is not None
    with pytest.raises(AttributeError):
        holdfast.nothing  # noqa: B018


VERBS = [
    "plan",
    "apply",
    "control",
    "pause",
    "resume",
    "cancel",
    "retry",
    "rollback",
    "confirm",
    "approve",
    "events",
    "recover",
    "drift",
]


def test_help_teaches() -> None:
    said = pydoc.render_doc(holdfast, renderer=pydoc.plaintext)  # type: ignore[attr-defined]
    assert all(word in said for word in ("holdfast.load", ".irreversible", "never raises for an ending", "holdfast.rollouts"))
    for name in holdfast.__all__:
        thing = getattr(holdfast, name)
        if name != "__version__":
            assert inspect.getdoc(thing), name
    for front in (holdfast.Engine, holdfast.Holdfast):
        for verb in VERBS:
            assert inspect.getdoc(getattr(front, verb)), verb


def test_the_suites_for_others_are_at_the_door_of_testing() -> None:
    assert [getattr(testing, name).__name__ for name in testing.__all__] == testing.__all__
    with pytest.raises(AttributeError):
        testing.nothing  # noqa: B018


def test_importing_costs_next_to_nothing() -> None:
    heavy = "asyncio", "msgspec", "yaml", "rich", "sqlite3", "jinja2", "opentelemetry"
    code = f"import sys, holdfast; print([name for name in {heavy!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
