"""What people ask of a run while it lives, or when it waits for them: which commands, when, and what follows.

`refusal` says why a command cannot be done to a run as it stands; every interface asks it first. A command that comes
too late - the run has moved on since it was asked - is absorbed. Cancel beats pause. Pausing acts where a stage ends,
so what is open is finished, and nothing new is begun; asked for `now`, as soon as what is in flight has come back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from holdfast.core import failing, forward, unwind
from holdfast.core.change import Guarantee
from holdfast.core.draft import Draft
from holdfast.core.run import SETTLED, Run
from holdfast.core.states import COMMANDS, TASK_COMMANDS
from holdfast.core.stimuli import Apply

RETRIES_MAX: Final = 3


def refusal(run: Run, verb: str, data: Mapping[str, Any]) -> str | None:
    """Why this cannot be asked of the run now; None when it can."""
    name = data.get("task")
    if name is None:
        allowed = COMMANDS[verb]
        if run.state not in allowed:
            *others, last = sorted(allowed)
            wanted = f"{', '.join(others)} or {last}" if others else last
            return f"the run {run.id} is {run.state}; `{verb}` needs one that is {wanted}"
    else:
        number = task_number(run, name)
        if number is None:
            return f"the run {run.id} has no task `{name}`"
        state = run.tasks[number].state
        if state not in TASK_COMMANDS.get(verb, ()):
            return f"`{verb}` cannot be done to the task `{name}`: it is {state}"
    special = _REFUSALS.get(verb)
    return special(run, data) if special is not None else None


def task_number(run: Run, name: object) -> int | None:
    """The task of this name, or of this tenant."""
    return next((number for number, task in enumerate(run.outline.tasks) if name in (task.name, task.key)), None)


def _no_retry(run: Run, data: Mapping[str, Any]) -> str | None:
    numbers = failed_tasks(run, data.get("task"))
    if not numbers:
        return f"the run {run.id} has no failed task"
    spent = [run.outline.tasks[number].name for number in numbers if run.tasks[number].retries >= RETRIES_MAX]
    if spent:
        return f"the task `{spent[0]}` was retried {RETRIES_MAX} times already"
    left = [run.ids[step] for number in numbers for step in run.tasks[number].steps if _is_left_behind(run, step)]
    return f"what the step `{left[0]}` did could not be taken back: roll it back first" if left else None


def _is_left_behind(run: Run, step: int) -> bool:
    """What can never be undone need not be, before it is done again."""
    return run.steps[step] == "undo_failed" and run.guarantees.get(step) is not Guarantee.IRREVERSIBLE


def _no_approval(run: Run, data: Mapping[str, Any]) -> str | None:
    step = data.get("step")
    if step == "gate":
        return None if run.gate_waits else f"the run {run.id} does not wait at a gate"
    waiting = {run.ids[number] for number in run.questions}
    return None if step in waiting else f"the step `{step}` of the run {run.id} does not wait for an approval"


def _no_rollback(run: Run, data: Mapping[str, Any]) -> str | None:
    """A task is not taken from under others that were built on it."""
    name = data.get("task")
    number = None if name is None else task_number(run, name)
    if number is None:
        return None
    standing = [run.outline.tasks[other].name for other in sorted(failing.dependents(run, number)) if _stands(run, other)]
    named = ", ".join(f"`{other}`" for other in standing)
    return f"the task `{name}` is needed by {named}: roll back first what was built on it" if standing else None


def _stands(run: Run, number: int) -> bool:
    """Is the task in place or under way, or did it leave something behind?"""
    task = run.tasks[number]
    return task.state in _STANDING or any(unwind.needs_undo(run, step) for step in task.steps)


_STANDING: Final = frozenset({"running", "pausing", "paused", "cancelling", "completed"})

_REFUSALS: Final[Mapping[str, Callable[[Run, Mapping[str, Any]], str | None]]] = {
    "retry": _no_retry,
    "approve": _no_approval,
    "rollback": _no_rollback,
}


def failed_tasks(run: Run, name: object = None) -> list[int]:
    """The tasks that a retry is about."""
    only = None if name is None else task_number(run, name)
    return [
        number
        for number, task in enumerate(run.tasks)
        if task.state in TASK_COMMANDS["retry"] and (name is None or number == only)
    ]


def asked(draft: Draft, verb: str, data: Mapping[str, Any]) -> None:
    if refusal(draft.run, verb, data) is None:
        _ASKED[verb](draft, data)


# -- pause and resume


def _said(data: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: data[name] for name in names if data.get(name) is not None}


def _pause(draft: Draft, data: Mapping[str, Any]) -> None:
    run = draft.run
    said = _said(data, "by", "why", "until")
    if data.get("task") is not None:
        draft.emit("task.pausing", task=task_number(run, data["task"]), **said)
        return
    draft.emit("run.pausing", **said, **_said(data, "now"))
    for number, task in enumerate(run.tasks):
        if task.state == "running":
            draft.emit("task.pausing", task=number, **said)


def _resume(draft: Draft, data: Mapping[str, Any]) -> None:
    run = draft.run
    only = None if data.get("task") is None else task_number(run, data["task"])
    if run.state in ("paused", "pausing"):
        draft.emit("run.resumed", **_said(data, "by", "owner"))
    for number, task in enumerate(run.tasks):
        if task.state in ("paused", "pausing") and only in (None, number):
            draft.emit("task.resumed", task=number)
            forward.open_next(draft, number)


# -- cancel


def _cancel(draft: Draft, data: Mapping[str, Any]) -> None:
    """What is under way is finished first; only what merely waits or watches is interrupted."""
    run = draft.run
    if data.get("task") is not None:
        number = task_number(run, data["task"])
        assert number is not None
        draft.emit("task.cancelling", task=number, **_said(data, "by", "why"))
        _interrupt(draft, {number})
        return
    draft.emit("run.cancelling", **_said(data, "by", "why"))
    _interrupt(draft, set(range(len(run.tasks))))


def _interrupt(draft: Draft, tasks: set[int]) -> None:
    task_of = draft.run.graph.task_of
    for number, effect in draft.flights.by_number.items():
        idle = isinstance(effect, Apply) and effect.lane.family == "probe"
        if idle and tasks.issuperset(task_of[step] for step in effect.steps):
            draft.halt(number)


# -- confirm, approve, roll back, retry


def _confirm(draft: Draft, data: Mapping[str, Any]) -> None:
    run = draft.run
    if run.confirm_until is not None and draft.now >= run.confirm_until:
        return  # too late, though no process was there to see the time run out: it is taken back
    draft.emit("run.confirmed", **_said(data, "by"))
    if run.guarded:
        draft.disarm()  # what hosts would take back by themselves is not committed yet
    else:
        forward.conclude(draft, confirmed=True)


def _approve(draft: Draft, data: Mapping[str, Any]) -> None:
    run = draft.run
    if data["step"] == "gate":
        draft.emit("run.gate_opened", number=run.gates_open + 1, **_said(data, "by"))
        return
    step = next(number for number in run.questions if run.ids[number] == data["step"])
    draft.emit_steps("step.approved", [step], _said(data, "by"))
    draft.emit_steps("step.applied", [step])


def _rollback(draft: Draft, data: Mapping[str, Any]) -> None:
    if data.get("task") is None:
        unwind.begin(draft, None, **_said(data, "by", "owner"))
        return
    run = draft.run
    number = task_number(run, data["task"])
    assert number is not None
    if run.over:
        draft.emit("run.resumed", **_said(data, "by", "owner"), only="rollback")
    elif run.state == "paused":  # and afterwards it rests again
        draft.emit("run.resumed", **_said(data, "by", "owner"))
        draft.emit("run.pausing", **_said(data, "by"))
    unwind.begin_task(draft, number)


def _retry(draft: Draft, data: Mapping[str, Any]) -> None:
    """Failed tasks again: from the stage that is not done yet, as they left it; or from scratch, what stands taken back."""
    run = draft.run
    scratch = data.get("from") == "scratch"
    numbers = failed_tasks(run, data.get("task"))
    draft.emit("run.resumed", **_said(data, "by", "owner"))
    for number in numbers:
        if scratch and any(unwind.needs_undo(run, step) for step in run.tasks[number].steps):
            unwind.begin_task(draft, number, then="scratch")
        else:
            _await_turn(draft, number, scratch=scratch)


def start_over(draft: Draft, number: int) -> None:
    """What stood of a task is taken back; where nothing came in between, it begins anew."""
    run = draft.run
    if run.state in forward.GOING and run.tasks[number].state == "rolled_back" and number in run.starting_over:
        _await_turn(draft, number, scratch=True)


def _await_turn(draft: Draft, number: int, *, scratch: bool) -> None:
    run = draft.run
    again = SETTLED | _AGAIN if scratch else _AGAIN
    steps = [step for step in run.tasks[number].steps if run.steps[step] in again]
    draft.emit_steps("step.resolved", steps, {"verdict": "not_applied"})
    origin: dict[str, Any] = {"from": "scratch" if scratch else "checkpoint"}
    draft.emit("task.waiting", task=number, **origin)


_AGAIN: Final = frozenset({"failed", "skipped", "undone", "undo_failed"})


_ASKED: Final[Mapping[str, Callable[[Draft, Mapping[str, Any]], None]]] = {
    "pause": _pause,
    "resume": _resume,
    "cancel": _cancel,
    "confirm": _confirm,
    "approve": _approve,
    "rollback": _rollback,
    "retry": _retry,
}
