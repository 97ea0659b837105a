"""What a run's own time-out breaks off is told: taken back where that can be done, never forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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


def test_without_an_undo_what_was_broken_off_is_left_behind_and_the_run_is_stuck(tmp_path: Path) -> None:
    result, types = broken_off(tmp_path)
    assert "step.in_doubt" in types
    assert (result.ending, [residue["step"] for residue in result.residue]) == ("stuck", ["nap"])
    assert {error["code"] for error in result.errors} == {"timeout", "in_doubt"}


def test_with_an_undo_what_was_broken_off_is_undone(tmp_path: Path) -> None:
    result, _ = broken_off(tmp_path, undo=["rm", str(tmp_path / "begun")])
    assert (result.ending, (tmp_path / "begun").exists()) == ("rolled_back", False)


def test_what_may_stay_is_told(tmp_path: Path) -> None:
    result, _ = broken_off(tmp_path, irreversible=True)
    assert (result.ending, [residue["step"] for residue in result.residue]) == ("rolled_back", ["nap"])


def test_a_run_that_is_out_of_time_at_once_ends_as_well(tmp_path: Path) -> None:
    result, _ = broken_off(tmp_path, timeout="1ms")
    assert result.ending in ("rolled_back", "stuck")
    assert (tmp_path / "begun").exists() <= bool(result.residue)
