"""`prune: true`: what earlier runs of a plan of this name left in place, and what it leaves out now, goes.

The plan grows by a task that takes it away, so that it is reviewed, undone and recovered like everything else. That is
paths which a step made, and objects of appliances. What was only edited or moved stays, and so does a directory that
still holds something, whatever another plan manages, and of course what no run of this plan ever managed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count, groupby
from typing import Any, Final, NamedTuple

from holdfast.app.keeping import recorded, restoring
from holdfast.core.change import Resource, State
from holdfast.core.plan import Plan, Stage, Step, Task
from holdfast.journal.contract import Journal
from holdfast.kinds.ground import under
from holdfast.kinds.node import Node
from holdfast.kinds.opnsense.resources import name_in
from holdfast.kinds.opnsense.restored import in_order, is_prunable
from holdfast.kinds.registry import kind_of
from holdfast.kinds.remove import Remove

MAKING: Final = frozenset({"file", "link", "dir", "copy", "tree", "upload", "download"})  # what stands there is theirs


class _LeftOut(NamedTuple):
    objects: Mapping[Resource, State]  # as they were left
    paths: Sequence[Resource]


def pruned(journal: Journal, plan: Plan) -> Plan:
    """The plan with what takes away what it leaves out; the same plan where that is nothing."""
    if not plan.policy.prune or recorded.latest_of(journal, plan.name) is None:
        return plan
    left = _left_out(journal, plan)
    if not any(left):
        return plan
    from holdfast.planfile.canonical import digest_of, encode

    tasks = (*plan.tasks, _task(plan, left))
    document = encode(plan.name, plan.description, plan.targets, plan.policy, tasks)
    return replace(plan, tasks=tasks, document=document, digest=digest_of(document))


def _left_out(journal: Journal, plan: Plan) -> _LeftOut:
    states: dict[Resource, State] = {}
    made: set[Resource] = set()
    for row, found in recorded.history_of(journal, plan.name):
        states = {**found, **states}
        made |= _made_by(journal.plan(row.digest), plan.targets)
    others = recorded.managed_by_others(journal, plan.name)
    there = {resource: state for resource, state in states.items() if state.exists and resource not in others}
    written = {resource for resource, writes, _ in _claimed(plan.steps) if writes}
    objects = {
        each: state
        for each, state in there.items()
        if is_prunable(each.key) and each.target in plan.targets and each not in written
    }
    return _LeftOut(objects, list(_paths({each: state for each, state in there.items() if each in made}, plan)))


def _made_by(document: bytes | None, targets: Mapping[str, Any]) -> set[Resource]:
    """The paths that steps of an earlier plan made, on targets that are still the same."""
    if document is None or restoring.is_restore(document):
        return set()
    from holdfast.planfile import from_canonical

    plan = from_canonical(document)
    found = (resource for resource, writes, _ in _claimed(step for step in plan.steps if step.kind in MAKING) if writes)
    return {resource for resource in found if plan.targets.get(resource.target) == targets.get(resource.target)}


def _paths(made: Mapping[Resource, State], plan: Plan) -> Iterator[Resource]:
    """Those paths, and what was put beneath them, that no step of the plan writes or needs."""
    claimed = {resource for resource, _, _ in _claimed(plan.steps)}
    covered = {resource for resource, _, beneath in _claimed(plan.steps) if beneath}
    for (target, key), node in made.items():
        entries = node.entries if isinstance(node, Node) and node.entries else ()
        for path in (key, *(under(key, name) for name in entries)):
            if Resource(target, path) not in claimed and not any(Resource(target, above) in covered for above in _above(path)):
                yield Resource(target, path)


def _claimed(steps: Iterable[Step]) -> Iterator[tuple[Resource, bool, bool]]:
    """Every resource that is claimed; is it written, and what is beneath it claimed as well?"""
    for step in steps:
        for claim in step.operation.claims():
            yield Resource(claim.target or step.target, claim.key), claim.writes, claim.beneath


def _above(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


# -- the task that takes it away


def _task(plan: Plan, left: _LeftOut) -> Task:
    """After everything else, because what goes may still be needed until then; what is inside before what holds it."""
    names = {task.name for task in plan.tasks}
    name = next(name for name in (f"prune{number or ''}" for number in count()) if name not in names)
    stages = [_objects(name, left.objects)] if left.objects else []
    deepest_first = sorted(left.paths, key=lambda resource: (-_depth(resource), resource))
    levels = groupby(deepest_first, key=_depth)
    stages += [_removals(name, f"{name}-{number}", level) for number, (_, level) in enumerate(levels, 1)]
    return Task(name=name, stages=tuple(stages), needs=tuple(task.name for task in plan.tasks))


def _depth(resource: Resource) -> int:
    return resource.key.count("/")


def _objects(task: str, left: Mapping[Resource, State]) -> Stage:
    """The dependent before the needed, one by one."""
    steps: list[Step] = []
    for number, resource in enumerate(in_order({}, left), 1):
        kind = f"opnsense.{resource.key.partition('/')[0]}"
        made = kind_of(kind)
        assert made is not None
        operation = made(name=name_in(resource.key), state="absent")
        needs = (steps[-1].id,) if steps else ()
        step = f"{task}/{task}/{number}-{kind}"
        steps.append(Step(id=step, kind=kind, operation=operation, target=resource.target, needs=needs))
    return Stage(name=task, steps=tuple(steps))


def _removals(task: str, stage: str, left: Iterator[Resource]) -> Stage:
    """Nothing at these paths lies within another of them."""
    steps = [
        Step(
            id=f"{task}/{stage}/{number}-{Remove.kind}",
            kind=Remove.kind,
            operation=Remove(path=resource.key, missing_ok=True, full_ok=True),
            target=resource.target,
        )
        for number, resource in enumerate(left, 1)
    ]
    return Stage(name=stage, steps=tuple(steps))
