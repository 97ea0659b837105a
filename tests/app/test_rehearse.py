"""Rehearsing: a failure at every step, in memory, and nothing anywhere else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import holdfast
from holdfast import Holdfast
from tests.app.conftest import PlanOf, manifest


def test_a_plan_of_files_is_covered_completely(hf: Holdfast, root: Path, tmp_path: Path, plan_of: PlanOf) -> None:
    (root / "old").write_text("old")
    (root / "etc").mkdir()
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    (tmp_path / "source").write_text("from a source")
    plan = plan_of(
        {"dir": "a/b", "parents": True},
        {"file": "a/b/f", "source": str(tmp_path / "source")},
        {"file": "old", "content": "new", "mode": "0600"},
        {"move": "etc/hosts", "to": "a/hosts"},
        {"link": "l", "to": "a/b/f"},
        {"copy": "a/b/f", "to": "copied", "needs": ["main/main/2-file"]},
        {"remove": "etc", "needs": ["main/main/4-move"]},
    )
    before = manifest(root)
    rehearsal = hf.rehearse(plan)
    assert (rehearsal.coverage, rehearsal.residue, rehearsal.irreversible, rehearsal.problems) == (100.0, (), (), ())
    assert rehearsal.points == rehearsal.possible == 3 * 8
    assert manifest(root) == before


def test_nothing_is_journaled_and_no_command_runs(hf: Holdfast, root: Path, plan_of: PlanOf) -> None:
    rehearsal = hf.rehearse(plan_of({"command": ["touch", str(root / "ran")], "undo": ["rm", str(root / "ran")]}))
    assert (rehearsal.coverage, rehearsal.points) == (100.0, 3)
    assert hf.runs() == []
    assert not (root / "ran").exists()


def test_a_command_without_undo_is_a_residue(hf: Holdfast, plan_of: PlanOf) -> None:
    plan = plan_of({"command": ["true"], "id": "bell"}, {"file": "f", "content": "x", "needs": ["bell"]})
    rehearsal = hf.rehearse(plan)
    assert rehearsal.irreversible == ("bell",)
    assert 0 < rehearsal.coverage < 100
    assert {residue["step"] for residue in rehearsal.residue} == {"bell"}
    assert rehearsal.plain()["residue"][0]["what_to_do"]


def test_a_step_that_is_tried_again_fails_all_the_same(hf: Holdfast, plan_of: PlanOf) -> None:
    rehearsal = hf.rehearse(plan_of({"file": "f", "content": "x", "retry": {"attempts": 5, "delay": "1h"}}, {"wait": "1h"}))
    assert (rehearsal.coverage, rehearsal.points) == (100.0, 6)


def test_it_is_rehearsed_that_everything_goes_back_whatever_the_policy_says(hf: Holdfast, plan_of: PlanOf) -> None:
    plan = plan_of(
        {"file": "f", "content": "x"}, {"file": "g", "content": "x"}, policy={"on_failure": "continue", "confirm_within": "1m"}
    )
    assert hf.rehearse(plan).coverage == 100.0


def test_large_plans_are_rehearsed_at_some_points_evenly(hf: Holdfast, plan_of: PlanOf) -> None:
    plan = plan_of(*({"link": f"l{number}", "to": "x", "dangling": True} for number in range(50)))
    rehearsal = hf.rehearse(plan, points_max=10)
    assert (rehearsal.points, rehearsal.possible, rehearsal.coverage) == (10, 150, 100.0)
    assert rehearsal.plain()["points_possible"] == 150


def test_a_plan_with_nothing_to_do_is_covered(hf: Holdfast, root: Path, plan_of: PlanOf) -> None:
    (root / "d").mkdir(mode=0o755)
    rehearsal = hf.rehearse(plan_of({"dir": "d"}))
    assert (rehearsal.coverage, rehearsal.points) == (100.0, 0)


def test_a_plan_that_cannot_be_carried_out_is_not_rehearsed(hf: Holdfast, plan_of: PlanOf) -> None:
    rehearsal = hf.rehearse(plan_of({"file": "missing/f", "content": "x"}))
    assert [problem.code for problem in rehearsal.problems] == ["parent_not_found"]
    assert rehearsal.points == 0


def test_a_secret_is_not_needed_to_rehearse_with_it(hf: Holdfast, root: Path, tmp_path: Path, plan_of: PlanOf) -> None:
    (tmp_path / "secret").write_text("hush")
    plan = plan_of(
        {"file": "f", "content": {"secret": f"file:{tmp_path}/secret"}, "mode": "0600"}, {"file": "g", "content": "x"}
    )
    rehearsal = hf.rehearse(plan)
    assert (rehearsal.coverage, rehearsal.points, rehearsal.problems) == (100.0, 6, ())


def test_a_step_may_read_what_an_earlier_one_makes(hf: Holdfast, plan_of: PlanOf) -> None:
    steps: list[dict[str, Any]] = [
        {"dir": "d"},
        {"file": "d/made", "content": "x"},
        {"copy": "d/made", "to": "twin"},
        {"edit": "twin", "line": "y"},
    ]
    steps[2]["id"], steps[3]["needs"] = "twin", ["twin"]
    rehearsal = hf.rehearse(plan_of(*steps))
    assert (rehearsal.coverage, rehearsal.points) == (100.0, 12)


def test_rehearsal_of_the_asynchronous_front(state: str, plan_of: PlanOf) -> None:
    async def use() -> float:
        async with holdfast.Engine.open(state) as engine:
            return (await engine.rehearse(plan_of({"file": "f", "content": "x"}))).coverage

    assert asyncio.run(use()) == 100.0


def test_rehearsing_needs_no_state_directory(state: str, plan_of: PlanOf) -> None:
    with Holdfast.looking(state) as hf:
        assert hf.rehearse(plan_of({"file": "f", "content": "x"})).coverage == 100.0
    assert not Path(state).exists()


def test_what_a_plan_accepts_is_no_mistake_of_ours(hf: Holdfast, plan_of: PlanOf) -> None:
    found = hf.rehearse(plan_of({"command": ["true"], "irreversible": True}, {"command": ["true"], "irreversible": True}))
    assert found.residue
    assert not [row for row in found.residue if "report" in row["what_to_do"]]
