"""Going back: undo what was done, in reverse, stage by stage; go on after a failure and tell what is left behind.

A step is undone only after everything that was built on it. Undoing needs no knowledge of how far a step came: a driver
looks at the world first, so steps in doubt, half-done and failed ones are all handed to it alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from holdfast.core.change import Guarantee
from holdfast.core.draft import Draft, error_of
from holdfast.core.run import TOUCHED, Run
from holdfast.core.stimuli import Lane, StepResult

_STARTED = frozenset({"committing", "committed", "failed", "rollback_failed"})


def begin(draft: Draft, error: Mapping[str, Any] | None, *, by: str = "") -> None:
    """Roll the whole run back. Nothing may be in flight."""
    run = draft.run
    draft.emit("run.rolling_back", error=error, by=by or None)
    for number, task in enumerate(run.tasks):
        if task.stage >= 0 and task.state not in ("rolled_back", "cancelled"):
            begin_task(draft, number)


def begin_steps(draft: Draft, steps: Sequence[int]) -> None:
    """Undo single steps whose task stays as it is: what a failed step did must not stay, whatever the others may keep."""
    groups: dict[Lane, list[int]] = {}
    for step in steps:
        groups.setdefault(draft.run.lanes[step], []).append(step)
    draft.emit_steps("step.undoing", steps)
    for lane, some in groups.items():
        for batch in [some] if lane.batched else [[step] for step in some]:
            draft.send(lane, batch, undo=True)


def begin_task(draft: Draft, number: int) -> None:
    run, flights = draft.run, draft.flights
    if run.tasks[number].state != "rolling_back":
        draft.emit("task.rolling_back", task=number)
    flights.undo_left.update(step for step in run.tasks[number].steps if needs_undo(run, step))
    flights.look_at.add(number)


def needs_undo(run: Run, step: int) -> bool:
    """A command without an undo that has failed did nothing that could be taken back."""
    state = run.steps[step]
    if state in ("failed", "waiting") and run.guarantees.get(step) is Guarantee.IRREVERSIBLE:
        return False
    return state in TOUCHED


def go_on(draft: Draft) -> None:
    """Hand out what may be undone now; close stages, tasks and the run that are done with it."""
    run, flights = draft.run, draft.flights
    waiting = set()
    while flights.look_at:
        number = max(flights.look_at)
        flights.look_at.discard(number)
        if run.tasks[number].state != "rolling_back":  # only looked at because another task that needs it is done
            continue
        if any(run.tasks[follower].state == "rolling_back" for follower in run.task_feeds[number]):
            continue
        if _unwind_task(draft, number):
            flights.look_at.update(need for need in run.task_needs[number] if need not in waiting)
        else:
            waiting.add(number)
    flights.look_at = {number for number in waiting if run.tasks[number].state == "rolling_back"}
    if run.state == "rolling_back" and not any(task.state == "rolling_back" for task in run.tasks):
        _end(draft)


def _unwind_task(draft: Draft, number: int) -> bool:
    """One task as far as it goes now; true when it is done."""
    run, flights = draft.run, draft.flights
    task = run.tasks[number]
    for stage in range(len(task.stages) - 1, -1, -1):
        if task.stages[stage] in _STARTED:
            draft.emit("stage.rolling_back", task=number, stage=stage)
        if task.stages[stage] != "rolling_back":
            continue
        steps = task.range_of(stage)
        left = [step for step in reversed(steps) if step in flights.undo_left]
        if left:
            _hand_out(draft, left)
        if any(step in flights.undo_left for step in steps):
            return False
        failed = any(run.steps[step] == "undo_failed" for step in steps)
        draft.emit("stage.rollback_failed" if failed else "stage.rolled_back", task=number, stage=stage)
    if "rollback_failed" in task.stages:
        draft.emit("task.rollback_failed", task=number)
    elif number in run.called_off:
        call_off(draft, number)
    else:
        draft.emit("task.rolled_back", task=number)
    return True


def call_off(draft: Draft, number: int) -> None:
    """The end of a task that somebody cancelled."""
    run = draft.run
    task, by = run.tasks[number], run.called_off[number].get("by")
    last = run.outline.tasks[number].stages[task.stage].name if task.stage >= 0 else None
    error = error_of("cancelled", f"the task `{run.outline.tasks[number].name}` was cancelled")
    draft.emit("task.cancelled", task=number, by=by, last_stage=last, error=error)


def _hand_out(draft: Draft, left: Sequence[int]) -> None:
    run, flights = draft.run, draft.flights
    lost = [step for step in left if run.guarantees.get(step) is Guarantee.IRREVERSIBLE]
    if lost:
        _give_up(draft, lost)
    waits = {step: sum(1 for follower in run.graph.feeds[step] if follower in flights.undo_left) for step in left}
    ready = [step for step in left if step in flights.undo_left and not waits[step]]
    flying = {step for effect in flights.by_number.values() for step in effect.steps}
    groups: dict[Lane, list[int]] = {}
    free = run.policy.parallel - len(flights.by_number)
    for step in ready:
        lane = run.lanes[step]
        if step in flying or (lane.batched and lane in flights.busy):
            continue
        if lane not in groups or not lane.batched:
            if free <= 0:
                continue
            free -= 1
        groups.setdefault(lane, []).append(step)
    for lane, steps in groups.items():
        _launch(draft, lane, steps, waits)


def _launch(draft: Draft, lane: Lane, ready: list[int], waits: dict[int, int]) -> None:
    """Undo in one batch what is ready, and what becomes ready by it in the same lane and stage."""
    if not lane.batched:
        for step in ready:
            draft.emit_steps("step.undoing", [step])
            draft.send(lane, [step], undo=True)
        return
    batch = list(ready)
    for step in batch:
        for need in draft.run.graph.needs[step]:
            if need in waits:
                waits[need] -= 1
                if not waits[need] and need in draft.flights.undo_left and draft.run.lanes[need] == lane:
                    batch.append(need)
    draft.emit_steps("step.undoing", batch)
    draft.send(lane, batch, undo=True)


def _give_up(draft: Draft, steps: Sequence[int]) -> None:
    """What declared no undo cannot be taken back: say so, and go on with the rest."""
    run = draft.run
    residues = [_irreversible(run, step) for step in steps]
    draft.emit_steps("step.undoing", steps)
    draft.emit_steps("step.undo_failed", steps, residue=residues)
    draft.flights.undo_left.difference_update(steps)


def _irreversible(run: Run, step: int) -> Mapping[str, Any]:
    done = run.steps[step] == "applied"
    return {
        "step": run.ids[step],
        "resource": f"{run.lanes[step].target}:{run.kinds[step]}/{run.ids[step]}",
        "reason": "it was run and declares no `undo`" if done else "it may have been run, and declares no `undo`",
        "what_to_do": "take back by hand what it did; give the step an `undo` next time",
        "kept": "",
    }


def returned(draft: Draft, results: Sequence[StepResult]) -> None:
    run, flights = draft.run, draft.flights
    failed = [r for r in results if r.ending in ("failed", "in_doubt")]
    done = [r for r in results if r.ending in ("done", "unchanged")]
    flights.undo_left.difference_update(r.step for r in results if r.ending != "skipped")
    draft.emit_steps(
        "step.undone",
        [r.step for r in done],
        duration_s=[round(r.duration_s, 6) for r in done],
        made=[_was_made(run, r) for r in done],
    )
    draft.emit_steps(
        "step.undo_failed",
        [r.step for r in failed],
        error=[r.failure.plain() if r.failure else None for r in failed],
        residue=[r.residue for r in failed],
    )
    flights.look_at.update(run.graph.task_of[r.step] for r in results)


def _was_made(run: Run, result: StepResult) -> bool:
    """Nobody had heard that it was made, but there was something to undo."""
    return result.ending == "done" and result.step not in run.executed and result.step not in run.failures


def _end(draft: Draft) -> None:
    run = draft.run
    if run.residue or any(task.state == "rollback_failed" for task in run.tasks):
        draft.emit("run.rollback_failed", residue=list(run.residue.values()), error=run.error)
    else:
        draft.emit("run.rolled_back", error=run.error)
