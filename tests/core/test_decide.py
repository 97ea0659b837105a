"""What a run decides: what begins when, what a failure means, and how it goes back."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from holdfast.core.decide import decide
from holdfast.core.draft import Flights
from holdfast.core.errors import Failure
from holdfast.core.plan import Plan, Retry, Step
from holdfast.core.run import Run
from holdfast.core.stimuli import Apply, Asked, Began, Decision, Returned, StepResult
from holdfast.drivers.contract import Batch, Outcome
from holdfast.drivers.wrappers import Died, Faulty, Moment, Wrapper
from holdfast.testing.builders import (
    EPOCH,
    Cells,
    Put,
    Puts,
    Ring,
    Trial,
    a_plan,
    a_stage,
    a_step,
    a_task,
    states_of,
)


def ring(name: str, *, undo: bool = True, **more: object) -> object:
    return a_step(name, Ring(name, undo), **more)  # type: ignore[arg-type]


class Hand:
    """Decides by hand: what a stimulus leads to, without any driver."""

    def __init__(self, *parts: object, **policy: object) -> None:
        self.plan = a_plan(*parts, **policy)  # type: ignore[arg-type]
        trial = Trial(self.plan)
        prepared = trial.prepare()
        self.run = Run.of("R1", self.plan, self.plan.policy)
        self.run.state = "queued"
        self.run.guarantees.update((n, prepared.prediction.guarantee(n)) for n in range(len(self.plan.steps)))
        self.flights = Flights()
        self.effects: list[Apply] = []

    def began(self) -> Decision:
        return self._keep(decide(self.run, self.flights, Began(EPOCH)))

    def returned(self, effect: Apply, ending: str = "done") -> Decision:
        failure = Failure(code="io_error", message="it broke") if ending in ("failed", "in_doubt") else None
        results = [StepResult(step, ending, failure) for step in effect.steps]
        return self._keep(decide(self.run, self.flights, Returned(EPOCH, effect.number, results)))

    def asked(self, verb: str) -> Decision:
        return self._keep(decide(self.run, self.flights, Asked(EPOCH, verb)))

    def _keep(self, decision: Decision) -> Decision:
        self.effects = [effect for effect in decision.effects if isinstance(effect, Apply)]
        return decision

    def names(self) -> list[list[str]]:
        return [[self.run.ids[step] for step in effect.steps] for effect in self.effects]


# -- going forward


def test_all_that_is_ready_travels_in_one_batch() -> None:
    hand = Hand("a", "b", "c")
    hand.began()
    assert hand.names() == [["a", "b", "c"]]


def test_a_batch_holds_what_becomes_ready_within_it() -> None:
    hand = Hand(a_step("c", needs=["b"]), a_step("b", needs=["a"]), "a")
    hand.began()
    assert hand.names() == [["a", "b", "c"]]


def test_a_batched_lane_has_one_batch_under_way() -> None:
    hand = Hand("a", ring("r"), a_step("b", needs=["r"]))
    hand.began()
    assert hand.names() == [["a"], ["r"]]
    batch, bell = hand.effects
    hand.returned(bell)
    assert hand.names() == []
    hand.returned(batch)
    assert hand.names() == [["b"]]


def test_steps_that_do_not_travel_together_keep_the_limit() -> None:
    hand = Hand(*(ring(f"r{n}") for n in range(5)), parallel=2)
    hand.began()
    assert hand.names() == [["r0"], ["r1"]]
    hand.returned(hand.effects[0])
    assert hand.names() == [["r2"]]


def test_stages_run_one_after_the_other() -> None:
    trial = Trial(a_plan(a_stage("one", "a", "b"), a_stage("two", "c")))
    trial.go()
    assert [key for key, _ in trial.world.log] == ["a", "b", "c"]
    assert [event.type for event in trial.events if event.type.startswith("stage.")] == ["stage.started", "stage.completed"] * 2


def test_a_task_waits_for_the_tasks_it_needs() -> None:
    trial = Trial(a_plan(a_task("app", "b", needs=("database",)), a_task("database", "a")))
    trial.go()
    assert [key for key, _ in trial.world.log] == ["a", "b"]


def test_no_more_tasks_than_allowed_are_under_way() -> None:
    hand = Hand(*(a_task(f"t{n}", ring(f"r{n}")) for n in range(5)), tasks_at_once=2)
    hand.began()
    assert hand.names() == [["r0"], ["r1"]]


def test_the_limit_of_tasks_yields_where_one_waits_for_a_step_of_another() -> None:
    trial = Trial(a_plan(a_task("first", a_step("a", needs=["b"])), a_task("second", "b"), tasks_at_once=1))
    assert trial.go().ending == "committed"
    assert [key for key, _ in trial.world.log] == ["b", "a"]


def test_nothing_to_do_ends_unchanged() -> None:
    trial = Trial(a_plan("a"), Cells({"a": "a"}))
    run = trial.go()
    assert (run.ending, states_of(run)) == ("unchanged", {"a": "unchanged"})


def test_what_somebody_else_made_so_meanwhile_is_not_ours_to_undo() -> None:
    world = Cells()

    class Helpful(Wrapper):
        async def apply(self, batch: Batch) -> Sequence[Outcome]:
            world.cells.setdefault("a", "a")
            return await super().apply(batch)

    run = Trial(a_plan("a", a_step("b", needs=["a"])), world, Faulty(Helpful(world), 2)).go()
    assert (run.ending, world.cells) == ("rolled_back", {"a": "a"})


def test_no_move_is_made_before_its_intent_is_in_the_journal() -> None:
    world = Cells()

    class Suspicious(Wrapper):
        async def apply(self, batch: Batch) -> Sequence[Outcome]:
            intents = {step for event in trial.events if event.type == "step.applying" for step in event.steps or ()}
            assert {f"R1/{step}.0" for step in intents} >= {move.id for move in batch.moves}
            return await super().apply(batch)

    trial = Trial(a_plan(a_stage("one", "a", "b"), a_stage("two", "c")), world, Suspicious(world))
    assert trial.go().ending == "committed"


def test_the_same_stimuli_lead_to_the_same_decisions() -> None:
    hands = [Hand("a", a_step("b", needs=["a"]), ring("r")) for _ in range(2)]
    decisions = [hand.began() for hand in hands]
    decisions += [hand.returned(hand.effects[0], "failed") for hand in hands]
    assert decisions[0] == decisions[1]
    assert decisions[2] == decisions[3]


# -- failure


def test_a_failure_lets_nothing_more_begin_and_takes_everything_back() -> None:
    world = Cells()
    run = Trial(a_plan(a_stage("one", "a"), a_stage("two", "b"), a_stage("three", "c")), world, Faulty(world, 2)).go()
    assert (run.ending, world.cells) == ("rolled_back", {})
    assert states_of(run) == {"a": "undone", "b": "undone", "c": "pending"}
    assert run.error is not None and run.error["step"] == "b"


def test_stop_keeps_what_is_done_and_starts_nothing_more() -> None:
    world = Cells()
    run = Trial(
        a_plan(a_task("t", "a", a_step("b", needs=["a"])), a_task("u", "c", needs=("t",)), on_failure="stop"),
        world,
        Faulty(world, 2),
    ).go()
    assert (run.ending, world.cells) == ("partial", {"a": "a"})


def test_stop_closes_the_tasks_that_were_under_way() -> None:
    hand = Hand(a_task("t", ring("a")), a_task("u", ring("b"), ring("c")), on_failure="stop", parallel=2)
    hand.began()
    first, second = hand.effects
    hand.returned(second)
    hand.returned(hand.effects[0])
    undo = hand.returned(first, "failed").effects[0]
    assert isinstance(undo, Apply) and undo.undo
    hand.returned(undo)
    assert (hand.run.ending, [task.state for task in hand.run.tasks]) == ("partial", ["failed", "completed"])


def test_continue_goes_on_with_what_does_not_need_the_failed_step() -> None:
    world = Cells()
    plan = a_plan("a", a_step("b", needs=["a"]), "c", a_step("d", needs=["c"]), on_failure="continue")
    run = Trial(plan, world, Faulty(world, 1)).go()
    assert (run.ending, world.cells) == ("partial", {"c": "c", "d": "d"})
    assert states_of(run) == {"a": "undone", "b": "skipped", "c": "applied", "d": "applied"}


def test_continue_skips_in_other_tasks_what_needs_a_failed_step() -> None:
    world = Cells()
    plan = a_plan(
        a_task("t", a_stage("one", "a"), a_stage("two", "b")), a_task("u", a_step("c", needs=["b"]), "d"), on_failure="continue"
    )
    run = Trial(plan, world, Faulty(world, 1)).go()
    assert (run.ending, world.cells) == ("partial", {"d": "d"})
    assert [task.state for task in run.tasks] == ["failed", "failed"]


def test_a_failed_steps_own_half_is_taken_back_even_where_the_others_stay() -> None:
    world = Cells()
    plan = a_plan("a", a_step("b", Puts("b", "b", (), (("c", "c"),))), on_failure="stop")
    run = Trial(plan, world, Faulty(world, 3)).go()
    assert (run.ending, world.cells) == ("partial", {"a": "a"})


def test_with_scope_task_only_the_failed_task_is_taken_back() -> None:
    world = Cells()
    plan = a_plan(*(a_task(f"t{n}", f"a{n}", a_step(f"b{n}", needs=[f"a{n}"])) for n in range(3)), scope="task")
    run = Trial(plan, world, Faulty(world, 4)).go()
    assert run.ending == "partial"
    assert [task.state for task in run.tasks].count("rolled_back") == 1
    assert len(world.cells) == 4


def test_a_task_that_needs_the_one_taken_back_fails_and_the_one_it_needed_itself_stays() -> None:
    world = Cells()
    plan = a_plan(a_task("t", "a"), a_task("u", "b", needs=("t",)), a_task("v", "c", needs=("u",)), scope="task")
    run = Trial(plan, world, Faulty(world, 2)).go()
    assert (run.ending, world.cells) == ("partial", {"a": "a"})
    assert [task.state for task in run.tasks] == ["completed", "rolled_back", "failed"]


def test_a_task_that_works_in_what_a_failed_one_makes_fails_with_it() -> None:
    world = Cells()
    plan = a_plan(a_task("t", "a"), a_task("u", a_step("b", Put("b", "b", reads=("a",)))), scope="task")
    run = Trial(plan, world, Faulty(world, 1)).go()
    assert (run.ending, world.cells) == ("rolled_back", {})


def test_when_every_task_was_taken_back_the_run_was() -> None:
    world = Cells()
    run = Trial(a_plan(a_task("t", "a", a_step("b", needs=["a"])), scope="task"), world, Faulty(world, 2)).go()
    assert (run.ending, world.cells) == ("rolled_back", {})


# -- going back


def test_undo_waits_until_all_dependents_are_undone() -> None:
    hand = Hand(ring("base"), ring("left", needs=["base"]), ring("right", needs=["base"]), ring("top", needs=["left", "right"]))
    hand.began()
    for _ in range(2):
        for effect in list(hand.effects):
            hand.returned(effect)
    hand.returned(hand.effects[0], "failed")
    assert hand.names() == [["top"]]
    hand.returned(hand.effects[0])
    assert sorted(hand.names()) == [["left"], ["right"]]
    left, right = hand.effects
    hand.returned(left)
    assert hand.names() == []
    hand.returned(right)
    assert hand.names() == [["base"]]


def test_rollback_goes_in_reverse() -> None:
    world = Cells()
    trial = Trial(a_plan(a_stage("one", "a", a_step("b", needs=["a"])), a_stage("two", "c", "d")), world, Faulty(world, 4))
    trial.go()
    assert [key for key, undo in world.log if undo] == ["c", "b", "a"]


def test_rollback_goes_on_when_one_undo_fails_and_tells_what_is_left() -> None:
    world = Cells()
    trial = Trial(a_plan("a", "b", a_step("c", needs=["b"])), world, Faulty(Faulty(world, 3), 2, undo=True))
    run = trial.go()
    assert run.ending == "stuck"
    assert [residue["resource"] for residue in run.residue.values()] == ["memory:a"]
    assert world.cells == {"a": "a"}


def test_a_stuck_run_can_be_rolled_back_again() -> None:
    world = Cells()
    trial = Trial(a_plan("a", "b"), world, Faulty(Faulty(world, 2, Moment.AFTER), 1, undo=True))
    assert trial.go().ending == "stuck"
    run = trial.roll_back()
    assert (run.ending, run.residue, world.cells) == ("rolled_back", {}, {})


def test_what_somebody_else_changed_is_not_clobbered() -> None:
    trial = Trial(a_plan("a", "b"))
    trial.go()
    trial.world.cells["a"] = "foreign"
    run = trial.roll_back()
    assert (run.ending, trial.world.cells) == ("stuck", {"a": "foreign"})
    assert "foreign_change" in next(iter(run.residue.values()))["reason"]


def test_what_declares_no_undo_is_left_behind_and_said_to_be() -> None:
    world = Cells()
    run = Trial(a_plan(ring("bell", undo=False), a_step("b", needs=["bell"])), world, Faulty(world, 2)).go()
    assert (run.ending, world.rung) == ("stuck", {"ring/bell"})
    assert [residue["step"] for residue in run.residue.values()] == ["bell"]


def test_what_declares_no_undo_and_failed_left_nothing() -> None:
    world = Cells()
    run = Trial(a_plan("a", ring("bell", undo=False, needs=["a"])), world, Faulty(world, 2)).go()
    assert (run.ending, world.cells) == ("rolled_back", {})


def test_a_lost_answer_is_asked_of_the_world_and_an_effect_without_a_state_stays_in_doubt() -> None:
    world = Cells()
    run = Trial(a_plan("a", ring("bell", needs=["a"])), world, Faulty(world, 2, Moment.DURING)).go()
    assert (run.ending, world.cells, world.rung) == ("rolled_back", {}, set())
    assert run.error is not None and run.error["code"] == "in_doubt"


# -- time


def test_retries_pause_longer_each_time() -> None:
    world = Cells()
    retry = Retry(attempts=4, delay=1.0, backoff=3.0)
    trial = Trial(a_plan(a_step("a", retry=retry)), world, Faulty(Faulty(Faulty(world, 1), 1), 1))
    run = trial.go()
    assert (run.ending, run.attempts) == ("committed", {0: 4})
    assert trial.clock.now() - EPOCH >= 1 + 3 + 9


def test_when_all_attempts_failed_the_run_did() -> None:
    world = Cells()
    run = Trial(a_plan(a_step("a", retry=Retry(attempts=2))), world, Faulty(Faulty(world, 1), 1)).go()
    assert (run.ending, run.attempts) == ("rolled_back", {0: 2})


def test_what_waits_for_a_retry_is_not_waited_for_when_its_task_failed() -> None:
    world = Cells()
    plan = a_plan(a_task("t", a_step("a", retry=Retry(attempts=2, delay=60.0)), "b"), a_task("u", "c"), scope="task")
    trial = Trial(plan, world, Faulty(Faulty(world, 1, Moment.AFTER), 1))
    run = trial.go()
    assert (run.ending, world.cells) == ("partial", {"c": "c"})
    assert trial.clock.now() - EPOCH < 60


def test_a_run_that_takes_too_long_is_taken_back() -> None:
    world = Cells()
    plan = a_plan(a_stage("one", "b"), a_stage("two", a_step("a", retry=Retry(attempts=2, delay=60.0))), timeout=10.0)
    run = Trial(plan, world, Faulty(world, 2)).go()
    assert (run.ending, world.cells) == ("rolled_back", {})
    assert run.error is not None and run.error["code"] == "timeout"


def test_after_its_timeout_nothing_more_begins_even_where_others_may_go_on() -> None:
    world = Cells()
    slow = a_step("a", retry=Retry(attempts=2, delay=60.0))
    plan = a_plan(a_task("t", slow), a_task("u", "b"), timeout=10.0, on_failure="continue", tasks_at_once=1)
    run = Trial(plan, world, Faulty(world, 1)).go()
    assert (run.ending, world.cells) == ("rolled_back", {})


def test_a_cancelled_run_is_taken_back() -> None:
    world = Cells()
    plan = a_plan(a_stage("one", "b"), a_stage("two", a_step("a", retry=Retry(attempts=2, delay=60.0))))
    trial = Trial(plan, world, Faulty(world, 2))
    trial.ask_after(5.0, "cancel", by="a person")
    run = trial.go()
    assert (run.ending, world.cells) == ("rolled_back", {})
    assert run.error is not None and run.error["code"] == "cancelled"


def test_a_cancelled_run_waits_for_what_is_under_way() -> None:
    hand = Hand(ring("a"), ring("b"), parallel=2)
    hand.began()
    first, second = hand.effects
    hand.asked("cancel")
    hand.returned(first)
    assert (hand.run.state, hand.names()) == ("cancelling", [])
    hand.returned(second)
    assert (hand.run.state, sorted(hand.names())) == ("rolling_back", [["a"], ["b"]])


def test_what_nobody_confirms_in_time_is_taken_back() -> None:
    trial = Trial(a_plan("a", confirm_within=60.0))
    run = trial.go()
    assert (run.ending, trial.world.cells) == ("rolled_back", {})
    assert run.error is not None and run.error["code"] == "unconfirmed"
    assert trial.clock.now() - EPOCH >= 60


def test_what_is_confirmed_in_time_stays() -> None:
    trial = Trial(a_plan("a", confirm_within=60.0))
    trial.ask_after(30.0, "confirm", by="a person")
    assert (trial.go().ending, trial.world.cells) == ("committed", {"a": "a"})


def test_a_confirmation_after_the_time_keeps_nothing_though_nobody_saw_it_run_out() -> None:
    trial = Trial(a_plan("a", confirm_within=60.0))
    trial.ask_after(60.0, "confirm", by="a person")
    run = trial.go()
    assert (run.ending, trial.world.cells) == ("rolled_back", {})
    assert run.error is not None and run.error["code"] == "unconfirmed"


# -- another process goes on


def test_a_folded_run_hands_out_nothing_twice() -> None:
    world = Cells()
    plan = a_plan(a_step("a", retry=Retry(attempts=3, delay=5.0)), "b")
    trial = Trial(plan, world, Faulty(Faulty(world, 1), 3, deadly=True))
    with pytest.raises(Died):
        trial.go()
    assert trial.recover(resume=True).ending == "committed"
    assert sorted(key for key, _ in world.log) == ["a", "b"]


def test_many_effects_come_back_in_any_order() -> None:
    plan = a_plan(*(ring(f"r{n}", needs=[f"r{n - 1}"] if n % 3 else []) for n in range(9)), parallel=4)
    for seed in range(20):
        trial = Trial(plan, seed=seed)
        assert trial.go().ending == "committed"
        assert len(trial.world.rung) == 9


# -- what is so already keeps the order


def a_value_put_twice(last: Step) -> Plan:
    same = Puts("x", "1", (), (("y", "old"),))  # so already, with another cell to be ordered by
    return a_plan(
        a_step("first", Put("a", "1")),
        a_step("gone", Put("a", None), needs=["first"]),
        a_step("idle", same, needs=["gone"]),
        last,
    )


def test_a_step_that_is_so_already_keeps_the_order_of_its_neighbours() -> None:
    trial = Trial(a_value_put_twice(a_step("last", Put("a", "2"), needs=["idle"])), Cells({"x": "1", "y": "old"}))
    run = trial.go()
    assert (run.ending, trial.world.cells["a"]) == ("committed", "2")
    assert states_of(run)["idle"] == "unchanged"
    assert trial.roll_back().ending == "rolled_back"
    assert trial.world.cells == {"x": "1", "y": "old"}


def test_undo_keeps_the_order_across_a_step_that_was_so_already() -> None:
    trial = Trial(a_value_put_twice(a_step("last", Put("a", "2"), needs=["idle"])), Cells({"x": "1", "y": "old"}))
    trial.go()
    trial.roll_back()
    assert [key for key, undo in trial.world.log if undo] == ["a", "a", "a"]


def test_a_plan_of_which_everything_is_so_already_asks_no_driver() -> None:
    trial = Trial(a_plan("a", a_step("b", needs=["a"])), Cells({"a": "a", "b": "b"}))
    assert trial.go().ending == "unchanged"
    assert "step.applying" not in [event.type for event in trial.events]


def test_what_the_plan_accepts_as_irreversible_does_not_keep_a_rollback_from_being_complete() -> None:
    plan = a_plan(ring("once", undo=False, irreversible=True), a_step("bad", needs=["once"]))
    run = Trial(plan, driver=Faulty(Cells(), at=2)).go()
    assert run.ending == "rolled_back"
    assert run.steps[0] == "applied"


def test_what_nobody_accepted_as_irreversible_leaves_the_run_stuck() -> None:
    plan = a_plan(ring("once", undo=False), a_step("bad", needs=["once"]))
    run = Trial(plan, driver=Faulty(Cells(), at=2)).go()
    assert run.ending == "stuck"
    assert [residue["step"] for residue in run.residue.values()] == ["once"]
