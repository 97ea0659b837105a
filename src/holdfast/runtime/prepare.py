"""Look at what the plan claims, then predict; look again where the prediction asked for more. Nothing is touched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from holdfast.core.change import Look, Resource
from holdfast.core.errors import Bug
from holdfast.core.plan import Plan
from holdfast.core.predict import Prediction, Seen, looks_of, predict
from holdfast.runtime.fleet import Fleet, Together, inspect

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


def _is_known(seen: Seen, target: str, look: Look) -> bool:
    found = seen.get(Resource(target, look.key))
    return found is not None and not found[0] < look.depth
