"""A plan: validated at birth, immutable, with a digest.

Whoever holds a `Plan` holds one whose ids are unique, whose needs exist and whose order has no cycle; nobody
checks again. A plan is made of tasks, a task of stages, a stage of steps; steps are numbered through the plan,
and that number is what the engine works with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from holdfast.core.errors import PlanError, Problem
from holdfast.core.graph import Graph, build
from holdfast.core.task import ONCE as ONCE
from holdfast.core.task import Operation as Operation
from holdfast.core.task import Retry as Retry
from holdfast.core.task import Stage as Stage
from holdfast.core.task import Step as Step
from holdfast.core.task import Task as Task

OnFailure = Literal["rollback", "stop", "continue"]
Scope = Literal["plan", "task"]


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
