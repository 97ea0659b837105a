"""What a program relies on: `holdfast.load`, `parse`, `open`, `Engine`, and results that never raise for an ending."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

import holdfast

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


def test_importing_costs_next_to_nothing() -> None:
    heavy = "asyncio", "msgspec", "yaml", "rich", "sqlite3", "jinja2", "opentelemetry"
    code = f"import sys, holdfast; print([name for name in {heavy!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
