"""Going forward: what may begin next. Opening tasks and stages, handing out what is ready, and the end."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from holdfast.core import failing, unwind
from holdfast.core.draft import Draft, error_of
from holdfast.core.errors import Bug
from holdfast.core.run import Run
from holdfast.core.shares import lacking
from holdfast.core.stimuli import Lane

BATCH_STEPS_MAX: Final = 4096
GOING: Final = frozenset({"running", "pausing"})  # states of a run in which steps are handed out
OVER: Final = frozenset({"completed", "failed", "cancelled", "rolled_back", "rollback_failed"})


def go_on(draft: Draft) -> None:
    """Close what is complete, open what may begin, hand out what is ready; and end when nothing is left to wait for."""
    while _close_stages(draft) or _open_tasks(draft):
        pass
    run = draft.run
    if run.state in GOING and not run.halting and not failing.stops(run):
        _hand_out(draft)
        failing.take_back_failed_tasks(draft)
    failing.call_off(draft)
    if run.state in GOING and not draft.flights.by_number and not _waits(run):
        _stand_still(draft)


def _stand_still(draft: Draft) -> None:
    """Nothing is in flight and nothing goes on by itself: pause, pass a gate, yield the limit, or end."""
    run = draft.run
    if run.halting and not failing.stops(run):
        for number, task in enumerate(run.tasks):
            if task.state == "pausing":
                draft.emit("task.paused", task=number)
    paused = any(task.state == "paused" for task in run.tasks)
    if (
        run.state == "pausing"
        and not failing.stops(run)
        and (paused or any(task.state in ("pending", "waiting") for task in run.tasks))
    ):
        draft.emit("run.paused")
    elif (paused or run.questions or run.gate_waits) and not failing.stops(run):
        return
    elif run.rewinding:
        _end_mixed(draft)
    elif _at_gate(run):
        _pass_gate(draft)
    elif _open_tasks(draft, 1) or failing.fail_the_stranded(draft):  # the limit yields to a step that somebody waits for
        go_on(draft)
    else:
        _end(draft)


def _waits(run: Run) -> bool:
    """Is there something that goes on without anything in flight: a pause before a retry, a task's rollback?"""
    return bool(retries(run)) or any(task.state == "rolling_back" for task in run.tasks)


def retries(run: Run) -> list[float]:
    """When steps will be tried again; those of a task that failed meanwhile will not."""
    if not run.retry_at or run.state not in GOING or run.halting or failing.stops(run):
        return []
    return [at for step, at in run.retry_at.items() if run.is_open(step)]


# -- stages and tasks


def _close_stages(draft: Draft) -> bool:
    """Complete every open stage whose steps have all settled, and open the one that follows it."""
    run = draft.run
    moved = False
    while run.closable:
        number = run.closable.popleft()
        task = run.tasks[number]
        if task.state not in failing.STAGED or task.left or task.stages[task.stage] != "committing":
            continue
        moved = True
        if task.broken:
            failing.fail_task(draft, number, failing.first_failure(run, number))
            continue
        draft.emit("stage.completed", task=number, stage=task.stage)
        if task.state != "cancelling":
            open_next(draft, number)
    return moved


def open_next(draft: Draft, number: int) -> None:
    """After a stage, or after a pause: the next stage, or the end of the task. A pause that was asked for acts here."""
    task = draft.run.tasks[number]
    if task.stage >= 0 and task.stages[task.stage] == "committing":
        return  # it was resumed before its stage came to an end
    while _has_nothing_to_do(draft.run, number, task.stage + 1):
        draft.emit("stage.skipped", task=number, stage=task.stage + 1)
    if task.stage + 1 >= len(task.stages):
        complete(draft, number)
    elif task.state == "pausing":
        draft.emit("task.paused", task=number)
    else:
        draft.emit("stage.started", task=number, stage=task.stage + 1)


def _has_nothing_to_do(run: Run, number: int, stage: int) -> bool:
    """Is everything in this stage so already?"""
    task = run.tasks[number]
    return stage < len(task.stages) and all(run.steps[step] == "unchanged" for step in task.range_of(stage))


def complete(draft: Draft, number: int) -> None:
    draft.emit("task.completed", task=number)
    if draft.run.tasks[number].retries:
        draft.emit("task.retry_completed", task=number, success=True)


def _open_tasks(draft: Draft, beyond: int = 0) -> bool:
    run = draft.run
    moved = False
    limit = run.policy.tasks_at_once if not beyond else run.active + beyond
    may = run.state == "running" and not run.rewinding and not failing.stops(run)
    while may and run.startable and run.active < limit and not _at_gate(run):
        number = run.startable.popleft()
        task = run.tasks[number]
        if task.state not in ("pending", "waiting"):
            continue
        if not beyond and _lacks_room(run, number):
            run.startable.appendleft(number)
            break
        moved = True
        if task.again is None:
            draft.emit("task.started", task=number)
        else:
            origin: dict[str, Any] = {"from": task.again}
            draft.emit("task.retry_started", task=number, count=task.retries + 1, **origin)
        open_next(draft, number)
    return moved


def _lacks_room(run: Run, number: int) -> bool:
    """Do the tasks under way take too much of a capacity that this one needs? Whoever comes later waits behind it."""
    shares = run.shares.get(number, ())
    return bool(shares and lacking(shares, (share for other in run.sharing for share in run.shares[other])))


# -- gates between batches of tasks


def batch_sizes(run: Run) -> list[int]:
    """How many tasks may have begun before each gate: numbers, or shares of all of them."""
    total = len(run.tasks)
    return [max(1, -(-total * int(size.rstrip("%")) // 100)) if isinstance(size, str) else size for size in run.policy.batches]


def _at_gate(run: Run) -> bool:
    """Has everything begun that may begin before the next gate?"""
    if not run.policy.batches or not run.startable or run.tasks[run.startable[0]].again is not None:
        return False
    if not any(run.tasks[number].state in ("pending", "waiting") for number in run.startable):
        return False
    sizes = batch_sizes(run)
    if run.gates_open >= len(sizes):
        return False
    return sum(1 for task in run.tasks if task.state not in ("pending", "waiting")) >= sizes[run.gates_open]


def _pass_gate(draft: Draft) -> None:
    """Every task of the batch is over: on to the next when all are well, and somebody agrees where that is asked for."""
    run = draft.run
    if run.unmet:
        for number, task in enumerate(run.tasks):
            if task.state in ("pending", "waiting"):
                error = error_of("cancelled", "a task of an earlier batch failed")
                draft.emit("task.cancelled", task=number, by="gate", error=error)
        _end(draft)
    elif run.policy.gate == "approve":
        draft.emit("run.gate_waiting", number=run.gates_open + 1)
    else:
        draft.emit("run.gate_opened", number=run.gates_open + 1)
        go_on(draft)


# -- handing out


def _hand_out(draft: Draft) -> None:
    """Give every free lane what is ready for it; one record makes all these intents durable."""
    run, flights = draft.run, draft.flights
    run.ready.extend(step for step, at in run.retry_at.items() if at <= draft.now and step not in run.ready)
    free = run.policy.parallel - len(flights.by_number)
    groups: dict[Lane, list[int]] = {}
    held: deque[int] = deque()
    for step in dict.fromkeys(run.ready):  # folding and reopening may name one twice
        if run.steps[step] not in ("pending", "waiting") or run.waits[step] or not run.is_open(step):
            continue
        lane = run.lanes[step]
        if lane.family == "approval":  # nothing flies: it is in place when somebody says so
            _ask(draft, step)
        elif lane in groups and lane.batched and len(groups[lane]) < BATCH_STEPS_MAX:
            groups[lane].append(step)
        elif free > 0 and lane not in flights.busy and lane not in groups:
            groups[lane] = [step]
            free -= 1
        elif free > 0 and not lane.batched:
            groups[lane].append(step)
            free -= 1
        else:
            held.append(step)
    run.ready = held
    _launch(draft, groups)


def _ask(draft: Draft, step: int) -> None:
    run = draft.run
    asked: dict[str, Any] = {"attempt": run.attempts.get(step, 1), "question": run.ids[step]}
    if step in run.patience:
        asked["until"] = draft.now + run.patience[step]
    draft.emit_steps("step.applying", [step], asked)


def _launch(draft: Draft, groups: Mapping[Lane, list[int]]) -> None:
    flown = [(lane, _closed(draft.run, lane, steps) if lane.batched else steps) for lane, steps in groups.items()]
    attempts: dict[int, list[int]] = {}
    for _, steps in flown:
        for step in steps:
            attempts.setdefault(draft.run.attempts.get(step, 1), []).append(step)
    for attempt, steps in attempts.items():
        draft.emit_steps("step.applying", steps, {"attempt": attempt})
    for lane, steps in flown:
        if lane.batched:
            draft.send(lane, steps)
        else:
            for step in steps:
                draft.send(lane, [step])


def _closed(run: Run, lane: Lane, ready: list[int]) -> list[int]:
    """What is ready, and what becomes ready by it in the same lane: the driver keeps the order inside a batch."""
    batch = list(ready)
    left: dict[int, int] = {}
    for step in batch:
        for follower in run.graph.feeds[step]:
            left[follower] = left.get(follower, run.waits[follower]) - 1
            fits = not left[follower] and run.lanes[follower] == lane and len(batch) < BATCH_STEPS_MAX
            if fits and run.steps[follower] == "pending" and run.is_open(follower):
                batch.append(follower)
    return batch


# -- the end


def _end(draft: Draft) -> None:
    run = draft.run
    if not failing.stops(run) and any(task.state not in OVER for task in run.tasks):
        raise Bug(f"the run {run.id} waits for nothing, but is not done")
    if not run.unmet:
        conclude(draft)
    elif failing.stops(run) and run.policy.on_failure == "rollback":
        unwind.begin(draft, next(iter(run.unmet.values())))
    else:
        _end_mixed(draft)


def conclude(draft: Draft, *, confirmed: bool = False) -> None:
    """Every task is complete."""
    run = draft.run
    within = run.policy.confirm_within
    if not run.executed:
        draft.emit("run.committed", ending="unchanged")
    elif within is None or confirmed:
        draft.emit("run.committed", ending="committed")
    else:
        draft.emit("run.confirming", until=draft.now + within)


def _end_mixed(draft: Draft) -> None:
    """Some tasks are in and others are not, as the policy allows; if nothing is in after all, everything is as before."""
    run = draft.run
    if half_done := [step for step in _lost(run) if unwind.needs_undo(run, step) and step not in run.last_back]:
        unwind.begin_steps(draft, half_done)
        return
    if not run.rewinding:
        _close_what_stops(draft)
    error = next(iter(run.unmet.values()))
    if any(task.state == "rollback_failed" for task in run.tasks):
        draft.emit("run.rolling_back", error=error)
        draft.emit("run.rollback_failed", residue=list(run.residue.values()), error=error)
    elif "applied" in run.steps:
        draft.emit("run.committed", ending="partial", error=error)
    else:
        unwind.begin(draft, error)


def _lost(run: Run) -> list[int]:
    """Steps that were tried in vain and not taken back with their task."""
    return [step for step in (*run.failures, *run.retry_at) if run.steps[step] in ("failed", "waiting")]


def _close_what_stops(draft: Draft) -> None:
    """With `on_failure: stop` other tasks end where they are."""
    run = draft.run
    draft.emit_steps("step.skipped", [step for step in run.retry_at if run.steps[step] == "waiting"])
    for number, task in enumerate(run.tasks):
        if task.state in failing.ALIVE:
            if task.stage >= 0 and task.stages[task.stage] == "committing":
                draft.emit("stage.failed", task=number, stage=task.stage)
            draft.emit("task.cancelled", task=number, by="policy")
