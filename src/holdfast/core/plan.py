"""A plan: validated at birth, immutable, with a digest.

Whoever holds a `Plan` holds one whose ids are unique, whose needs exist and whose order has no cycle; nobody
checks again. A plan is made of tasks, a task of stages, a stage of steps; steps are numbered through the plan,
and that number is what the engine works with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

from holdfast.core.change import Change, Claim
from holdfast.core.errors import PlanError, Problem
from holdfast.core.graph import Graph, build
from holdfast.core.shares import Share

OnFailure = Literal["rollback", "stop", "continue"]
Scope = Literal["plan", "task"]


class Operation(Protocol):
    """What a step does, as data. Every kind is one small class that keeps these promises:

    - `claims` names every resource it reads or writes, before anything is looked at;
    - `changes` is pure: the same view gives the same changes. It raises `Unfit` where the predicted world does not
      fit, and lets `Unseen` pass through when it needs a look at something its claims could not name.

    What else it may have, and few have: `exclusive`, one run at a time does it on a target; `lands`, the target whose
    resources it changes; `last_back`, it is taken back after all else of its task; `question`, the key under which its
    driver tells whether it was done; `heeds`, the keys whose writers in its stage come before it.
    """

    kind: ClassVar[str]
    family: ClassVar[str]  # which driver of the target does it: files, process, probe, ...
    batched: ClassVar[bool]  # many steps travel in one driver call; else each is an effect of its own

    def claims(self) -> Sequence[Claim]: ...

    def changes(self, view: Any, /) -> Sequence[Change]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    attempts: int = 1
    delay: float = 1.0
    backoff: float = 2.0
    max_delay: float = 60.0

    def pause_before(self, attempt: int) -> float:
        """Seconds to wait before this attempt (the first is 1 and waits for nothing)."""
        if attempt <= 1:
            return 0.0
        return min(self.delay * self.backoff ** (attempt - 2), self.max_delay)


ONCE = Retry()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    id: str
    kind: str
    operation: Operation
    target: str = "local"
    needs: tuple[str, ...] = ()
    timeout: float | None = None
    retry: Retry = ONCE
    irreversible: bool = False  # the author accepts that this cannot be undone
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    name: str
    stages: tuple[Stage, ...]
    target: str = "local"
    needs: tuple[str, ...] = ()
    locks: tuple[str, ...] = ()
    shares: tuple[Share, ...] = ()
    key: str | None = None  # the value of `each` this task was made for: its tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    on_failure: OnFailure = "rollback"
    scope: Scope = "plan"
    parallel: int = 8
    tasks_at_once: int = 10
    timeout: float | None = None
    confirm_within: float | None = None
    batches: tuple[int | str, ...] = ()
    gate: Literal["auto", "approve"] = "auto"
    prune: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a plan file means; made by `holdfast.load` and `holdfast.parse`. Equal digests are equal plans."""

    name: str
    tasks: tuple[Task, ...]
    description: str = ""
    targets: Mapping[str, Any] = field(default_factory=dict)  # name -> its declaration, secrets as references
    policy: Policy = Policy()
    document: bytes = b""  # canonical bytes: the plan as it was understood, and what the digest covers
    digest: str = ""
    steps: tuple[Step, ...] = field(init=False, repr=False)
    graph: Graph = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        steps = tuple(step for task in self.tasks for stage in task.stages for step in stage.steps)
        object.__setattr__(self, "steps", steps)
        problems = _duplicates(steps) or _unknown_needs(self, steps)
        if problems:
            raise PlanError(problems)
        object.__setattr__(self, "graph", build(self.tasks))

    def position(self, step_id: str) -> int:
        return self.graph.positions[step_id]


def _duplicates(steps: Sequence[Step]) -> list[Problem]:
    seen: set[str] = set()
    problems = []
    for step in steps:
        if step.id in seen:
            problems.append(Problem(code="duplicate_id", message=f"two steps have the id `{step.id}`", step=step.id))
        seen.add(step.id)
    return problems


def _unknown_needs(plan: Plan, steps: Sequence[Step]) -> list[Problem]:
    ids = {step.id for step in steps}
    names = {task.name for task in plan.tasks}
    problems = [
        Problem(code="unknown_step", message=f"step `{step.id}` needs `{need}`, which does not exist", step=step.id)
        for step in steps
        for need in step.needs
        if need not in ids
    ]
    problems += [
        Problem(code="unknown_step", message=f"task `{task.name}` needs the task `{need}`, which does not exist")
        for task in plan.tasks
        for need in task.needs
        if need not in names
    ]
    return problems
