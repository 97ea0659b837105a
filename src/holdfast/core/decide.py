"""`decide(run, stimulus)`: every decision of a run is made here, in `forward`, `failing` or `unwind`; nowhere else.

Pure: no I/O, no clock, no randomness. Each event becomes part of the run as it is decided (through `evolve`, as in
recovery), so that one decision sees the consequences of its own beginning. Its effects may be performed only after its
events were persisted; where that fails the run object is thrown away, and the journal is the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from holdfast.core import control, failing, forward, unwind
from holdfast.core.change import Verdict
from holdfast.core.draft import Draft, Flights, error_of
from holdfast.core.errors import Failure
from holdfast.core.run import Run
from holdfast.core.stimuli import (
    Apply,
    Asked,
    Began,
    Decision,
    Disarmed,
    Found,
    Predicted,
    Recovered,
    Returned,
    StepResult,
    Stimulus,
    Ticked,
)


def decide(run: Run, flights: Flights, stimulus: Stimulus) -> Decision:
    draft = Draft(run, flights, stimulus.now)
    _HEARD[type(stimulus)](draft, stimulus)
    _go_on(draft)
    return Decision(draft.events, draft.effects, _wake_at(draft))


def _go_on(draft: Draft) -> None:
    """Whatever was heard: what follows from where the run stands now?"""
    run = draft.run
    if run.state in forward.GOING:
        _check_deadline(draft)
        _check_questions(draft)
        forward.go_on(draft)
    elif run.state == "paused":
        failing.call_off(draft)
    if run.state == "cancelling" and not draft.flights.by_number:
        draft.emit("run.cancelled")
        unwind.begin(draft, error_of("cancelled", "the run was cancelled"))
    if run.state == "confirming" and run.confirm_until is not None and draft.now >= run.confirm_until:
        unwind.begin(draft, error_of("unconfirmed", "nobody confirmed the run in time"))
    so_far = len(draft.events)
    unwind.go_on(draft)
    if run.state in forward.GOING and len(draft.events) > so_far:  # a task was taken back by itself: the others go on
        forward.go_on(draft)
        unwind.go_on(draft)


def _wake_at(draft: Draft) -> float | None:
    run = draft.run
    times = [at for at in forward.retries(run) if at > draft.now]  # what is due by now waits for something in flight
    if run.state == "confirming" and run.confirm_until is not None:
        times.append(run.confirm_until)
    if run.state in forward.GOING:
        deadlines = [_deadline(run), *run.questions.values()]
        times += [deadline for deadline in deadlines if deadline is not None and draft.now < deadline]
    return min(times, default=None)


def _deadline(run: Run) -> float | None:
    limit = run.policy.timeout
    return None if limit is None or run.started_at is None else run.started_at + limit


def _check_deadline(draft: Draft) -> None:
    """After it nothing more may begin, whatever the policy says about going on."""
    run = draft.run
    deadline = _deadline(run)
    if deadline is None or draft.now < deadline or not any(task.state in failing.ALIVE for task in run.tasks):
        return
    error = error_of("timeout", f"the run took longer than its `timeout` of {run.policy.timeout:g} s")
    for number, task in enumerate(run.tasks):
        if task.state in failing.ALIVE:
            failing.fail_task(draft, number, error)
    for number in draft.flights.by_number:
        draft.halt(number)


def _check_questions(draft: Draft) -> None:
    """A question that nobody answered in the time of its step has failed."""
    run = draft.run
    late = [step for step, until in run.questions.items() if until is not None and draft.now >= until]
    if late:
        failure = Failure(code="timeout", message="nobody said yes in time")
        _failed(draft, [StepResult(step, "failed", failure) for step in late])


# -- what was heard


def _began(draft: Draft, stimulus: Began) -> None:
    draft.emit("run.started", at=stimulus.now)
    draft.emit_steps("step.unchanged", _idle_at_once(draft.run))


def _idle_at_once(run: Run) -> list[int]:
    """Steps that are so already and wait for none that is not; the others keep their place in the order."""
    if len(run.idle) == len(run.steps):
        return run.idle
    idle = set(run.idle)
    found: set[int] = set()
    for step in run.graph.order:
        if step in idle and found.issuperset(run.graph.needs[step]):
            found.add(step)
    return sorted(found)


def _returned(draft: Draft, stimulus: Returned) -> None:
    effect = draft.flights.land(stimulus.effect)
    if isinstance(effect, Apply) and effect.undo:
        unwind.returned(draft, stimulus.results)
        return
    by_ending: dict[str, list[StepResult]] = {ending: [] for ending in _LANDED}
    for result in stimulus.results:
        by_ending[result.ending].append(result)
    for ending, results in by_ending.items():
        if results:
            _LANDED[ending](draft, results)


def _found(draft: Draft, stimulus: Found) -> None:
    """The world told what became of steps in doubt."""
    draft.flights.land(stimulus.effect)
    by_verdict: dict[Verdict, list[int]] = {}
    for step, verdict in stimulus.verdicts.items():
        by_verdict.setdefault(verdict, []).append(step)
    draft.emit_steps("step.applied", by_verdict.get(Verdict.APPLIED, ()))
    draft.emit_steps("step.resolved", by_verdict.get(Verdict.NOT_APPLIED, ()), {"verdict": Verdict.NOT_APPLIED.value})
    for verdict, words in _UNCLEAR.items():
        for step in by_verdict.get(verdict, ()):
            error = error_of("in_doubt", words, draft.run.ids[step])
            draft.emit_steps("step.failed", [step], error=[error])
            failing.step_failed(draft, step)


_UNCLEAR: Final = {
    Verdict.FOREIGN: "nobody heard how it ended, and what is there now is neither the state before nor the one after",
    Verdict.UNKNOWN: "nobody heard how it ended, and its effect has no state that could be read",
}


def _asked(draft: Draft, stimulus: Asked) -> None:
    control.asked(draft, stimulus.verb, stimulus.data)


def _ticked(draft: Draft, stimulus: Ticked) -> None:
    pass  # time is part of the draft; what follows from it is decided afterwards, as always


def _recovered(draft: Draft, stimulus: Recovered) -> None:
    """The same run goes on in another process. Only going forward must know what became of steps in doubt."""
    run = draft.run
    was = run.state
    draft.emit("run.interrupted", owner=stimulus.owner)
    if not stimulus.resume or was not in ("running", "pausing", "queued") or failing.stops(run):
        unwind.begin(draft, run.error or error_of("cancelled", "the process that ran it died"))
        return
    draft.emit("run.resumed", owner=stimulus.owner, by="recover")
    for number, task in enumerate(run.tasks):
        if task.state == "rolling_back":
            unwind.begin_task(draft, number)
        elif was == "pausing" and task.state in ("pausing", "paused"):
            draft.emit("task.resumed", task=number)
            forward.open_next(draft, number)
    if doubtful := [step for step, state in enumerate(run.steps) if state in _IN_FLIGHT and not _goes_back(run, step)]:
        draft.ask(doubtful)
    if half_undone := [step for step, state in enumerate(run.steps) if state == "undoing" and not _goes_back(run, step)]:
        unwind.begin_steps(draft, half_undone)


_IN_FLIGHT: Final = frozenset({"applying", "in_doubt"})


def _goes_back(run: Run, step: int) -> bool:
    """Undoing asks the world by itself."""
    return run.tasks[run.graph.task_of[step]].state == "rolling_back"


def _disarmed(draft: Draft, stimulus: Disarmed) -> None:
    """Only a run that no host takes back any more is committed; else none of it stays."""
    draft.flights.land(stimulus.effect)
    if stimulus.failure is None:
        forward.conclude(draft, confirmed=True)
    else:
        unwind.begin(draft, {"step": None, **stimulus.failure.plain()})


def _predicted(draft: Draft, stimulus: Predicted) -> None:
    effect = draft.flights.land(stimulus.effect)
    control.start_over(draft, draft.run.graph.task_of[effect.steps[0]])


_HEARD: Final[Mapping[type, Callable[[Draft, Any], None]]] = {
    Began: _began,
    Returned: _returned,
    Found: _found,
    Asked: _asked,
    Ticked: _ticked,
    Recovered: _recovered,
    Disarmed: _disarmed,
    Predicted: _predicted,
}


# -- how steps come back from going forward


def _done(draft: Draft, results: Sequence[StepResult]) -> None:
    draft.emit_steps(
        "step.applied",
        [r.step for r in results],
        duration_s=[round(r.duration_s, 6) for r in results],
        output=[r.output for r in results],
    )


def _unchanged(draft: Draft, results: Sequence[StepResult]) -> None:
    """Found to be so already; after an attempt that failed it was that attempt which made it so."""
    ours = [result for result in results if result.step in draft.run.attempts]
    _done(draft, ours)
    draft.emit_steps("step.unchanged", [r.step for r in results if r.step not in draft.run.attempts])


def _never_begun(draft: Draft, results: Sequence[StepResult]) -> None:
    draft.emit_steps("step.resolved", [r.step for r in results], {"verdict": Verdict.NOT_APPLIED.value})


def _in_doubt(draft: Draft, results: Sequence[StepResult]) -> None:
    steps = [r.step for r in results]
    draft.emit_steps("step.in_doubt", steps, error=[_error(draft, r) for r in results])
    draft.ask(steps)


def _failed(draft: Draft, results: Sequence[StepResult]) -> None:
    lost = [result for result in results if not _retried(draft, result)]
    draft.emit_steps(
        "step.failed",
        [r.step for r in lost],
        error=[_error(draft, r) for r in lost],
        duration_s=[round(r.duration_s, 6) for r in lost],
        output=[r.output for r in lost],
    )
    for result in lost:
        failing.step_failed(draft, result.step)


def _retried(draft: Draft, result: StepResult) -> bool:
    run = draft.run
    policy, attempt = run.retries.get(result.step), run.attempts.get(result.step, 1)
    if policy is None or attempt >= policy.attempts or run.state != "running" or failing.stops(run):
        return False
    until = draft.now + policy.pause_before(attempt + 1)
    draft.emit_steps("step.retrying", [result.step], {"attempt": attempt + 1, "until": until}, error=[_error(draft, result)])
    return True


# In this order: what a failure means depends on what has come back beside it.
_LANDED: Final[Mapping[str, Callable[[Draft, Sequence[StepResult]], None]]] = {
    "done": _done,
    "unchanged": _unchanged,
    "skipped": _never_begun,
    "in_doubt": _in_doubt,
    "failed": _failed,
}


def _error(draft: Draft, result: StepResult) -> Mapping[str, Any]:
    failure = result.failure or Failure(code="bug", message="a driver reported a failure without a reason")
    return {"step": draft.run.ids[result.step], **failure.plain()}
