"""`prune: true`: objects of an appliance that the newest run of this plan managed, and that the plan leaves out now, go.

The plan grows by a task that removes them, so that they are reviewed, undone and recovered like everything else. What
no run of a plan of this name managed is never touched; files are never pruned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

from holdfast.app.keeping import recorded
from holdfast.core.change import Resource
from holdfast.core.plan import Plan, Stage, Step, Task
from holdfast.journal.contract import Journal
from holdfast.kinds.opnsense.item import Item
from holdfast.kinds.opnsense.resources import name_in
from holdfast.kinds.opnsense.restored import in_order, is_prunable
from holdfast.kinds.registry import kind_of


def pruned(journal: Journal, plan: Plan) -> Plan:
    """The plan with what removes the objects that it leaves out; the same plan where there are none."""
    if not plan.policy.prune or recorded.latest_of(journal, plan.name) is None:
        return plan
    left = list(_left_out(journal, plan))
    if not left:
        return plan
    from holdfast.planfile.canonical import digest_of, encode

    tasks = (*plan.tasks, _task(plan, left))
    document = encode(plan.name, plan.description, plan.targets, plan.policy, tasks)
    return replace(plan, tasks=tasks, document=document, digest=digest_of(document))


def _left_out(journal: Journal, plan: Plan) -> Iterator[Resource]:
    written = {
        Resource(claim.target or step.target, claim.key)
        for step in plan.steps
        for claim in step.operation.claims()
        if claim.writes
    }
    for resource, state in recorded.managed(journal, plan.name).items():
        if is_prunable(resource.key) and state.exists and resource.target in plan.targets and resource not in written:
            yield resource


def _task(plan: Plan, left: list[Resource]) -> Task:
    """After everything else, because what goes may still be referred to until then; the dependent before the needed."""
    names = {task.name for task in plan.tasks}
    name = next(name for name in (f"prune{number or ''}" for number in count()) if name not in names)
    steps: list[Step] = []
    for number, resource in enumerate(in_order({resource: Item("") for resource in left}), 1):
        kind = f"opnsense.{resource.key.partition('/')[0]}"
        made = kind_of(kind)
        assert made is not None
        operation = made(name=name_in(resource.key), state="absent")
        needs = (steps[-1].id,) if steps else ()
        step = f"{name}/{name}/{number}-{kind}"
        steps.append(Step(id=step, kind=kind, operation=operation, target=resource.target, needs=needs))
    stage = Stage(name=name, steps=tuple(steps))
    return Task(name=name, stages=(stage,), needs=tuple(task.name for task in plan.tasks))
