"""Tasks and stages through their lives, in virtual time: the cases that say what must hold, by their ids."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.core.control import refusal
from holdfast.core.errors import Bug
from holdfast.core.events import singles
from holdfast.core.run import Run
from holdfast.core.states import COMMANDS, RUN, TASK, TASK_COMMANDS, after
from holdfast.drivers.wrappers import Faulty
from holdfast.testing.builders import Cells, Ring, Trial, a_plan, a_stage, a_step, a_task


def staged(name: str = "t", count: int = 3, **more: Any) -> Any:
    return a_task(name, *(a_stage(f"s{n}", a_step(f"{name}{n}", Ring(f"{name}{n}", undo=True))) for n in range(count)), **more)


class Told(Trial):
    """Asks when something happens: by the type of an event, once."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.states: list[tuple[str, str]] = []  # of the run and of its first task, after every decision
        self.on: dict[str, tuple[str, dict[str, Any]]] = {}
        self.watch = self._heard

    def _heard(self, run: Run, events: Any) -> None:
        self.states.append((run.state, run.tasks[0].state))
        for event in events:
            if event.type in self.on:
                self.asked.append(self.on.pop(event.type))

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events if event.type.startswith(("task.", "stage."))]


def told(*tasks: Any, on: dict[str, tuple[str, dict[str, Any]]] | None = None, driver: Any = None, **policy: Any) -> Told:
    trial = Told(a_plan(*tasks, **policy), driver=driver)
    trial.on = on or {}
    return trial


THREE = ["stage.started", "stage.completed"] * 3


def test_x01_e03_three_stages_that_go_well() -> None:
    trial = told(staged())
    assert trial.go().ending == "committed"
    assert trial.types == ["task.started", *THREE, "task.completed"]


def test_x02_x03_a_pause_acts_behind_the_stage_and_nothing_is_done_twice() -> None:
    trial = told(staged(), on={"run.started": ("pause", {})})
    trial.ask_after(50, "resume")
    assert trial.go().ending == "committed"
    assert ("pausing", "pausing") in trial.states and ("paused", "paused") in trial.states
    first = trial.types.index("task.paused")
    assert trial.types[:first] == ["task.started", "stage.started", "task.pausing", "stage.completed"]
    assert trial.types.count("stage.started") == 3


def rings(count: int, **more: Any) -> Any:
    """One stage, each step after the one before."""
    steps = [a_step(f"r{n}", Ring(f"r{n}", undo=True), needs=[f"r{n - 1}"] if n else [], **more) for n in range(count)]
    return a_task("t", a_stage("s", *steps))


def test_a_pause_for_now_acts_as_soon_as_what_is_in_flight_has_come_back() -> None:
    trial = told(rings(4), on={"step.applied": ("pause", {"now": True}), "run.paused": ("resume", {})})
    applied: list[int] = []
    heard = trial.watch

    def watch(run: Run, events: Any) -> None:
        heard(run, events)
        if any(event.type == "run.paused" for event in events):
            applied.append(run.steps.count("applied"))

    trial.watch = watch
    run = trial.go()
    assert (run.ending, run.steps) == ("committed", ["applied"] * 4)
    assert applied and applied[0] < 4
    assert trial.types.count("stage.started") == 1
    assert trial.types.count("stage.completed") == 1


def test_a_run_that_paused_for_now_rolls_back_what_it_did_when_it_is_cancelled() -> None:
    trial = told(rings(4), on={"step.applied": ("pause", {"now": True}), "run.paused": ("cancel", {})})
    run = trial.go()
    assert run.ending == "rolled_back"
    assert "applied" not in run.steps


def test_a_failure_counts_more_than_a_pause_for_now() -> None:
    world = Cells()
    trial = Told(a_plan(rings(3)), world, Faulty(world, 2))
    trial.on = {"run.started": ("pause", {"now": True}), "run.paused": ("resume", {})}
    assert trial.go().ending == "rolled_back"


def test_x07_x08_e04_a_stage_that_fails_ends_its_task() -> None:
    world = Cells()
    trial = Told(a_plan(staged(), on_failure="stop"), world, Faulty(world, 2))
    run = trial.go()
    assert run.tasks[0].stages == ["committed", "failed", "pending"]
    assert (trial.types.count("stage.failed"), trial.types.count("task.failed")) == (1, 1)
    assert run.error is not None and run.error["step"] == "t1"


def test_x09_a_task_without_stages_is_complete() -> None:
    assert told(a_task("empty"), staged("u", 1)).go().tasks[0].state == "completed"


def test_x10_a_stage_with_nothing_to_do_is_skipped() -> None:
    trial = Told(a_plan(a_stage("one", "a"), a_stage("two", "b"), a_stage("three", "c")), Cells({"b": "b"}))
    run = trial.go()
    assert (run.ending, run.tasks[0].stages) == ("committed", ["committed", "skipped", "committed"])


def test_x11_x14_a_cancel_waits_for_the_stage_and_is_told_who_and_where() -> None:
    trial = told(staged(), staged("u"), on={"stage.started": ("cancel", {"task": "t", "by": "eva"})}, scope="task")
    run = trial.go()
    assert (run.ending, [task.state for task in run.tasks]) == ("partial", ["cancelled", "completed"])
    assert ("running", "cancelling") in trial.states
    (cancelled,) = [event.data for event in trial.events if event.type == "task.cancelled"]
    assert (cancelled["by"], cancelled["last_stage"]) == ("eva", "s0")
    assert "t1" not in {key.removeprefix("ring/") for key, _ in trial.world.log}


def test_x12_cancel_beats_pause() -> None:
    trial = told(staged(), on={"run.pausing": ("cancel", {})})
    trial.asked.append(("pause", {}))
    trial.on["run.started"] = ("pause", {})
    assert trial.go().ending == "rolled_back"
    assert ("paused", "paused") not in trial.states


def test_x13_what_rests_is_cancelled_at_once() -> None:
    on = {"run.started": ("pause", {}), "run.paused": ("cancel", {"task": "u"}), "task.cancelled": ("resume", {})}
    trial = told(staged(), staged("u"), on=on, scope="task", tasks_at_once=1)
    run = trial.go()
    assert (run.ending, [task.state for task in run.tasks]) == ("partial", ["completed", "cancelled"])


def test_x15_a_pause_in_the_last_stage_comes_too_late() -> None:
    trial = told(staged(count=1), on={"stage.started": ("pause", {})})
    run = trial.go()
    assert (run.ending, run.tasks[0].state) == ("committed", "completed")


def test_x17_x18_nothing_rests_or_ends_that_was_not_asked_to() -> None:
    with pytest.raises(Bug):
        after(TASK, "running", "task.paused")
    with pytest.raises(Bug):
        after(TASK, "paused", "task.completed")


@pytest.mark.parametrize("state", RUN)
@pytest.mark.parametrize("verb", [verb for verb in COMMANDS if verb != "recover"])
def test_every_command_in_every_state_is_possible_or_refused_with_both_in_the_words(state: str, verb: str) -> None:
    trial = told(staged())
    run, _ = trial.reopened()
    run.state = state
    why = refusal(run, verb, {})
    if state not in COMMANDS[verb]:
        assert why is not None and verb in why and state in why


@pytest.mark.parametrize("state", TASK)
@pytest.mark.parametrize("verb", TASK_COMMANDS)
def test_the_same_of_a_task(state: str, verb: str) -> None:
    run, _ = told(staged()).reopened()
    run.tasks[0].state = state
    why = refusal(run, verb, {"task": "t"})
    if state not in TASK_COMMANDS[verb]:
        assert why is not None and verb in why and state in why


def test_r01_r07_a_rollback_goes_backwards_and_leaves_no_checkpoint() -> None:
    trial = told(staged())
    trial.go()
    run = trial.roll_back()
    assert (run.ending, run.tasks[0].stages) == ("rolled_back", ["rolled_back"] * 3)
    back = [event.stage for event in trial.events if event.type == "stage.rolled_back"]
    assert back == [2, 1, 0]


def test_r02_r06_one_stage_that_stays_is_told_and_can_be_tried_again() -> None:
    world = Cells()
    trial = Told(a_plan(staged()), world, Faulty(world, 2, undo=True))
    trial.go()
    run = trial.roll_back()
    assert (run.ending, run.tasks[0].stages) == ("stuck", ["rolled_back", "rollback_failed", "rolled_back"])
    again = trial.command("rollback", task="t")
    assert (again.ending, again.tasks[0].state, again.residue) == ("rolled_back", "rolled_back", {})


def test_e01_e07_numbers_have_no_gaps_and_a_subscriber_goes_on_where_it_stopped() -> None:
    trial = told(staged(), staged("u"))
    trial.go()
    records = list(trial.journal.records("R1"))
    counts = [sum(1 for event in record.events for _ in singles(event)) for record in records]
    assert [record.plan_seq for record in records] == [1 + sum(counts[:n]) for n in range(len(records))]
    half = records[len(records) // 2].seq
    assert [r.seq for r in trial.journal.records("R1", after=half - 1)] == [r.seq for r in records if r.seq >= half]


@pytest.mark.parametrize(("limit", "seed"), [(1, None), (1, 3), (3, 1), (3, 2)])
def test_k01_k02_k08_the_limit_holds_and_tasks_begin_in_their_order(limit: int, seed: int | None) -> None:
    trial = told(*(staged(f"t{n}", 2) for n in range(5)), tasks_at_once=limit)
    trial.seed = seed
    trial.go()
    under_way = most = 0
    for event in trial.events:
        under_way += (event.type == "task.started") - (event.type == "task.completed")
        most = max(most, under_way)
    assert most == limit
    assert [event.task for event in trial.events if event.type == "task.started"] == list(range(5))


def test_k06_k07_what_is_queued_does_not_begin_while_a_plan_rests() -> None:
    trial = told(staged(), staged("u"), on={"run.started": ("pause", {})}, tasks_at_once=1)
    trial.ask_after(50, "resume")
    assert trial.go().ending == "committed"
    order = [(event.type, event.task) for event in trial.events if event.type in ("run.resumed", "task.started")]
    assert order == [("task.started", 0), ("run.resumed", None), ("task.started", 1)]
