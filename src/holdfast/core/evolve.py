"""`evolve`: the only way a run changes, live and in recovery.

Every event has one place here that knows what it does to the run and to the indices that deciding goes by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from holdfast.core.errors import CODES
from holdfast.core.events import Event
from holdfast.core.guarantee import Guarantee
from holdfast.core.run import BROKEN, FINISHED, SETTLED, UNDER_WAY, Run
from holdfast.core.states import RUN, STAGE, STEP, TASK, after


def evolve(run: Run, event: Event) -> None:
    """Make the event part of the run. Knows no clock and decides nothing; raises `Bug` on an impossible event."""
    family, _, _ = event.type.partition(".")
    if family == "step":
        _evolve_steps(run, event)
    elif family == "stage":
        assert event.task is not None and event.stage is not None
        task = run.tasks[event.task]
        task.stages[event.stage] = after(STAGE, task.stages[event.stage], event.type)
        if event.type == "stage.started":
            _open_stage(run, event.task, event.stage)
        elif event.type == "stage.skipped":
            task.stage = event.stage
    elif family == "task":
        assert event.task is not None
        _evolve_task(run, event.task, event)
    elif family == "run":
        _evolve_run(run, event)


def _evolve_run(run: Run, event: Event) -> None:
    if event.type == "run.created":
        run.source = event.data.get("source", "")
        run.warnings = tuple(event.data.get("warnings", ()))
        return
    if event.type == "run.guarded":
        run.guarded = tuple(event.data["targets"])
        return
    if event.type == "run.prepared":
        run.guarantees.update((step, Guarantee(label)) for step, label in event.data.get("guarantees", ()))
        run.idle.extend(event.data.get("idle", ()))
        run.accepted.update(event.data.get("accepted", ()))
        if event.data.get("more"):  # a large plan is prepared in several records; the last one counts
            return
    run.state = after(RUN, run.state, event.type)
    if event.type == "run.resumed":
        run.rewinding = event.data.get("only") == "rollback"
    run.halting = event.type == "run.pausing" and bool(event.data.get("now"))
    if event.type == "run.resumed" and run.ending is not None:
        run.error = None  # a new attempt: what ended the one before is told by its events
        run.bygone = set(run.unmet)
    if event.type in ("run.gate_waiting", "run.gate_opened"):
        run.gate_waits = event.type == "run.gate_waiting"
        run.gates_open += event.type == "run.gate_opened"
        return
    if event.type == "run.committed":
        run.ending = event.data.get("ending", "committed")
        run.state = "partial" if run.ending == "partial" else "committed"
    elif event.type in _ENDINGS:
        run.ending = _ENDINGS[event.type]
    elif event.type == "run.settled":
        return
    else:
        run.ending = None
    if event.type == "run.rolling_back":
        run.starting_over.clear()
    if event.type == "run.refused":
        _refuse(run, event.data["problems"])
    if event.type == "run.confirming":
        run.confirm_until = event.data["until"]
    if event.type == "run.started":
        run.started_at = event.data.get("at")
    if event.data.get("error"):
        run.error = event.data["error"]


def _refuse(run: Run, problems: Sequence[Mapping[str, Any]]) -> None:
    """Tasks with a problem are not valid; the others are not begun because of them."""
    run.problems = [{**problem, "retryable": CODES[problem["code"]].retryable} for problem in problems]
    run.faulty = dict.fromkeys(problem["step"] for problem in problems if problem.get("step"))
    for task in run.tasks:
        wrong = any(run.ids[step] in run.faulty for step in task.steps)
        task.state = after(TASK, task.state, "run.refused" if wrong else "task.cancelled")


_ENDINGS: Final = {"run.refused": "refused", "run.rolled_back": "rolled_back", "run.rollback_failed": "stuck"}


def _evolve_task(run: Run, number: int, event: Event) -> None:
    task = run.tasks[number]
    if event.type in ("task.created", "task.retry_completed"):
        return
    was, task.state = task.state, after(TASK, task.state, event.type)
    run.active += (task.state in UNDER_WAY) - (was in UNDER_WAY)
    if number in run.shares:
        _share(run, number, taking=task.state == "paused" or task.state in UNDER_WAY)
    if event.type == "task.completed":
        for follower in run.task_feeds[number]:
            run.tasks[follower].needs -= 1
            if not run.tasks[follower].needs:
                run.startable.append(follower)
    elif event.type in ("task.failed", "task.cancelled"):
        run.unmet[number] = event.data.get("error", {})
    elif event.type == "task.cancelling":
        run.called_off[number] = event.data
    elif event.type == "task.rolling_back":
        (run.starting_over.add if event.data.get("then") else run.starting_over.discard)(number)
    elif event.type in ("task.rolled_back", "task.rollback_failed"):
        run.unmet.setdefault(number, {})  # taken back by hand: the run is no longer whole
    elif event.type == "task.waiting":
        _await_retry(run, number, event.data["from"])
    elif event.type == "task.retry_started":
        task.again = None
        task.retries += 1
    if was == "completed":
        for follower in run.task_feeds[number]:
            run.tasks[follower].needs += 1


def _share(run: Run, number: int, *, taking: bool) -> None:
    if taking:
        run.sharing[number] = None
    else:
        run.sharing.pop(number, None)


def _await_retry(run: Run, number: int, origin: str) -> None:
    task = run.tasks[number]
    task.again = origin
    done = next((stage for stage, state in enumerate(task.stages) if state not in ("committed", "skipped")), len(task.stages))
    task.stage = -1 if origin == "scratch" else done - 1
    for where in (run.starting_over, run.bygone):
        where.discard(number)
    del run.unmet[number]
    if not task.needs:
        run.startable.append(number)


def _open_stage(run: Run, number: int, stage: int) -> None:
    task = run.tasks[number]
    task.stage = stage
    steps, states = task.range_of(stage), run.steps
    task.left = sum(1 for step in steps if states[step] not in SETTLED)
    task.broken = any(states[step] in BROKEN for step in steps)
    if not task.left:
        run.closable.append(number)
    run.ready.extend(step for step in steps if states[step] == "pending" and not run.waits[step])


def _evolve_steps(run: Run, event: Event) -> None:
    states, name = run.steps, event.type
    assert event.steps is not None
    if name in _REOPENS:
        _reopen(run, [step for step in event.steps if states[step] in SETTLED])
    for step in event.steps:
        states[step] = after(STEP, states[step], name)
    handler = _STEP_EFFECTS.get(name)
    if handler is not None:
        handler(run, event)


def _settle(run: Run, steps: Sequence[int], *, broken: bool = False) -> None:
    """These steps will not move by themselves any more: the end of their stage is nearer."""
    task_of, stage_of = run.graph.task_of, run.graph.stage_of
    for step in steps:
        task = run.tasks[task_of[step]]
        if task.stage != stage_of[step]:
            continue
        task.left -= 1
        task.broken = task.broken or broken
        if not task.left:
            run.closable.append(task_of[step])


def _finish(run: Run, steps: Sequence[int]) -> None:
    """These steps are in place: count down who waits for them."""
    graph, waits, states = run.graph, run.waits, run.steps
    _settle(run, steps)
    for step in steps:
        for follower in graph.feeds[step]:
            waits[follower] -= 1
            if not waits[follower] and states[follower] == "pending" and run.is_open(follower):
                run.ready.append(follower)


_REOPENS: Final = frozenset({"step.undoing", "step.resolved"})


def _reopen(run: Run, steps: Sequence[int]) -> None:
    """These steps had settled and move again: who waited for them waits again."""
    graph = run.graph
    for step in steps:
        task = run.tasks[graph.task_of[step]]
        if task.stage == graph.stage_of[step]:
            task.left += 1
        if run.steps[step] in FINISHED:
            for follower in graph.feeds[step]:
                run.waits[follower] += 1


def _on_applied(run: Run, event: Event) -> None:
    steps = event.steps or ()
    run.executed.update(dict.fromkeys(steps))
    _remember(run, event)
    _finish(run, steps)


def _remember(run: Run, event: Event) -> None:
    steps = event.steps or ()
    if "duration_s[]" in event.data:
        run.durations.update(zip(steps, event.data["duration_s[]"], strict=True))
    if "output[]" in event.data:
        run.outputs.update((step, text) for step, text in zip(steps, event.data["output[]"], strict=True) if text)


def _on_unchanged(run: Run, event: Event) -> None:
    _finish(run, event.steps or ())


def _forget_retry(run: Run, event: Event) -> None:
    if run.retry_at:
        for step in event.steps or ():
            run.retry_at.pop(step, None)


def _on_failed(run: Run, event: Event) -> None:
    _no_longer_asked(run, event)
    steps = event.steps or ()
    run.failures.update(zip(steps, event.column("error"), strict=True))
    _remember(run, event)
    _settle(run, steps, broken=True)


def _on_skipped(run: Run, event: Event) -> None:
    _forget_retry(run, event)
    _settle(run, event.steps or (), broken=True)


def _on_retrying(run: Run, event: Event) -> None:
    _no_longer_asked(run, event)
    for step in event.steps or ():
        run.retry_at[step] = event.data["until"]
        run.attempts[step] = event.data["attempt"]


def _on_resolved(run: Run, event: Event) -> None:
    """Back to the start: it was never begun, or it is to be tried again."""
    _no_longer_asked(run, event)
    for step in event.steps or ():
        run.failures.pop(step, None)
        run.residue.pop(step, None)
        if not run.waits[step] and run.is_open(step):
            run.ready.append(step)


def _on_applying(run: Run, event: Event) -> None:
    _forget_retry(run, event)
    if run.asks:
        until = event.data.get("until")
        run.questions.update((step, until) for step in event.steps or () if run.kinds[step] == "approve")


def _no_longer_asked(run: Run, event: Event) -> None:
    for step in event.steps or ():
        run.questions.pop(step, None)


def _on_undone(run: Run, event: Event) -> None:
    steps = event.steps or ()
    for step in steps:
        run.residue.pop(step, None)
    if "made[]" in event.data:
        run.executed.update((step, None) for step, made in zip(steps, event.data["made[]"], strict=True) if made)


def _on_undo_failed(run: Run, event: Event) -> None:
    for step, residue in zip(event.steps or (), event.column("residue"), strict=True):
        run.residue[step] = residue


_STEP_EFFECTS: Final[Mapping[str, Callable[[Run, Event], None]]] = {
    "step.applied": _on_applied,
    "step.unchanged": _on_unchanged,
    "step.applying": _on_applying,
    "step.approved": _no_longer_asked,
    "step.failed": _on_failed,
    "step.skipped": _on_skipped,
    "step.retrying": _on_retrying,
    "step.resolved": _on_resolved,
    "step.undoing": _forget_retry,
    "step.undone": _on_undone,
    "step.undo_failed": _on_undo_failed,
}
