"""What is kept for undoing, for how long, and what is cleaned up."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import holdfast
from holdfast import Holdfast, Refused
from tests.app.conftest import PlanOf


def slots(state: str) -> list[str]:
    return [name for name in os.listdir(Path(state, "stash")) if not name.startswith(".")]


def test_only_the_newest_runs_can_be_rolled_back(hf: Holdfast, root: Path, state: str, plan_of: PlanOf) -> None:
    hf.parts.runs_held_max = 2
    made = [hf.apply(plan_of({"file": "f", "content": str(number)})).run for number in range(4)]
    assert len(slots(state)) == 2
    with pytest.raises(Refused) as refused:
        hf.rollback(made[1])
    assert refused.value.code == "no_previous"
    assert hf.rollback(made[3]).ending == "rolled_back"
    assert hf.rollback(made[2]).ending == "rolled_back"
    assert (root / "f").read_text() == "1"


def test_runs_that_changed_nothing_take_the_place_of_older_ones(hf: Holdfast, state: str, plan_of: PlanOf) -> None:
    hf.parts.runs_held_max = 2
    hf.apply(plan_of({"file": "f", "content": "one"}))
    hf.apply(plan_of({"file": "f", "content": "two"}))
    for _ in range(2):
        hf.apply(plan_of({"file": "f", "content": "two"}))
    assert slots(state) == []


def test_a_lower_limit_is_caught_up_with_by_compacting(hf: Holdfast, state: str, plan_of: PlanOf) -> None:
    for number in range(12):
        hf.apply(plan_of({"file": "f", "content": str(number)}))
    hf.parts.runs_held_max = 1
    hf.compact(keep_runs=100)
    assert len(slots(state)) == 1


def test_what_a_crash_left_in_the_stash_is_swept(hf: Holdfast, root: Path, state: str, plan_of: PlanOf) -> None:
    (root / "f").write_text("before")
    kept = hf.apply(plan_of({"file": "f", "content": "one"})).run
    gone = hf.apply(plan_of({"file": "f", "content": "two"})).run
    hf.rollback(gone)
    stash = Path(state, "stash")
    (stash / f"{gone}%2F0.0").write_text("left by a crash")
    (stash / f".{gone}%2F0.0.part").write_text("left by a crash")
    (stash / f".{gone}%2F0.0.kept").write_text("foreign, for a person to look at")
    (stash / "01ANOTHERSTATEDIRECTORY000%2F0.0").write_text("not ours to judge")
    assert hf.compact(keep_runs=100)["slots"] == 1
    left = sorted(os.listdir(stash))
    assert left == sorted([f"{kept}%2F0.0", f".{gone}%2F0.0.kept", "01ANOTHERSTATEDIRECTORY000%2F0.0"])
    assert hf.rollback(kept).ending == "rolled_back"
    assert (root / "f").read_text() == "before"


def test_compacting_drops_the_records_of_old_runs_and_keeps_the_history(hf: Holdfast, plan_of: PlanOf) -> None:
    hf.parts.runs_held_max = 1
    for number in range(5):
        hf.apply(plan_of({"file": "f", "content": str(number)}))
    assert hf.compact(keep_runs=2)["runs"] == 3
    assert len(hf.runs()) == 5


def test_a_run_that_is_locked_lets_go_later(hf: Holdfast, state: str, plan_of: PlanOf, root: Path) -> None:
    hf.parts.runs_held_max = 1
    (root / "f").write_text("before")
    hf.apply(plan_of({"file": "f", "content": "after"}))
    with holdfast.open(state) as other:
        other.journal.lock("SOMEBODY", other.parts.owner.name, [f"local:{root}/f"], at=0.0)
        hf.apply(plan_of({"file": "g", "content": "x"}, name="other"))
        assert len(slots(state)) == 1
        other.journal.unlock("SOMEBODY", at=0.0)
    assert hf.settle() == 1
    assert slots(state) == []
