"""Fold the operations over the inspected states: plan, dry run, preconditions and diff in one pass.

Nothing here looks at the world. An operation that needs to see something that was not looked at yet raises `Unseen`;
the fold collects those wishes, the caller looks, and the fold is done again. Usually one round is enough, because
claims name most of what is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.core.change import FACTS, Change, Claim, Depth, Facts, Guarantee, Look, Resource, State, weakest
from holdfast.core.errors import Problem
from holdfast.core.plan import Plan, Step

Seen = dict[Resource, tuple[Depth, State]]

_NODE = Depth.NODE


class Unseen(Exception):
    """A look that was not taken yet. Raised by a view, caught by the fold, never seen outside."""

    def __init__(self, resource: Resource, depth: Depth) -> None:
        super().__init__(resource, depth)
        self.resource = resource
        self.depth = depth


class Unfit(Exception):
    """The predicted world does not fit the operation; becomes a problem of the step.

    `missing` is the key that would have to exist: the hint can then name the later step that makes it.
    """

    def __init__(self, code: str, message: str, hint: str = "", missing: str | None = None) -> None:
        super().__init__(message)
        self.problem = Problem(code=code, message=message, hint=hint)
        self.missing = missing


class World:
    """What was seen, and what the steps so far would have made of it."""

    __slots__ = ("log", "made", "notes", "seen")

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.log: dict[str, list[Change]] = {}  # by target: the predicted changes, in order
        self.made: dict[tuple[str, str], Change] = {}  # the last predicted change of each resource
        self.notes: dict[str, dict[str, object]] = {}  # what a family of kinds remembers of one fold, by target

    def enter(self, target: str, change: Change) -> None:
        self.log.setdefault(target, []).append(change)
        self.made[target, change.key] = change
        if change.origin is not None:
            self.made[target, change.origin] = change


class View:
    """The world as one step sees it. The only thing an operation may ask."""

    __slots__ = ("step", "target", "world")

    def __init__(self, world: World, step: str, target: str) -> None:
        self.world = world
        self.step = step
        self.target = target

    def seen(self, key: str, depth: Depth = _NODE, target: str | None = None) -> State:
        """The state as it was inspected, before any step of the plan."""
        found = self.world.seen.get((target or self.target, key))  # type: ignore[call-overload]  # equal to a Resource
        if found is None or (depth is not _NODE and found[0] < depth):
            raise Unseen(Resource(target or self.target, key), depth)
        state: State = found[1]
        return state

    def made(self, key: str, target: str | None = None) -> Change | None:
        """The last change that an earlier step is predicted to make to exactly this key."""
        return self.world.made.get((target or self.target, key))

    def log(self, target: str | None = None) -> list[Change]:
        """All changes that earlier steps are predicted to make on a target, in order. It grows, to be read only."""
        return self.world.log.setdefault(target or self.target, [])

    def facts(self, target: str | None = None) -> Facts:
        found = self.seen(FACTS, target=target)
        assert isinstance(found, Facts)
        return found

    def notes(self, target: str | None = None) -> dict[str, object]:
        """What a family of kinds may remember until the end of this fold, so that it need not ask twice."""
        name = target or self.target
        found = self.world.notes.get(name)
        if found is None:
            found = self.world.notes[name] = {}
        return found


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a plan would do: per step its changes, or the problems that keep it from being done."""

    changes: tuple[tuple[Change, ...], ...]  # by step number
    problems: tuple[Problem, ...]
    missing: tuple[tuple[Resource, Depth], ...] = ()  # look at these and fold again

    def guarantee(self, step: int) -> Guarantee:
        return weakest([change.guarantee for change in self.changes[step] if change.changes])


def looks_of(plan: Plan) -> dict[str, list[Look]]:
    """The looks that the claims of all steps name, each once, by target and at the greatest depth asked.

    Of a path everything above is looked at as well: a link up there decides what the path means.
    """
    wanted: dict[str, dict[str, Depth]] = {}
    for step in plan.steps:
        keys = wanted.setdefault(step.target, {FACTS: _NODE})
        for claim in step.operation.claims():
            _want(keys if claim.target is None else wanted.setdefault(claim.target, {FACTS: _NODE}), claim)
    return {target: [Look(key, depth) for key, depth in keys.items()] for target, keys in wanted.items()}


def _want(keys: dict[str, Depth], claim: Claim) -> None:
    key, depth = claim.key, claim.depth
    known = keys.get(key)
    if known is not None:
        if known is not depth and known < depth:
            keys[key] = depth
        return
    keys[key] = depth
    while key[0] == "/" != key:
        key = key[: key.rfind("/")] or "/"
        if key in keys:
            return
        keys[key] = _NODE


def predict(plan: Plan, seen: Seen) -> Prediction:
    world = World(seen)
    changes: list[tuple[Change, ...]] = [()] * len(plan.steps)
    problems: list[Problem] = []
    missing: dict[Resource, Depth] = {}
    failed: set[int] = set()
    needs, steps = plan.graph.needs, plan.steps
    writers = _Writers(plan)
    for number in plan.graph.order:
        if failed and not failed.isdisjoint(needs[number]):
            failed.add(number)  # its world is unknown; the cause is reported once, at its source
            continue
        try:
            changes[number] = _changes_of(steps[number], world)
        except Unseen as unseen:
            missing[unseen.resource] = max(unseen.depth, missing.get(unseen.resource, _NODE), key=lambda d: d.value)
            failed.add(number)
        except Unfit as unfit:
            problems.append(_problem(number, steps[number], unfit, writers))
            failed.add(number)
    return Prediction(tuple(changes), tuple(problems), tuple(missing.items()))


def _changes_of(step: Step, world: World) -> tuple[Change, ...]:
    target = step.target
    found = tuple(step.operation.changes(View(world, step.id, target)))
    facts = world.seen.get((target, FACTS))  # type: ignore[call-overload]  # equal to a Resource
    if facts is not None and not facts[1].exchanges:
        found = tuple(map(_as_replaced, found))
    for change in found:
        if not change.runs and change.changes:
            world.enter(target, change)
    return found


def _as_replaced(change: Change) -> Change:
    """Where names cannot be exchanged, putting one object in the place of another takes several steps."""
    replaces = change.before.exists and change.after.exists and not change.runs and change.origin is None
    if not replaces or change.guarantee is not Guarantee.ATOMIC:
        return change
    return change._replace(guarantee=Guarantee.REVERSIBLE)


def _problem(number: int, step: Step, unfit: Unfit, writers: _Writers) -> Problem:
    problem = unfit.problem
    later = None if unfit.missing is None else writers.after(number, step.target, unfit.missing)
    hint = problem.hint
    if later is not None:
        hint = f"step `{later}` writes it, but only later: add `needs: [{later}]` here, or move this step behind it"
    return Problem(code=problem.code, message=problem.message, hint=hint, step=step.id)


class _Writers:
    """Which steps write a key, in order; gathered when the first problem asks."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._ranks: dict[int, int] = {}
        self._writers: dict[tuple[str, str], list[int]] = {}

    def after(self, number: int, target: str, key: str) -> str | None:
        """The id of the first step behind this one that writes the key."""
        if not self._ranks:
            self._gather()
        later = (other for other in self._writers.get((target, key), ()) if self._ranks[other] > self._ranks[number])
        found = next(later, None)
        return None if found is None else self._plan.steps[found].id

    def _gather(self) -> None:
        for rank, number in enumerate(self._plan.graph.order):
            self._ranks[number] = rank
            step = self._plan.steps[number]
            for claim in step.operation.claims():
                if claim.writes:
                    self._writers.setdefault((claim.target or step.target, claim.key), []).append(number)
