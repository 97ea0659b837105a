"""Wrappers around a driver: failing, pretending, forbidding, telling."""

from __future__ import annotations

from inspect import getattr_static

import pytest

from holdfast.core.change import Change, Effect, Look
from holdfast.drivers.contract import Batch, Ending, Guard, Keeper, Move, Outcome
from holdfast.drivers.files.memory import Memory
from holdfast.runtime.crew import run_to_end
from holdfast.testing.builders import Cells, Value
from holdfast.testing.faulty import Call, Died, DryRun, Faulty, Moment, ReadOnly, Traced


def put(key: str, value: str | None, before: str | None = None, *, needs: tuple[int, ...] = (), undo: bool = False) -> Move:
    change = Change(key, Value(before), Value(value))
    return Move(f"R/{key}", change.reversed() if undo else change, undo, needs)


def apply(driver: Faulty | DryRun | ReadOnly | Traced, *moves: Move, keep_going: bool = False) -> list[Outcome]:
    return list(run_to_end(driver.apply(Batch(moves, keep_going))))


def endings(outcomes: list[Outcome]) -> list[str]:
    return [outcome.ending.value for outcome in outcomes]


def test_what_the_driver_inside_can_do_beside_stands_in_its_wrapper() -> None:
    """Since Python 3.12 isinstance does not ask a wrapper for what it only passes on."""
    inner = Memory()
    wrapped = ReadOnly(inner)
    assert (getattr_static(wrapped, "fetch", None), getattr_static(wrapped, "arm", None)) == (inner.fetch, None)
    assert (isinstance(wrapped, Keeper), isinstance(wrapped, Guard), isinstance(ReadOnly(Cells()), Keeper)) == (
        True,
        False,
        False,
    )


# -- Faulty


def test_a_fault_before_a_move_leaves_it_unmade_and_skips_the_rest() -> None:
    world = Cells()
    assert endings(apply(Faulty(world, 2), put("a", "1"), put("b", "1"), put("c", "1"))) == ["done", "failed", "skipped"]
    assert world.cells == {"a": "1"}


def test_a_fault_after_a_move_leaves_it_made() -> None:
    world = Cells()
    assert endings(apply(Faulty(world, 1, Moment.AFTER), put("a", "1"))) == ["failed"]
    assert world.cells == {"a": "1"}


def test_a_fault_during_a_move_loses_its_answer() -> None:
    world = Cells()
    (outcome,) = apply(Faulty(world, 1, Moment.DURING), put("a", "1"))
    assert outcome.ending is Ending.IN_DOUBT
    assert outcome.failure is not None and outcome.failure.doubtful
    assert world.cells == {"a": "1"}


def test_a_batch_that_keeps_going_skips_only_what_needs_the_failed_move() -> None:
    world = Cells()
    moves = (put("a", "1"), put("b", "1"), put("c", "1", needs=(1,)), put("d", "1", needs=(2,)), put("e", "1", needs=(0,)))
    assert endings(apply(Faulty(world, 2), *moves, keep_going=True)) == ["done", "failed", "skipped", "skipped", "done"]
    assert world.cells == {"a": "1", "e": "1"}


def test_moves_are_counted_over_batches_and_the_fault_strikes_once() -> None:
    world = Cells()
    faulty = Faulty(world, 2)
    assert endings(apply(faulty, put("a", "1"))) == ["done"]
    assert endings(apply(faulty, put("b", "1"))) == ["failed"]
    assert endings(apply(faulty, put("b", "1"))) == ["done"]
    assert faulty.struck is not None and faulty.struck.change.key == "b"


def test_only_one_direction_counts() -> None:
    world = Cells()
    faulty = Faulty(world, 1, undo=True)
    assert endings(apply(faulty, put("a", "1"))) == ["done"]
    assert endings(apply(faulty, put("a", "1", undo=True))) == ["failed"]
    assert world.cells == {"a": "1"}


def test_a_move_may_be_named_by_its_id() -> None:
    world = Cells()
    assert endings(apply(Faulty(world, "R/b"), put("b", "1"))) == ["failed"]


def test_a_deadly_fault_kills() -> None:
    world = Cells()
    with pytest.raises(Died):
        apply(Faulty(world, 1, Moment.DURING, deadly=True), put("a", "1"))
    assert world.cells == {"a": "1"}


# -- the others


def test_read_only_refuses_every_move_and_lets_look() -> None:
    world = Cells({"a": "1"})
    driver = ReadOnly(world)
    assert endings(apply(driver, put("b", "1"), put("c", "1"))) == ["failed", "failed"]
    assert run_to_end(driver.inspect([Look("a")])) == {"a": Value("1")}
    assert world.log == []


def test_a_dry_run_answers_what_would_come_and_sees_what_it_pretends() -> None:
    world = Cells({"a": "1", "b": "foreign"})
    driver = DryRun(world)
    assert endings(apply(driver, put("a", "1"), put("b", "2", "1"), keep_going=True)) == ["unchanged", "failed"]
    assert endings(apply(driver, put("c", "1"), put("c", "2", "1"))) == ["done", "done"]
    assert run_to_end(driver.inspect([Look("c"), Look("a")])) == {"a": Value("1"), "c": Value("2")}
    assert (world.cells, world.log) == ({"a": "1", "b": "foreign"}, [])


def test_a_dry_run_runs_nothing() -> None:
    world = Cells()
    ring = Move("R/1", Change("ring/x", Effect(False), Effect(True), runs=True))
    assert endings(apply(DryRun(world), ring)) == ["done"]
    assert world.rung == set()


def test_traced_tells_every_call_with_its_duration() -> None:
    calls: list[Call] = []
    times = iter(range(100))
    driver = Traced(Cells(), calls.append, lambda: float(next(times)))
    run_to_end(driver.inspect([Look("a")]))
    apply(driver, put("a", "1"))
    run_to_end(driver.settle([]))
    run_to_end(driver.close())
    assert [(call.verb, len(call.asked), call.duration_s) for call in calls] == [
        ("inspect", 1, 1.0),
        ("apply", 1, 1.0),
        ("settle", 0, 1.0),
    ]
