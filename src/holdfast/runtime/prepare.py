"""Look at what the plan claims, then predict; look again where the prediction asked for more. Nothing is touched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from holdfast.core.change import FACTS, Look, Resource
from holdfast.core.errors import Bug, Problem
from holdfast.core.plan import Plan, Step
from holdfast.core.predict import Prediction, Seen, looks_of, predict
from holdfast.runtime.fleet import Blind, Fleet, Together, Unreadable, inspect

ROUNDS_MAX: Final = 40  # each round sees further along a chain of links or moves; more is a loop of ours


@dataclass(frozen=True, slots=True)
class Prepared:
    seen: Seen
    prediction: Prediction


async def prepare(plan: Plan, fleet: Fleet, together: Together, known: Seen | None = None) -> Prepared:
    """`known` is what was looked at already and need not be looked at again: the sources of the plan."""
    seen: Seen = dict(known or {})
    wanted = {target: [look for look in looks if not _is_known(seen, target, look)] for target, looks in looks_of(plan).items()}
    seen.update(await inspect(fleet, wanted, together))
    for _ in range(ROUNDS_MAX):
        prediction = predict(plan, seen)
        if not prediction.missing:
            return Prepared(seen, prediction)
        more: dict[str, list[Look]] = {}
        for resource, depth in prediction.missing:
            more.setdefault(resource.target, []).append(Look(resource.key, depth))
        seen.update(await inspect(fleet, more, together))
    raise Bug("the prediction asks for ever more looks at the world")


async def foresee(plan: Plan, fleet: Fleet, together: Together, known: Seen) -> Prepared:
    """The same before anything has begun: what cannot be looked at is a problem of the plan, each told at its first step."""
    try:
        return await prepare(plan, fleet, together, known)
    except Unreadable as unreadable:
        return Prepared(dict(known), Prediction(((),) * len(plan.steps), problems_of(plan, unreadable)))


def problems_of(plan: Plan, unreadable: Unreadable) -> tuple[Problem, ...]:
    return tuple(_problem(plan, blind) for blind in unreadable.blind)


def _problem(plan: Plan, blind: Blind) -> Problem:
    error = blind.error
    first = next((step.id for step in plan.steps if _needs(step, blind)), None)
    return Problem(code=error.code, message=error.message, hint=error.hint, step=first)


def _needs(step: Step, blind: Blind) -> bool:
    claims = [claim for claim in step.operation.claims() if (claim.target or step.target) == blind.target]
    return any(claim.key in blind.keys for claim in claims) or (step.target == blind.target and FACTS in blind.keys)


def _is_known(seen: Seen, target: str, look: Look) -> bool:
    found = seen.get(Resource(target, look.key))
    return found is not None and not found[0] < look.depth
