"""What the document of a refused run says: nothing of it was begun, and because of what."""

from __future__ import annotations

from holdfast.core.events import Event
from holdfast.core.evolve import evolve
from holdfast.core.result import Heading, result_of
from holdfast.core.run import Run, outline_of
from holdfast.testing.builders import a_plan, a_stage, a_task

PLAN = a_plan(a_task("well", "a"), a_task("ill", a_stage("one", "b"), a_stage("two", "c")))


def refused(*problems: dict[str, str]) -> Run:
    run = Run.told("R1", outline_of(PLAN))
    evolve(run, Event("run.refused", {"problems": problems}))
    return run


def test_a_task_with_a_problem_is_not_valid_and_the_others_are_called_off() -> None:
    run = refused({"step": "c", "code": "conflict", "message": "it is there"})
    assert [task.state for task in run.tasks] == ["cancelled", "validation_failed"]
    document = result_of(run, Heading("p", "d", "s", 0.0, 0.0)).plain()
    assert (document["failed"], document["skipped"]) == (["c"], ["a", "b"])
    shown = [
        (stage["state"], step["state"]) for task in document["tasks"] for stage in task["stages"] for step in stage["steps"]
    ]
    assert shown == [("skipped", "skipped"), ("skipped", "skipped"), ("failed", "failed")]


def test_where_no_step_is_to_blame_every_task_is_called_off() -> None:
    assert [task.state for task in refused({"code": "locked", "message": "another run"}).tasks] == ["cancelled", "cancelled"]
