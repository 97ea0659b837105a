"""Shared capacity: written in a plan, kept between the tasks of a run and between runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import holdfast
from holdfast.cli import main
from holdfast.core.shares import Share
from holdfast.journal.contract import Journal
from holdfast.journal.memory import MemoryJournal
from holdfast.journal.sqlite import SqliteJournal
from holdfast.testing.builders import Ring, Trial, a_plan, a_step, a_task


@pytest.fixture(params=["memory", "sqlite"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    made: Journal = MemoryJournal() if request.param == "memory" else SqliteJournal.open(tmp_path / "journal")
    yield made
    made.close()


def takes(weight: int, capacity: int = 5) -> list[str]:
    return [Share("db", weight, capacity).key]


def lock(journal: Journal, run: str, keys: list[str], **more: Any) -> str | None:
    """The run that stands in the way."""
    holder = journal.lock(run, f"owner of {run}", keys, at=1.0, **more)
    return None if holder is None else holder.run


def test_a_capacity_is_shared_until_it_is_used_up(journal: Journal) -> None:
    assert [lock(journal, run, takes(2)) for run in ("A", "B", "C")] == [None, None, "A"]
    assert lock(journal, "D", takes(1)) is None
    journal.unlock("A", at=2.0)
    assert lock(journal, "C", takes(2)) is None


def test_the_smaller_of_two_capacities_counts(journal: Journal) -> None:
    assert [lock(journal, "A", takes(2)), lock(journal, "B", takes(2, 3))] == [None, "A"]


def test_what_the_dead_hold_is_free_for_whoever_needs_it(journal: Journal) -> None:
    lock(journal, "A", takes(3))
    lock(journal, "B", takes(2))
    assert lock(journal, "C", takes(2), dead=["owner of A"]) is None
    assert [held.run for held in journal.locks()] == ["B", "C"]


def test_shares_stand_beside_ordinary_locks(journal: Journal) -> None:
    lock(journal, "A", ["tenant:acme", *takes(1)])
    assert lock(journal, "B", ["tenant:acme", *takes(1)]) == "A"
    assert lock(journal, "B", ["tenant:other", *takes(1)]) is None


# -- between the tasks of one run


@pytest.mark.parametrize(("weight", "most"), [(1, 5), (2, 2), (3, 1)])
def test_tasks_under_way_take_no_more_than_there_is(weight: int, most: int) -> None:
    share = (Share("db", weight, 5),)
    plan = a_plan(*(a_task(f"t{n}", a_step(f"r{n}", Ring(f"r{n}")), shares=share) for n in range(10)), parallel=20)
    trial = Trial(plan)
    trial.go()
    under_way = peak = 0
    for event in trial.events:
        under_way += (event.type == "task.started") - (event.type == "task.completed")
        peak = max(peak, under_way)
    assert peak == most
    assert [event.task for event in trial.events if event.type == "task.started"] == list(range(10))


def test_who_needs_more_than_is_left_keeps_its_place(journal: Journal) -> None:
    weights = [3, 3, 1]
    plan = a_plan(
        *(a_task(f"t{n}", a_step(f"r{n}", Ring(f"r{n}")), shares=(Share("db", w, 5),)) for n, w in enumerate(weights))
    )
    trial = Trial(plan)
    assert trial.go().ending == "committed"
    assert [event.task for event in trial.events if event.type == "task.started"] == [0, 1, 2]


# -- as it is written


def document(*locks: Any) -> dict[str, Any]:
    task = {"name": "t", "locks": list(locks), "steps": [{"file": "/tmp/x", "content": ""}]}
    return {"holdfast": 1, "name": "p", "tasks": [task]}


def test_a_plan_names_the_semaphore_its_capacity_and_what_a_task_takes() -> None:
    plan = holdfast.parse(document("tenant:acme", {"semaphore": "db", "weight": 2, "capacity": 5}))
    assert (plan.tasks[0].locks, plan.tasks[0].shares) == (("tenant:acme",), (Share("db", 2, 5),))
    again = holdfast.planfile.from_canonical(plan.document)
    assert (again.tasks, again.digest) == (plan.tasks, plan.digest)


@pytest.mark.parametrize(
    "lock",
    [
        {"semaphore": "db", "weight": 6, "capacity": 5},
        {"semaphore": "db", "weight": 0, "capacity": 5},
        {"semaphore": "db"},
        {"semaphore": "", "capacity": 5},
        {"semaphore": "db", "capacity": 5, "wait": 3},
        "semaphore:db",
    ],
)
def test_a_share_that_can_never_be_had_is_a_problem(lock: Any) -> None:
    with pytest.raises(holdfast.PlanError):
        holdfast.parse(document(lock))


def test_the_same_semaphore_twice_is_a_problem() -> None:
    with pytest.raises(holdfast.PlanError, match="twice"):
        holdfast.parse(document({"semaphore": "db", "capacity": 5}, {"semaphore": "db", "capacity": 5}))


def test_it_is_seen_among_the_locks_and_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = holdfast.parse(document({"semaphore": "db", "weight": 2, "capacity": 5}))
    with holdfast.open(str(tmp_path / "state")) as hf:
        assert hf.journal.lock("other", hf.parts.owner.name, takes(4), at=1.0) is None
        result = hf.apply(plan, wait=False)
        assert (result.ending, result.errors[0]["code"]) == ("refused", "locked")
        main(["--state", str(tmp_path / "state"), "locks"])
        assert "semaphore:db=4/5" in capsys.readouterr().out
        hf.journal.unlock("other", at=2.0)
        assert hf.apply(plan, wait=False).success
