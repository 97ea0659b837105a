"""What is managed, and what is not as it was recorded."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import holdfast
from holdfast import Holdfast, Refused
from tests.app.conftest import PlanOf


def drifted(hf: Holdfast, root: Path, plan: str | None = None) -> list[str]:
    return [found["resource"].removeprefix(f"local:{root}/") for found in hf.drift(plan)]


def test_nothing_drifts_after_an_apply(hf: Holdfast, plan_of: PlanOf) -> None:
    hf.apply(plan_of({"dir": "d"}, {"file": "d/f", "content": "x"}, {"link": "l", "to": "d/f"}))
    assert hf.drift() == []


def test_every_kind_of_drift_is_told_with_both_states(hf: Holdfast, root: Path, plan_of: PlanOf) -> None:
    files = [{"file": name, "content": "x", "mode": "0644"} for name in ("edited", "opened", "gone", "linked", "same")]
    hf.apply(plan_of(*files))
    (root / "edited").write_text("y")
    (root / "opened").chmod(0o666)
    (root / "gone").unlink()
    (root / "linked").unlink()
    (root / "linked").symlink_to("same")
    found = {row["resource"].rpartition("/")[2]: row for row in hf.drift()}
    assert sorted(found) == ["edited", "gone", "linked", "opened"]
    assert found["gone"]["found"] is None
    assert (found["opened"]["recorded"]["mode"], found["opened"]["found"]["mode"]) == ("0644", "0666")
    assert found["linked"]["found"]["type"] == "link"


def test_the_newest_run_of_a_plan_tells_what_it_manages(hf: Holdfast, root: Path, plan_of: PlanOf) -> None:
    hf.apply(plan_of({"file": "old", "content": "x"}))
    hf.apply(plan_of({"file": "new", "content": "x"}))
    for name in ("old", "new"):
        (root / name).unlink()
    assert drifted(hf, root) == ["new"]


def test_a_run_that_was_rolled_back_does_not_count(hf: Holdfast, root: Path, plan_of: PlanOf) -> None:
    hf.apply(plan_of({"file": "f", "content": "one"}))
    hf.apply(plan_of({"file": "f", "content": "two"}))
    hf.rollback("last")
    assert hf.drift() == []
    (root / "f").write_text("two")
    assert drifted(hf, root) == ["f"]


def test_what_an_unchanged_run_saw_does_not_count_once_it_was_taken_back(hf: Holdfast, plan_of: PlanOf) -> None:
    first = hf.apply(plan_of({"file": "f", "content": "one"})).run
    assert hf.apply(plan_of({"file": "f", "content": "one"})).ending == "unchanged"
    hf.rollback(first)
    assert hf.drift() == []


def test_of_a_partial_run_only_what_is_in_counts(hf: Holdfast, root: Path, plan_of: PlanOf) -> None:
    steps = [
        {"file": "in", "content": "x"},
        {"command": ["false"], "undo": ["true"], "id": "no"},
        {"file": "out", "content": "x", "needs": ["no"]},
    ]
    assert hf.apply(plan_of(*steps, policy={"on_failure": "continue"})).ending == "partial"
    assert hf.drift() == []
    (root / "in").unlink()
    assert drifted(hf, root) == ["in"]


def test_a_resource_of_two_plans_is_as_the_newest_run_of_either_left_it(hf: Holdfast, root: Path, plan_of: PlanOf) -> None:
    hf.apply(plan_of({"file": "shared", "content": "one"}, name="first"))
    hf.apply(plan_of({"file": "shared", "content": "two"}, name="second"))
    assert hf.drift("first") == hf.drift("second") == []


def test_a_restore_is_no_drift_and_manages_nothing_by_itself(hf: Holdfast, root: Path, plan_of: PlanOf) -> None:
    hf.apply(plan_of({"file": "f", "content": "one"}))
    hf.checkpoint_create("before")
    hf.apply(plan_of({"file": "f", "content": "two"}))
    hf.checkpoint_restore("before")
    assert hf.drift() == hf.drift("web") == []
    hf.apply(plan_of({"file": "other", "content": "x"}))
    (root / "f").unlink()
    assert hf.drift() == []


def test_what_was_compacted_away_is_still_managed(hf: Holdfast, root: Path, plan_of: PlanOf) -> None:
    hf.apply(plan_of({"file": "f", "content": "x"}))
    hf.parts.runs_held_max = 0
    assert hf.compact(keep_runs=0)["runs"] == 1
    assert hf.drift("web") == []
    (root / "f").unlink()
    assert drifted(hf, root, "web") == ["f"]


def test_an_unknown_plan_is_told_and_no_plan_at_all_drifts_nowhere(hf: Holdfast) -> None:
    assert hf.drift() == []
    with pytest.raises(Refused) as refused:
        hf.drift("nothing")
    assert refused.value.code == "not_found"


def test_drift_of_the_asynchronous_front(state: str, root: Path, plan_of: PlanOf) -> None:
    async def use() -> int:
        async with holdfast.Engine.open(state) as engine:
            await engine.apply(plan_of({"file": "f", "content": "x"}))
            (root / "f").unlink()
            return len(await engine.drift())

    assert asyncio.run(use()) == 1
