"""A run: what its plan says of it, and how it stands.

A `Run` is what its events made of it (`evolve` does that), plus indices that make deciding quick (how many predecessors
a step still waits for, which steps are ready). The indices are derived: the same events give the same indices.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from holdfast.core.events import Outline, StageOutline, TaskOutline
from holdfast.core.graph import Graph
from holdfast.core.guarantee import Guarantee
from holdfast.core.shares import Share
from holdfast.core.states import OVER

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


@dataclass(slots=True, eq=False, repr=False)
class Run:
    """One execution of a plan: its state, and the states of its tasks, stages and steps."""

    id: str
    outline: Outline
    graph: Graph
    task_needs: Sequence[Sequence[int]]

    # What its plan says. A run that is only read knows no more of it than its outline, and has no policy.
    policy: Policy = field(init=False)
    ids: list[str] = field(init=False)
    kinds: list[str] = field(init=False)
    asks: bool = field(init=False)  # for approvals
    lanes: Sequence[Lane] = ()
    retries: Mapping[int, Retry] = field(default_factory=dict)
    patience: Mapping[int, float] = field(default_factory=dict)  # by step: how long its question waits for an answer
    shares: Mapping[int, Sequence[Share]] = field(default_factory=dict)  # by task: of capacities, while it is under way
    last_back: frozenset[int] = frozenset()  # steps that are undone after the rest of their task

    # How it stands.
    state: str = "created"
    ending: str | None = None
    error: Mapping[str, Any] | None = None  # why it did not commit
    problems: Sequence[Mapping[str, Any]] = ()  # why it was refused
    faulty: Mapping[str, None] = field(default_factory=dict)  # steps because of which it was
    source: str = ""
    warnings: tuple[str, ...] = ()  # what its reviewer was told although nothing was wrong
    started_at: float | None = None
    confirm_until: float | None = None
    guarded: tuple[str, ...] = ()  # targets that take the run back by themselves, unless it is confirmed
    rewinding: bool = False  # it was resumed only to take a task back: nothing is begun
    halting: bool = False  # pausing as soon as what is in flight has come back, and not where stages end
    gates_open: int = 0  # of the batches of the policy: how many gates were passed
    gate_waits: bool = False  # for somebody's approval

    # Its tasks.
    tasks: list[TaskRun] = field(default_factory=list)
    unmet: dict[int, Mapping[str, Any]] = field(default_factory=dict)  # those that failed, with the reason
    bygone: set[int] = field(default_factory=set)  # of the unmet: those that stay as they are while others are tried again
    called_off: dict[int, Mapping[str, Any]] = field(default_factory=dict)  # those that somebody cancelled, and who
    starting_over: set[int] = field(default_factory=set)  # those that are taken back only to be done again

    # Its steps.
    steps: list[str] = field(init=False)
    idle: list[int] = field(default_factory=list)  # those that preparing found to be so already
    guarantees: dict[int, Guarantee] = field(default_factory=dict)
    accepted: set[int] = field(default_factory=set)  # those whose author said that they need not be undone
    attempts: dict[int, int] = field(default_factory=dict)  # only where more than one was needed
    failures: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    residue: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    outputs: dict[int, str] = field(default_factory=dict)
    executed: dict[int, None] = field(default_factory=dict)  # their change was made, in that order; also when undone later
    durations: dict[int, float] = field(default_factory=dict)
    questions: dict[int, float | None] = field(default_factory=dict)  # those that wait for somebody's approval; until when

    # What makes deciding quick.
    waits: list[int] = field(init=False)  # by step: how many predecessors are not in place
    ready: deque[int] = field(default_factory=deque)  # steps
    retry_at: dict[int, float] = field(default_factory=dict)  # by step
    task_feeds: list[list[int]] = field(init=False)  # by task: those that need it
    startable: deque[int] = field(default_factory=deque)  # tasks whose needs are met, in order
    closable: deque[int] = field(default_factory=deque)  # tasks whose open stage has nothing left to wait for
    active: int = 0  # tasks that are under way
    sharing: dict[int, None] = field(default_factory=dict)  # tasks that have taken their share of capacities

    def __post_init__(self) -> None:
        self.ids = [step for task in self.outline.tasks for stage in task.stages for step in stage.ids]
        self.kinds = [kind for task in self.outline.tasks for stage in task.stages for kind in stage.kinds]
        self.asks = "approve" in self.kinds
        self.steps = ["pending"] * len(self.graph.order)
        self.waits = [len(needs) for needs in self.graph.needs]
        self.task_feeds = [[] for _ in self.outline.tasks]
        self._add_tasks()

    def _add_tasks(self) -> None:
        first, task_needs = 0, self.task_needs
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
        asking = [number for number, kind in enumerate(run.kinds) if kind == "approve"] if run.asks else []
        run.patience = {number: limit for number in asking if (limit := plan.steps[number].timeout) is not None}
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
