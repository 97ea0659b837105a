"""A run, and `evolve`: the only way a run changes, live and in recovery.

A `Run` is what its events made of it, plus indices that make deciding quick (how many predecessors a step still waits
for, which steps are ready). The indices are derived: folding the same events gives the same indices.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from holdfast.core.errors import CODES
from holdfast.core.events import Event, Outline, StageOutline, TaskOutline
from holdfast.core.graph import Graph
from holdfast.core.guarantee import Guarantee
from holdfast.core.shares import Share
from holdfast.core.states import OVER, RUN, STAGE, STEP, TASK, after

if TYPE_CHECKING:
    from holdfast.core.plan import Plan, Policy, Retry, Stage
    from holdfast.core.stimuli import Lane

FINISHED: Final = frozenset({"applied", "unchanged"})  # what a dependent step waits for
BROKEN: Final = frozenset({"failed", "skipped"})
SETTLED: Final = FINISHED | BROKEN  # what the end of a stage waits for
UNDER_WAY: Final = frozenset({"running", "pausing", "cancelling", "rolling_back"})  # tasks that count against the limit
GOING: Final = frozenset({"running", "pausing"})  # tasks whose open stage is worked on
# What a rollback covers.
TOUCHED: Final = frozenset({"applying", "applied", "failed", "in_doubt", "waiting", "undoing", "undo_failed"})


class TaskRun:
    """Where one task stands."""

    __slots__ = ("again", "broken", "first", "left", "needs", "retries", "sizes", "stage", "stages", "state")

    def __init__(self, first: int, sizes: Sequence[int], needs: int) -> None:
        self.state = "pending"
        self.stage = -1  # the stage that is open; -1 before the first
        self.stages = ["pending"] * len(sizes)
        self.left = 0  # steps of the open stage that have not settled
        self.broken = False  # a step of the open stage failed, or was skipped because of one that did
        self.sizes = sizes
        self.first = first  # number of its first step
        self.needs = needs  # tasks it still waits for
        self.retries = 0
        self.again: str | None = None  # it waits to be tried again: from its checkpoint, or from scratch

    def range_of(self, stage: int) -> range:
        start = self.first + sum(self.sizes[:stage])
        return range(start, start + self.sizes[stage])

    @property
    def begun(self) -> bool:
        """Something of it may have been done, also where it only waits to be tried again."""
        return self.stage >= 0 or any(state not in ("pending", "skipped") for state in self.stages)

    @property
    def steps(self) -> range:
        return range(self.first, self.first + sum(self.sizes))


class Run:
    """One execution of a plan: its state, and the states of its tasks, stages and steps."""

    policy: Policy  # a run that is only read has none

    def __init__(self, run_id: str, outline: Outline, graph: Graph, task_needs: Sequence[Sequence[int]]) -> None:
        self.id = run_id
        self.outline = outline
        self.graph = graph
        self.ids = [step for task in outline.tasks for stage in task.stages for step in stage.ids]
        self.kinds = [kind for task in outline.tasks for stage in task.stages for kind in stage.kinds]
        self.lanes: Sequence[Lane] = ()
        self.retries: Mapping[int, Retry] = {}
        self.state = "created"
        self.ending: str | None = None
        self.error: Mapping[str, Any] | None = None  # why it did not commit
        self.problems: Sequence[Mapping[str, Any]] = ()  # why it was refused
        self.faulty: Mapping[str, None] = {}  # steps because of which it was
        self.source = ""
        self.warnings: tuple[str, ...] = ()  # what its reviewer was told although nothing was wrong
        self.started_at: float | None = None
        self.confirm_until: float | None = None
        self.guarded: tuple[str, ...] = ()  # targets that take the run back by themselves, unless it is confirmed
        self.steps: list[str] = ["pending"] * len(graph.order)
        self.tasks: list[TaskRun] = []
        self.attempts: dict[int, int] = {}  # only where more than one was needed
        self.failures: dict[int, Mapping[str, Any]] = {}
        self.residue: dict[int, Mapping[str, Any]] = {}
        self.guarantees: dict[int, Guarantee] = {}
        self.accepted: set[int] = set()  # steps whose author said that they need not be undone
        self.idle: list[int] = []  # steps that preparing found to be so already
        self.outputs: dict[int, str] = {}
        self.executed: dict[int, None] = {}  # steps whose change was made, in that order; also when undone later
        self.durations: dict[int, float] = {}
        self.waits = [len(needs) for needs in graph.needs]
        self.ready: deque[int] = deque()
        self.retry_at: dict[int, float] = {}
        self.unmet: dict[int, Mapping[str, Any]] = {}  # tasks that failed, with the reason
        self.active = 0  # tasks that are under way
        self.shares: Mapping[int, Sequence[Share]] = {}  # by task: what it takes of capacities while it is under way
        self.sharing: dict[int, None] = {}  # tasks that have taken it
        self.closable: deque[int] = deque()  # tasks whose open stage has nothing left to wait for
        self.startable: deque[int] = deque()  # tasks whose needs are met, in order
        self.asks = "approve" in self.kinds
        self.questions: dict[int, None] = {}  # steps that wait for somebody's approval
        self.called_off: dict[int, Mapping[str, Any]] = {}  # tasks that somebody cancelled, and who
        self.bygone: set[int] = set()  # of the unmet: those that stay as they are while others are tried again
        self.starting_over: set[int] = set()  # tasks that are taken back only to be done again
        self.rewinding = False  # it was resumed only to take a task back: nothing is begun
        self.halting = False  # pausing as soon as what is in flight has come back, and not where stages end
        self.gates_open = 0  # of the batches of the policy: how many gates were passed
        self.gate_waits = False  # for somebody's approval
        self.last_back: frozenset[int] = frozenset()  # steps that are undone after the rest of their task
        self.task_needs = task_needs
        self.task_feeds: list[list[int]] = [[] for _ in outline.tasks]
        self._add_tasks(task_needs)

    def _add_tasks(self, task_needs: Sequence[Sequence[int]]) -> None:
        first = 0
        known: dict[tuple[int, ...], tuple[int, ...]] = {}  # many tasks are alike
        for number, task in enumerate(self.outline.tasks):
            sizes = tuple(len(stage.ids) for stage in task.stages)
            sizes = known.setdefault(sizes, sizes)
            self.tasks.append(TaskRun(first, sizes, len(task_needs[number])))
            for need in task_needs[number]:
                self.task_feeds[need].append(number)
            if not task_needs[number]:
                self.startable.append(number)
            first += sum(sizes)

    @classmethod
    def of(cls, run_id: str, plan: Plan, policy: Policy) -> Run:
        """A run that can be driven: it knows the order of its steps and the lanes they travel in."""
        names = {task.name: number for number, task in enumerate(plan.tasks)}
        needs = [[names[need] for need in task.needs] for task in plan.tasks]
        run = cls(run_id, outline_of(plan), plan.graph, needs)
        run.policy = policy
        from holdfast.core.stimuli import Lane  # only a run that is driven needs to know

        lanes: dict[Lane, Lane] = {}  # few, and each kept once
        made = (Lane(step.target, step.operation.family, step.operation.batched) for step in plan.steps)
        run.lanes = [lanes.setdefault(lane, lane) for lane in made]
        run.retries = {number: step.retry for number, step in enumerate(plan.steps) if step.retry.attempts > 1}
        run.shares = {number: task.shares for number, task in enumerate(plan.tasks) if task.shares}
        run.last_back = frozenset(n for n, step in enumerate(plan.steps) if getattr(step.operation, "last_back", False))
        return run

    @classmethod
    def told(cls, run_id: str, outline: Outline) -> Run:
        """A run that is only read: folded from its events without its plan."""
        return cls(run_id, outline, flat(outline), [()] * len(outline.tasks))

    @property
    def over(self) -> bool:
        return self.state in OVER

    def is_open(self, step: int) -> bool:
        """Is the stage of this step the one that is being worked on?"""
        task = self.tasks[self.graph.task_of[step]]
        return task.state in GOING and task.stage == self.graph.stage_of[step]

    def is_unclear(self, step: int) -> bool:
        """It counts as failed, because nobody could tell what became of it."""
        return self.steps[step] == "failed" and self.failures[step].get("code") == "in_doubt"

    @property
    def open_questions(self) -> list[str]:
        """What waits for somebody's yes: the ids of steps, and `gate` for the next batch of tasks."""
        return [self.ids[step] for step in self.questions] + (["gate"] if self.gate_waits else [])


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
    steps = event.steps or ()
    run.failures.update(zip(steps, event.column("error"), strict=True))
    _remember(run, event)
    _settle(run, steps, broken=True)


def _on_skipped(run: Run, event: Event) -> None:
    _forget_retry(run, event)
    _settle(run, event.steps or (), broken=True)


def _on_retrying(run: Run, event: Event) -> None:
    for step in event.steps or ():
        run.retry_at[step] = event.data["until"]
        run.attempts[step] = event.data["attempt"]


def _on_resolved(run: Run, event: Event) -> None:
    """Back to the start: it was never begun, or it is to be tried again."""
    for step in event.steps or ():
        run.questions.pop(step, None)
        run.failures.pop(step, None)
        run.residue.pop(step, None)
        if not run.waits[step] and run.is_open(step):
            run.ready.append(step)


def _on_applying(run: Run, event: Event) -> None:
    _forget_retry(run, event)
    if run.asks:
        run.questions.update((step, None) for step in event.steps or () if run.kinds[step] == "approve")


def _on_approved(run: Run, event: Event) -> None:
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
    "step.approved": _on_approved,
    "step.failed": _on_failed,
    "step.skipped": _on_skipped,
    "step.retrying": _on_retrying,
    "step.resolved": _on_resolved,
    "step.undoing": _forget_retry,
    "step.undone": _on_undone,
    "step.undo_failed": _on_undo_failed,
}


def outline_of(plan: Plan) -> Outline:
    kinds: dict[tuple[str, ...], tuple[str, ...]] = {}  # the same for every tenant, and kept once
    return Outline(
        tuple(
            TaskOutline(task.name, task.target, tuple(_stage_outline(stage, kinds) for stage in task.stages), task.key)
            for task in plan.tasks
        )
    )


def _stage_outline(stage: Stage, known: dict[tuple[str, ...], tuple[str, ...]]) -> StageOutline:
    kinds = tuple(step.kind for step in stage.steps)
    return StageOutline(stage.name, tuple(step.id for step in stage.steps), known.setdefault(kinds, kinds))


def flat(outline: Outline) -> Graph:
    """A graph without edges: enough to read a run, not to drive one."""
    places = [(t, s) for t, task in enumerate(outline.tasks) for s, stage in enumerate(task.stages) for _ in stage.ids]
    nothing: tuple[tuple[int, ...], ...] = ((),) * len(places)
    return Graph(
        needs=nothing,
        feeds=nothing,
        order=tuple(range(len(places))),
        positions={},
        task_of=tuple(t for t, _ in places),
        stage_of=tuple(s for _, s in places),
    )
