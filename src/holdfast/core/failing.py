"""Failing: what a failed step or task means for the others, and what of it is taken back while they go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from holdfast.core import unwind
from holdfast.core.draft import Draft, error_of
from holdfast.core.run import Run

STAGED: Final = frozenset({"running", "pausing", "cancelling"})  # tasks with a stage that may come to its end
ALIVE: Final = frozenset({"pending", "waiting", "running", "pausing", "paused"})  # tasks that can still fail
IDLE: Final = frozenset({"pending", "waiting"})


def stops(run: Run) -> bool:
    """Something failed, and the policy says that nothing more may begin."""
    if run.policy.on_failure == "continue" or run.policy.scope == "task":
        return False
    return not run.bygone.issuperset(run.unmet)


def step_failed(draft: Draft, step: int) -> None:
    """A step has failed for good: its task fails now, or at the end of the stage when the others may go on."""
    run = draft.run
    if run.policy.on_failure == "continue":
        _skip_dependents(draft, step)
        return
    number = run.graph.task_of[step]
    if run.tasks[number].state in STAGED:
        fail_task(draft, number, run.failures[step])


def _skip_dependents(draft: Draft, step: int) -> None:
    """Whatever needs a failed step is not begun."""
    run = draft.run
    found: dict[int, None] = {}
    todo = [step]
    while todo:
        for follower in run.graph.feeds[todo.pop()]:
            if follower not in found and run.steps[follower] == "pending":
                found[follower] = None
                todo.append(follower)
    draft.emit_steps("step.skipped", tuple(found))


def fail_task(draft: Draft, number: int, error: Mapping[str, Any]) -> None:
    """The task fails, and with it every task that needs it."""
    run = draft.run
    task = run.tasks[number]
    if 0 <= task.stage < len(task.stages) and task.stages[task.stage] == "committing":
        draft.emit("stage.failed", task=number, stage=task.stage)
    draft.emit("task.failed", task=number, error=error)
    withdraw(draft, number)
    if task.retries:
        draft.emit("task.retry_completed", task=number, success=False)
    if run.policy.on_failure == "continue":
        for step in task.steps:
            if run.steps[step] == "pending":
                _skip_dependents(draft, step)
    followers = dependents(run, number) if run.policy.scope == "task" else run.task_feeds[number]
    for follower in followers:
        if run.tasks[follower].state in ALIVE:
            name = run.outline.tasks[number].name
            fail_task(draft, follower, {**error_of("cancelled", f"the task `{name}` that it needs failed"), "skipped": True})


def withdraw(draft: Draft, number: int) -> None:
    """The questions of a task that goes no further: nobody waits for an answer."""
    asked = [step for step in draft.run.questions if draft.run.graph.task_of[step] == number]
    draft.emit_steps("step.resolved", asked, {"verdict": "not_applied"})


def dependents(run: Run, number: int) -> list[int]:
    """Tasks that need this one, or with steps that need steps of it, which will never come or are taken back."""
    feeds, task_of = run.graph.feeds, run.graph.task_of
    leaning = (task_of[follower] for step in run.tasks[number].steps for follower in feeds[step])
    return list(dict.fromkeys((*run.task_feeds[number], *(task for task in leaning if task != number))))


def fail_the_stranded(draft: Draft) -> bool:
    """Tasks that need one which will not be completed: it was cancelled or taken back by hand, or is not tried again."""
    run = draft.run
    found = [number for number, task in enumerate(run.tasks) if task.state in IDLE and task.needs and not stops(run)]
    for number in found:
        if run.tasks[number].state in IDLE:
            fail_task(draft, number, {**error_of("cancelled", "a task that it needs is not completed"), "skipped": True})
    return bool(found)


def first_failure(run: Run, task: int) -> Mapping[str, Any]:
    return next((run.failures[step] for step in run.tasks[task].steps if step in run.failures), {})


# -- tasks that are taken back by themselves


def take_back_failed_tasks(draft: Draft) -> None:
    """With `scope: task` a failed task is rolled back by itself, as soon as nothing of it is in flight."""
    run = draft.run
    if run.policy.scope != "task" or run.policy.on_failure != "rollback":
        return
    flying = draft.flights.tasks(run)
    for number in run.unmet:
        if run.tasks[number].state == "failed" and number not in flying and run.tasks[number].begun:
            unwind.begin_task(draft, number)


def call_off(draft: Draft) -> None:
    """Tasks that somebody cancelled, as soon as nothing of them is in flight: what they did is taken back."""
    run = draft.run
    if not run.called_off:
        return
    flying = draft.flights.tasks(run)
    for number in run.called_off:
        task = run.tasks[number]
        if task.state != "cancelling" or number in flying:
            continue
        withdraw(draft, number)
        if task.begun:
            unwind.begin_task(draft, number)
        else:
            unwind.call_off(draft, number)
