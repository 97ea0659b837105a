"""Trying failed tasks again: from their checkpoint or from scratch, in turn, and three times at the most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from holdfast.core.control import refusal
from holdfast.core.errors import Failure
from holdfast.core.run import Run
from holdfast.drivers.contract import SKIPPED, Batch, Ending, Outcome
from holdfast.drivers.wrappers import Wrapper
from holdfast.testing.builders import Cells, Trial, a_plan, a_stage, a_step, a_task


class Broken(Wrapper):
    """Cells whose names begin with `bad` cannot be set until it is mended."""

    mended = False

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        if not self.mended and any(move.change.key.startswith("bad") and not move.undo for move in batch.moves):
            failed = Outcome(Ending.FAILED, Failure(code="io_error", message="it is broken"))
            return [failed if move.change.key.startswith("bad") else SKIPPED for move in batch.moves]
        return await super().apply(batch)


def broken(*tasks: Any, **policy: Any) -> tuple[Trial, Broken, Run]:
    world = Cells()
    driver = Broken(world)
    trial = Trial(a_plan(*tasks, **policy), world, driver)
    return trial, driver, trial.go()


def in_three_stages() -> Any:
    return a_task("t", a_stage("one", "a"), a_stage("two", "bad"), a_stage("three", "c"))


def started(trial: Trial) -> list[int | None]:
    return [event.stage for event in trial.events if event.type == "stage.started"]


def test_x04_from_the_checkpoint_only_what_is_not_done_is_run() -> None:
    trial, driver, run = broken(in_three_stages(), on_failure="stop")
    assert (run.ending, run.tasks[0].stages) == ("partial", ["committed", "failed", "pending"])
    driver.mended = True
    run = trial.command("retry", **{"from": "checkpoint"})
    assert (run.ending, run.tasks[0].stages, started(trial)) == ("committed", ["committed"] * 3, [0, 1, 1, 2])
    assert [key for key, _ in trial.world.log] == ["a", "bad", "c"]


def test_x05_from_scratch_what_stands_is_taken_back_first() -> None:
    trial, driver, _ = broken(in_three_stages(), on_failure="stop")
    driver.mended = True
    run = trial.command("retry", **{"from": "scratch"})
    assert (run.ending, started(trial)) == ("committed", [0, 1, 0, 1, 2])
    assert trial.world.log == [("a", False), ("a", True), ("a", False), ("bad", False), ("c", False)]


def test_a_retry_from_scratch_that_fails_too_leaves_what_the_policy_says() -> None:
    trial, _, _ = broken(in_three_stages(), on_failure="stop")
    run = trial.command("retry", **{"from": "scratch"})
    assert (run.ending, trial.world.cells) == ("partial", {"a": "a"})
    assert trial.roll_back().ending == "rolled_back"
    assert trial.world.cells == {}


def test_x16_the_counter_counts_and_the_fourth_time_is_refused() -> None:
    trial, _, run = broken(in_three_stages(), on_failure="stop")
    for count in range(3):
        assert run.tasks[0].retries == count
        assert refusal(run, "retry", {}) is None
        run = trial.command("retry")
    assert [event.data["count"] for event in trial.events if event.type == "task.retry_started"] == [1, 2, 3]
    assert "3 times" in (refusal(run, "retry", {}) or "")


def test_retried_tasks_take_their_turn() -> None:
    trial, driver, _ = broken(*(a_task(f"t{n}", f"bad{n}") for n in range(4)), scope="task", on_failure="stop", tasks_at_once=4)
    driver.mended = True
    trial.plan = a_plan(*trial.plan.tasks, scope="task", on_failure="stop", tasks_at_once=1)
    assert trial.command("retry").ending == "committed"
    order = [(event.task, event.type) for event in trial.events if event.type in ("task.retry_started", "task.completed")]
    assert order == [(n, event) for n in range(4) for event in ("task.retry_started", "task.completed")]


def test_one_of_several_failed_tasks_can_be_tried_again_alone() -> None:
    tasks = (a_task("t", "bad1"), a_task("u", "bad2"), a_task("v", a_step("d")))
    trial, driver, _ = broken(*tasks, scope="task", on_failure="stop")
    driver.mended = True
    run = trial.command("retry", task="t")
    assert (run.ending, [task.state for task in run.tasks]) == ("partial", ["completed", "failed", "completed"])


def test_a_task_that_needs_a_retried_one_goes_on_from_its_own_checkpoint() -> None:
    world = Cells()
    driver = Broken(world)
    needing = a_task("u", a_stage("one", "b"), a_stage("two", "bad"), needs=("t",))
    trial = Trial(a_plan(a_task("t", "a"), needing, scope="task", on_failure="stop"), world, driver)
    trial.go()
    trial.command("rollback", task="t")
    driver.mended = True
    run = trial.command("retry")
    assert (run.ending, world.cells) == ("committed", {"a": "a", "b": "b", "bad": "bad"})


@pytest.mark.parametrize("origin", ["checkpoint", "scratch"])
def test_e02_a_retry_is_started_before_it_is_completed(origin: str) -> None:
    trial, driver, _ = broken(in_three_stages(), on_failure="stop")
    driver.mended = True
    trial.command("retry", **{"from": origin})
    types = [event.type for event in trial.events]
    assert types.index("task.retry_started") < types.index("task.retry_completed")
