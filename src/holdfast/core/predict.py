"""Fold the operations over the inspected states: plan, dry run, preconditions and diff in one pass.

Nothing here looks at the world. An operation that needs to see something that was not looked at yet raises `Unseen`;
the fold collects those wishes, the caller looks, and the fold is done again. Usually one round is enough, because
claims name most of what is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from holdfast.core.change import FACTS, Change, Claim, Depth, Facts, Guarantee, Look, Resource, State, weakest
from holdfast.core.errors import Problem
from holdfast.core.plan import Plan, Step

Seen = dict[Resource, tuple[Depth, State]]


class Unseen(Exception):
    """A look that was not taken yet. Raised by a view, caught by the fold, never seen outside."""

    def __init__(self, resource: Resource, depth: Depth) -> None:
        super().__init__(f"{resource} at {depth.name}")
        self.resource = resource
        self.depth = depth


class Unfit(Exception):
    """The predicted world does not fit the operation; becomes a problem of the step."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.problem = Problem(code=code, message=message, hint=hint)


class World:
    """What was seen, and what the steps so far would have made of it."""

    __slots__ = ("made", "notes", "seen")

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.made: dict[Resource, Change] = {}  # the last predicted change of each resource
        self.notes: dict[str, dict[str, object]] = {}  # what a family of kinds remembers of one fold, by target


class View:
    """The world as one step sees it. The only thing an operation may ask."""

    __slots__ = ("step", "target", "world")

    def __init__(self, world: World, step: str, target: str) -> None:
        self.world = world
        self.step = step
        self.target = target

    def seen(self, key: str, depth: Depth = Depth.NODE, target: str | None = None) -> State:
        """The state as it was inspected, before any step of the plan."""
        resource = Resource(target or self.target, key)
        found = self.world.seen.get(resource)
        if found is None or found[0] < depth:
            raise Unseen(resource, depth)
        return found[1]

    def made(self, key: str, target: str | None = None) -> Change | None:
        """The last change that an earlier step is predicted to make to exactly this key."""
        return self.world.made.get(Resource(target or self.target, key))

    def facts(self, target: str | None = None) -> Facts:
        found = self.seen(FACTS, target=target)
        assert isinstance(found, Facts)
        return found

    def notes(self, target: str | None = None) -> dict[str, object]:
        return self.world.notes.setdefault(target or self.target, {})


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a plan would do: per step its changes, or the problems that keep it from being done."""

    changes: tuple[tuple[Change, ...], ...]  # by step number
    problems: tuple[Problem, ...]
    missing: tuple[tuple[Resource, Depth], ...] = ()  # look at these and fold again

    def guarantee(self, step: int) -> Guarantee:
        return weakest([change.guarantee for change in self.changes[step] if change.changes])


def looks_of(plan: Plan) -> dict[str, list[Look]]:
    """The looks that the claims of all steps name, each once, by target and at the greatest depth asked."""
    wanted: dict[str, dict[str, Depth]] = {}
    for step in plan.steps:
        keys = wanted.setdefault(step.target, {FACTS: Depth.NODE})
        for claim in step.operation.claims():
            _want(keys if claim.target is None else wanted.setdefault(claim.target, {FACTS: Depth.NODE}), claim)
    return {target: [Look(key, depth) for key, depth in keys.items()] for target, keys in wanted.items()}


def _want(keys: dict[str, Depth], claim: Claim) -> None:
    known = keys.get(claim.key)
    if known is None or known < claim.depth:
        keys[claim.key] = claim.depth


def predict(plan: Plan, seen: Seen) -> Prediction:
    world = World(seen)
    changes: list[tuple[Change, ...]] = [()] * len(plan.steps)
    problems: list[Problem] = []
    missing: dict[Resource, Depth] = {}
    failed: set[int] = set()
    for number in plan.graph.order:
        step = plan.steps[number]
        if failed and not failed.isdisjoint(plan.graph.needs[number]):
            failed.add(number)  # its world is unknown; the cause is reported once, at its source
            continue
        try:
            found = _changes_of(step, world)
        except Unseen as unseen:
            missing[unseen.resource] = max(unseen.depth, missing.get(unseen.resource, Depth.NODE), key=lambda d: d.value)
            failed.add(number)
        except Unfit as unfit:
            problems.append(Problem(code=unfit.problem.code, message=unfit.problem.message, hint=unfit.problem.hint, step=step.id))
            failed.add(number)
        else:
            changes[number] = found
    return Prediction(tuple(changes), tuple(problems), tuple(missing.items()))


def _changes_of(step: Step, world: World) -> tuple[Change, ...]:
    found = tuple(step.operation.changes(View(world, step.id, step.target)))
    made = world.made
    for change in found:
        if change.changes and not change.runs:
            made[Resource(step.target, change.key)] = change
            if change.origin is not None:
                made[Resource(step.target, change.origin)] = change
    return found


def as_seen(states: Mapping[str, State], looks: Sequence[Look], target: str) -> Seen:
    depths = dict(looks)
    return {Resource(target, key): (depths[key], state) for key, state in states.items() if key in depths}
