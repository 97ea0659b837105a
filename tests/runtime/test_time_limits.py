"""What a run's own time-out breaks off is told: taken back where that can be done, never forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import holdfast
from holdfast.runtime.clock import SystemClock


class RunsOut(SystemClock):
    """An hour goes by as soon as there is a sign."""

    def __init__(self, sign: Path) -> None:
        self._sign = sign

    def now(self) -> float:
        return super().now() + (3600 if self._sign.exists() else 0)


def broken_off(tmp_path: Path, *, timeout: str = "1m", **more: Any) -> tuple[holdfast.Result, list[str]]:
    """A run that is out of time while a program of it runs; and the types of its events."""
    begun = tmp_path / "begun"
    nap = {"command": ["sh", "-c", f"touch {begun}; sleep 60"], "id": "nap", **more}
    plan = holdfast.parse({"holdfast": 1, "name": "late", "policy": {"timeout": timeout}, "steps": [nap]})
    with holdfast.open(str(tmp_path / "state")) as hf:
        hf.parts.clock = RunsOut(begun)
        result = hf.apply(plan)
        return result, [event["type"] for event in hf.event_documents(result.run)]


def test_without_undo_and_check_it_is_told_that_nothing_of_it_was_taken_back(tmp_path: Path) -> None:
    """Its end was seen, so it is not in doubt: it has failed like a program that takes longer than its own time-out."""
    result, types = broken_off(tmp_path)
    assert "step.in_doubt" not in types
    assert (result.ending, result.failed, result.residue) == ("rolled_back", ["nap"], [])
    assert [(error["code"], error["step"]) for error in result.errors] == [("timeout", None), ("cancelled", "nap")]
    assert "how far it came" in result.errors[1]["hint"]


def test_a_step_that_is_out_of_its_own_time_ends_like_one_that_is_out_of_the_runs(tmp_path: Path) -> None:
    nap = {"command": ["sleep", "60"], "id": "nap", "timeout": "50ms"}
    with holdfast.open(str(tmp_path / "state")) as hf:
        result = hf.apply(holdfast.parse({"holdfast": 1, "name": "late", "steps": [nap]}))
    assert (result.ending, result.failed, result.residue) == ("rolled_back", ["nap"], [])
    assert result.errors[0]["code"] == "timeout" and "how far it came" in result.errors[0]["hint"]


def test_with_an_undo_what_was_broken_off_is_undone(tmp_path: Path) -> None:
    result, _ = broken_off(tmp_path, undo=["rm", str(tmp_path / "begun")])
    assert (result.ending, (tmp_path / "begun").exists()) == ("rolled_back", False)


@pytest.mark.parametrize("undo", [True, False])
def test_what_its_check_finds_done_is_taken_back_or_left_behind(tmp_path: Path, undo: bool) -> None:
    """What was done and cannot be undone is nothing that could be called rolled back"""
    more = {"undo": ["rm", str(tmp_path / "begun")]} if undo else {}
    result, _ = broken_off(tmp_path, check=["test", "-e", str(tmp_path / "begun")], **more)
    left = [residue["step"] for residue in result.residue]
    assert (result.ending, result.executed, left) == (("rolled_back", ["nap"], []) if undo else ("stuck", ["nap"], ["nap"]))
    assert (tmp_path / "begun").exists() is not undo


def test_a_run_that_is_out_of_time_at_once_ends_as_well(tmp_path: Path) -> None:
    result, _ = broken_off(tmp_path, timeout="1ms")
    assert (result.ending, result.errors[0]["code"]) == ("rolled_back", "timeout")
