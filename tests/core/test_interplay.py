"""Where failures, pauses, deaths, time limits and dependents meet."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.core.control import refusal
from holdfast.core.stimuli import Apply, Inspect
from holdfast.testing.builders import Ring, a_plan, a_stage, a_step, a_task
from tests.core.driven import Driven


def staged(name: str, count: int = 2, **more: Any) -> Any:
    return a_task(name, *(a_stage(f"s{n}", a_step(f"{name}{n}", Ring(f"{name}{n}", undo=True))) for n in range(count)), **more)


def test_a_failure_counts_more_than_a_pause_that_has_not_come_to_rest() -> None:
    driven = Driven(a_plan(staged("a"), staged("b"), staged("c", needs=("a",)), parallel=1))
    driven.ask("pause")
    driven.comes_back("a0", "failed")
    assert driven.run.state == "rolling_back"
    assert driven.finish().ending == "rolled_back"


def test_a_step_whose_task_ran_out_of_time_is_asked_about_when_its_process_died() -> None:
    driven = Driven(a_plan(staged("a"), on_failure="continue", timeout=10.0))
    driven.comes_back("a0")
    driven.pass_until(11.0)
    assert driven.run.tasks[0].state == "failed"
    (asked,) = driven.die(resume=True)
    assert isinstance(asked, Inspect) and [driven.name(step) for step in asked.steps] == ["a1"]
    run = driven.finish()
    assert (run.ending, run.steps) == ("partial", ["applied", "applied"])


def late() -> Driven:
    """A task that was to be tried again, for which it was too late; what its first stage did is in place."""
    driven = Driven(a_plan(staged("a"), on_failure="continue", timeout=10.0))
    driven.comes_back("a0")
    driven.comes_back("a1", "failed")
    driven.finish()
    driven.now = 20.0
    driven.ask("retry")
    driven.finish()
    assert (driven.run.ending, driven.run.tasks[0].state) == ("partial", "failed")
    return driven


def test_what_waited_in_vain_to_be_tried_again_is_taken_back_with_the_rest() -> None:
    driven = late()
    driven.ask("rollback")
    assert [step for step in driven.finish().steps if step == "applied"] == []
    assert driven.run.ending == "rolled_back"


def test_a_half_done_step_is_taken_back_also_when_its_process_dies_meanwhile() -> None:
    driven = Driven(a_plan(a_task("a", a_step("a0", Ring("a0", undo=True))), "b", on_failure="continue"))
    driven.comes_back("b")
    driven.comes_back("a0", "failed")
    assert driven.run.steps[0] == "undoing"
    (again,) = driven.die(resume=True)
    assert isinstance(again, Apply) and again.undo and [driven.name(step) for step in again.steps] == ["a0"]
    assert driven.finish().ending == "partial"


@pytest.mark.parametrize("leaning", ["task", "step"])
def test_a_task_is_not_taken_from_under_others(leaning: str) -> None:
    """Undo waits until all dependents are undone."""
    built = staged("b", needs=("a",)) if leaning == "task" else a_task("b", a_step("b0", Ring("b0", undo=True), needs=["a1"]))
    driven = Driven(a_plan(staged("a"), built, scope="task"))
    driven.finish()
    refused = refusal(driven.run, "rollback", {"task": "a"})
    assert refused is not None and "`b`" in refused
    driven.ask("rollback", task="b")
    driven.finish()
    assert refusal(driven.run, "rollback", {"task": "a"}) is None
    (first,) = driven.ask("rollback", task="a")
    assert isinstance(first, Apply) and first.undo
    assert driven.finish().ending == "rolled_back"
