"""Going back: undo what was done, in reverse, stage by stage; go on after a failure and tell what is left behind.

A step is undone only after everything that was built on it. Undoing needs no knowledge of how far a step came: a driver
looks at the world first, so steps in doubt, half-done and failed ones are all handed to it alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from holdfast.core.change import Guarantee
from holdfast.core.draft import Draft, error_of
from holdfast.core.run import TOUCHED, Run
from holdfast.core.stimuli import Lane, StepResult

_STARTED = frozenset({"committing", "committed", "failed", "rollback_failed"})
_BACK = frozenset({"rolled_back", "cancelled"})  # but what the policy cut short still has its changes in
_TO_GO_BACK = _STARTED | {"rolling_back"}


def begin(draft: Draft, error: Mapping[str, Any] | None, *, by: str | None = None, owner: str | None = None) -> None:
    """Roll the whole run back. Nothing may be in flight."""
    run = draft.run
    draft.emit("run.rolling_back", error=error, by=by, owner=owner)
    for number, task in enumerate(run.tasks):
        if task.begun and (task.state not in _BACK or any(needs_undo(run, step) for step in task.steps)):
            begin_task(draft, number)


def begin_steps(draft: Draft, steps: Sequence[int]) -> None:
    """Undo single steps whose task stays as it is: what a failed step did must not stay, whatever the others may keep."""
    groups: dict[Lane, list[int]] = {}
    for step in steps:
        groups.setdefault(draft.run.lanes[step], []).append(step)
    for lane, some in groups.items():
        _undo(draft, lane, some)


def _undo(draft: Draft, lane: Lane, steps: Sequence[int]) -> None:
    doubtful = frozenset(step for step in steps if draft.run.steps[step] != "applied")
    draft.emit_steps("step.undoing", steps)
    for batch in [steps] if lane.batched else [[step] for step in steps]:
        draft.send(lane, batch, undo=True, doubtful=doubtful.intersection(batch))


def begin_task(draft: Draft, number: int, *, then: str | None = None) -> None:
    run, flights = draft.run, draft.flights
    if run.tasks[number].state != "rolling_back":
        draft.emit("task.rolling_back", task=number, then=then)
    task = run.tasks[number]
    for stage, state in enumerate(task.stages):
        if state in _TO_GO_BACK:
            steps = task.range_of(stage)
            flights.undo_left.update(step for step in steps if step not in run.last_back)
            flights.last_back.update(run.last_back.intersection(steps))
    flights.look_at.add(number)


def needs_undo(run: Run, step: int) -> bool:
    """A command without an undo that has failed did nothing that could be taken back, unless it is in doubt how far it
    came; one that its author accepted as irreversible stays, and is reported; so does one that is to be done again."""
    state = run.steps[step]
    if run.guarantees.get(step) is Guarantee.IRREVERSIBLE:
        stays = step in run.accepted or run.graph.task_of[step] in run.starting_over
        return not stays and (state in TOUCHED - _IN_VAIN or run.is_unclear(step))
    return state in TOUCHED


_IN_VAIN: Final = frozenset({"failed", "waiting"})


def go_on(draft: Draft) -> None:
    """Hand out what may be undone now; close stages, tasks and the run that are done with it."""
    run, flights = draft.run, draft.flights
    left = -1
    while left != len(flights.undo_left):  # what one task passes over, another may have waited for
        left = len(flights.undo_left)
        _look(draft)
    if run.state == "rolling_back" and not any(task.state == "rolling_back" for task in run.tasks):
        _end(draft)


def _look(draft: Draft) -> None:
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


def _unwind_task(draft: Draft, number: int) -> bool:
    """One task as far as it goes now; true when it is done."""
    run, flights = draft.run, draft.flights
    task = run.tasks[number]
    for stage in range(len(task.stages) - 1, -1, -1):
        if task.stages[stage] in _STARTED:
            draft.emit("stage.rolling_back", task=number, stage=stage)
        if task.stages[stage] != "rolling_back":
            continue
        if not _is_back(draft, task.range_of(stage)):
            return False
        if flights.last_back.isdisjoint(task.range_of(stage)):
            _close(draft, number, stage)
    for stage, state in enumerate(task.stages):  # whoever is told or asked again is so in the order of the plan
        if state == "rolling_back":
            steps = task.range_of(stage)
            flights.undo_left.update(flights.last_back.intersection(steps))
            flights.last_back.difference_update(steps)
            if not _is_back(draft, steps):
                return False
            _close(draft, number, stage)
    if "rollback_failed" in task.stages:
        draft.emit("task.rollback_failed", task=number)
    elif number in run.called_off:
        call_off(draft, number)
    else:
        draft.emit("task.rolled_back", task=number)
        if number in run.starting_over:
            draft.predict(task.steps)
    return True


def _is_back(draft: Draft, steps: range) -> bool:
    """Hand out what may be undone now; is everything undone, or given up?"""
    undo_left = draft.flights.undo_left
    left = [step for step in reversed(steps) if step in undo_left]
    if left:
        _hand_out(draft, left)
    return not any(step in undo_left for step in steps)


def _close(draft: Draft, number: int, stage: int) -> None:
    failed = any(draft.run.steps[step] == "undo_failed" for step in draft.run.tasks[number].range_of(stage))
    draft.emit("stage.rollback_failed" if failed else "stage.rolled_back", task=number, stage=stage)


def call_off(draft: Draft, number: int) -> None:
    """The end of a task that somebody cancelled."""
    run = draft.run
    task, by = run.tasks[number], run.called_off[number].get("by")
    last = run.outline.tasks[number].stages[task.stage].name if task.stage >= 0 else None
    error = error_of("cancelled", f"the task `{run.outline.tasks[number].name}` was cancelled")
    draft.emit("task.cancelled", task=number, by=by, last_stage=last, error=error)


def _hand_out(draft: Draft, left: Sequence[int]) -> None:
    handing = _Handing(draft, left)
    for step in handing.todo:  # it grows
        handing.consider(step)
    handing.send(draft)


class _Handing:
    """Which steps of a stage may be undone now, and what travels behind them in the same batch.

    A step with nothing to undo is passed over, but still keeps the order between what stands before and after it.
    """

    __slots__ = ("_behind", "_flights", "_flying", "_free", "_groups", "_lost", "_run", "_said", "_waits", "todo")

    def __init__(self, draft: Draft, left: Sequence[int]) -> None:
        run, flights = draft.run, draft.flights
        self._run, self._flights = run, flights
        self._waits = {step: sum(1 for follower in run.graph.feeds[step] if follower in flights.undo_left) for step in left}
        self.todo = [step for step in left if not self._waits[step]]
        self._behind: dict[int, Lane | None] = {}  # the lane in whose batch it may travel; None: several, so not yet
        self._groups: dict[Lane, list[int]] = {}
        self._flying = {step for effect in flights.by_number.values() for step in effect.steps}
        self._free = run.policy.parallel - len(flights.by_number)
        self._lost: list[int] = []
        self._said: list[int] = []

    def consider(self, step: int) -> None:
        """Its followers are undone, or will be in the batch it may travel in."""
        run, lane = self._run, self._run.lanes[step]
        behind = step in self._behind
        if not needs_undo(run, step):
            self._pass(step, self._behind.get(step), over=not behind)
        elif run.guarantees.get(step) is Guarantee.IRREVERSIBLE or lane.family == "approval":
            if not behind:
                (self._said if lane.family == "approval" else self._lost).append(step)
                self._pass(step, None)
        elif step not in self._flying and (self._behind[step] == lane if behind else self._has_room(lane)):
            self._groups.setdefault(lane, []).append(step)
            if lane.batched:
                self._pass(step, lane, over=False)

    def _has_room(self, lane: Lane) -> bool:
        if lane.batched and (lane in self._groups or lane in self._flights.busy):
            return lane in self._groups
        self._free -= 1
        return self._free >= 0

    def _pass(self, step: int, lane: Lane | None, *, over: bool = True) -> None:
        """Whoever waited for this step waits no longer; `lane` is the batch behind which that is true."""
        if over:
            self._flights.undo_left.discard(step)
        for need in self._run.graph.needs[step]:
            if need not in self._waits:
                continue
            self._waits[need] -= 1
            if not over:
                self._behind[need] = lane if self._behind.get(need, lane) == lane else None
            if not self._waits[need]:
                self.todo.append(need)

    def send(self, draft: Draft) -> None:
        if self._lost:
            _give_up(draft, self._lost)
        draft.emit_steps("step.undoing", self._said)  # what somebody said leaves nothing to take back
        draft.emit_steps("step.undone", self._said)
        for lane, steps in self._groups.items():
            _undo(draft, lane, steps)


def _give_up(draft: Draft, steps: Sequence[int]) -> None:
    """What declared no undo cannot be taken back: say so, and go on with the rest."""
    run = draft.run
    residues = [_irreversible(run, step) for step in steps]
    draft.emit_steps("step.undoing", steps)
    draft.emit_steps("step.undo_failed", steps, residue=residues)
    draft.flights.undo_left.difference_update(steps)


def _irreversible(run: Run, step: int) -> Mapping[str, Any]:
    done = run.steps[step] == "applied"
    if run.kinds[step] == "config":
        return _without_previous(run, step)
    return {
        "step": run.ids[step],
        "resource": f"{run.lanes[step].target}:{run.kinds[step]}/{run.ids[step]}",
        "reason": "it was run and declares no `undo`" if done else "it may have been run, and declares no `undo`",
        "what_to_do": "take back by hand what it did; give the step an `undo` next time",
        "kept": "",
    }


def _without_previous(run: Run, step: int) -> Mapping[str, Any]:
    return {
        "step": run.ids[step],
        "resource": f"{run.lanes[step].target}:{run.kinds[step]}/{run.ids[step]}",
        "reason": "no_previous: there was no document before, and none was given to go back to",
        "what_to_do": "decide what the service should hold; give the step a `previous` next time",
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
