"""Drift: what was recorded, compared with what is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from holdfast.app.keeping import recorded
from holdfast.app.use import Use
from holdfast.core.change import Look, Resource, State
from holdfast.kinds.states import depth_of
from holdfast.runtime.fleet import inspect

if TYPE_CHECKING:
    from holdfast.app.apply import Session
    from holdfast.app.parts import Parts


def drifting(parts: Parts, plan: str | None) -> Use[list[dict[str, Any]]]:
    found = recorded.managed(parts.journal, plan)
    return recorded.survey(parts, found), lambda session: compare(session, found)


async def compare(session: Session, states: Mapping[Resource, State]) -> list[dict[str, Any]]:
    """The resources that are not as the newest run left them."""
    looks: dict[str, list[Look]] = {}
    for (target, key), node in states.items():
        looks.setdefault(target, []).append(Look(key, depth_of(node)))
    seen = await inspect(session.fleet, looks, session.together)
    found = {resource: seen[resource][1] for resource in states}
    return [
        {"resource": str(resource), "recorded": _told(node), "found": _told(found[resource])}
        for resource, node in states.items()
        if not found[resource].same(node)
    ]


def _told(state: State) -> Any:
    """None when there is nothing."""
    return state.plain() if state.exists else None
