"""What holds for every plan, every policy, every order of return and every place where something breaks."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.plan import ONCE, Plan, Retry, Step, Task
from holdfast.core.predict import predict
from holdfast.drivers.wrappers import Died, Faulty, Moment
from holdfast.testing.builders import Cells, Put, Puts, Trial, a_plan, a_stage, a_step, a_task, snapshot

WORLD = {"k0": "old", "k1": "old", "k2": "new"}

seeds = st.none() | st.integers(0, 1000)
moments = st.sampled_from(Moment)
places = st.integers(1, 14)


@st.composite
def operations(draw: st.DrawFn, number: int) -> Put:
    """Cells that only this step writes, beside some that it may share with steps that it needs."""
    key = draw(st.sampled_from([f"own{number}", f"k{number % 8}"])) if number < 8 else f"own{number}"
    value = draw(st.sampled_from(["new", "newer", None]))
    if draw(st.booleans()):
        return Puts(key, value, (), ((f"also{number}", "new"), (f"too{number}", None)))
    return Put(key, value)


@st.composite
def tasks(draw: st.DrawFn) -> list[Task]:
    """Up to three tasks of up to two stages; what a step needs lies before it, in its own task."""
    found: list[Task] = []
    number = 0
    for name in range(draw(st.integers(1, 3))):
        stages, earlier = [], []
        for stage in range(draw(st.integers(1, 2))):
            steps: list[Step] = []
            for _ in range(draw(st.integers(1, 4))):
                needs = draw(st.lists(st.sampled_from(earlier), max_size=2, unique=True)) if earlier else []
                retry = draw(st.sampled_from([ONCE, ONCE, Retry(attempts=2, delay=5.0)]))
                steps.append(a_step(f"s{number}", draw(operations(number)), needs=needs, retry=retry))
                earlier.append(f"s{number}")
                number += 1
            stages.append(a_stage(f"stage{stage}", *steps))
        needs = draw(st.lists(st.sampled_from([task.name for task in found]), max_size=1)) if found else []
        found.append(a_task(f"t{name}", *stages, needs=tuple(needs)))
    return found


@st.composite
def plans(draw: st.DrawFn, **fixed: str) -> Plan:
    policy = {"parallel": draw(st.integers(1, 4)), "tasks_at_once": draw(st.integers(1, 3)), **fixed}
    return a_plan(*draw(tasks()), **policy)


@st.composite
def policies(draw: st.DrawFn) -> dict[str, str]:
    return {
        "on_failure": draw(st.sampled_from(["rollback", "stop", "continue"])),
        "scope": draw(st.sampled_from(["plan", "task"])),
    }


def wanted(plan: Plan) -> dict[str, str]:
    """The world when all of the plan is in."""
    trial = Trial(plan, Cells(WORLD))
    assert trial.go().ending in ("committed", "unchanged")
    return trial.world.cells


@dataclass
class Struck:
    trial: Trial
    faulty: Faulty


def struck(plan: Plan, at: int, moment: Moment, seed: int | None, **how: bool) -> Struck:
    world = Cells(WORLD)
    faulty = Faulty(world, at, moment, **how)
    return Struck(Trial(plan, world, faulty, seed=seed), faulty)


@given(plans(), places, st.sampled_from([Moment.BEFORE, Moment.AFTER]), seeds)
def test_a_failure_at_any_move_restores_the_world(plan: Plan, at: int, moment: Moment, seed: int | None) -> None:
    case = struck(plan, at, moment, seed)
    run = case.trial.go()
    if case.faulty.struck is None or run.attempts:  # tried again, it goes well
        assert case.trial.world.cells == wanted(plan)
    else:
        assert (run.ending, case.trial.world.cells) == ("rolled_back", WORLD)


@given(plans(), places, seeds)
def test_an_answer_that_is_lost_is_read_from_the_world(plan: Plan, at: int, seed: int | None) -> None:
    case = struck(plan, at, Moment.DURING, seed)
    assert case.trial.go().ending in ("committed", "unchanged")
    assert case.trial.world.cells == wanted(plan)


@given(plans(), places, moments, seeds, st.booleans())
def test_a_killed_run_is_brought_to_one_of_its_two_worlds(
    plan: Plan, at: int, moment: Moment, seed: int | None, resume: bool
) -> None:
    case = struck(plan, at, moment, seed, deadly=True)
    try:
        case.trial.go()
    except Died:
        run = case.trial.recover(resume=resume)
        assert run.ending == ("committed" if resume else "rolled_back")
        assert case.trial.world.cells == (wanted(plan) if resume else WORLD)


@given(plans(), places, places, moments, seeds)
def test_a_rollback_that_is_killed_goes_on_where_it_stopped(
    plan: Plan, at: int, again: int, moment: Moment, seed: int | None
) -> None:
    world = Cells(WORLD)
    trial = Trial(plan, world, Faulty(Faulty(world, at), again, moment, deadly=True, undo=True), seed=seed)
    try:
        trial.go()
    except Died:
        assert trial.recover().ending == "rolled_back"
        assert world.cells == WORLD


@given(st.data(), places, moments, seeds, st.booleans())
def test_replay_equals_live(data: st.DataObject, at: int, moment: Moment, seed: int | None, undo: bool) -> None:
    plan = data.draw(plans(**data.draw(policies())))
    case = struck(plan, at, moment, seed, undo=undo)
    run = case.trial.go()
    replayed, _ = case.trial.reopened()
    assert snapshot(replayed) == snapshot(run)


@given(st.data(), places, moments, seeds)
def test_every_ending_tells_the_truth(data: st.DataObject, at: int, moment: Moment, seed: int | None) -> None:
    plan = data.draw(plans(**data.draw(policies())))
    case = struck(plan, at, moment, seed)
    run, after = case.trial.go(), wanted(plan)
    expected = dict(WORLD)
    for step, state in zip(plan.steps, run.steps, strict=True):
        if state in ("applied", "unchanged"):
            keys = [claim.key for claim in step.operation.claims()]
            expected.update((key, after.get(key)) for key in keys)
    assert run.ending in ("committed", "unchanged", "partial", "rolled_back")
    assert case.trial.world.cells == {key: value for key, value in expected.items() if value is not None}
    assert not {"pending", "waiting", "running"} & {task.state for task in run.tasks} or run.ending == "rolled_back"


@given(st.data(), places, moments, seeds, st.sampled_from(["cancel", "timeout"]), st.floats(0, 12))
def test_a_run_that_is_stopped_leaves_nothing(
    data: st.DataObject, at: int, moment: Moment, seed: int | None, how: str, when: float
) -> None:
    policy = {"timeout": when} if how == "timeout" else {"confirm_within": 10.0}
    case = struck(data.draw(plans(**policy)), at, moment, seed)
    if how == "cancel":
        case.trial.ask_after(when, "cancel")
    run = case.trial.go()
    assert snapshot(case.trial.reopened()[0]) == snapshot(run)
    assert run.ending in ("committed", "unchanged", "rolled_back")
    if run.ending == "rolled_back":
        assert case.trial.world.cells == WORLD


@given(plans(), st.integers(0, 1000))
def test_parallel_equals_sequential(plan: Plan, seed: int) -> None:
    trial = Trial(plan, Cells(WORLD), seed=seed)
    trial.go()
    assert trial.world.cells == wanted(a_plan(*plan.tasks, parallel=1, tasks_at_once=1))


@given(plans())
def test_a_committed_run_can_be_taken_back(plan: Plan) -> None:
    trial = Trial(plan, Cells(WORLD))
    if trial.go().ending == "committed":
        assert trial.roll_back().ending == "rolled_back"
    assert trial.world.cells == WORLD


@given(plans())
def test_planning_is_pure(plan: Plan) -> None:
    trial = Trial(plan, Cells(WORLD))
    prepared = trial.prepare()
    assert trial.world.cells == WORLD
    assert trial.world.log == []
    assert predict(plan, prepared.seen).changes == prepared.prediction.changes


@given(plans())
@settings(max_examples=30)
def test_applying_again_changes_nothing(plan: Plan) -> None:
    trial = Trial(plan, Cells(WORLD))
    trial.go()
    again = Trial(plan, trial.world)
    assert again.go().ending == "unchanged"
