"""An object is again as it was recorded, under the uuid it had. Of this the plan of a checkpoint's restore is made.

Not a kind of plan files: a recorded state is written by the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from holdfast.core.change import FACTS, Change, Claim, Resource, State
from holdfast.core.predict import Unfit, View
from holdfast.kinds.opnsense import privileges, uses
from holdfast.kinds.opnsense.item import HIDDEN, OTHER, Appliance, Item
from holdfast.kinds.opnsense.resources import SECRETS, TYPES, Type, type_of

# What others refer to comes first: gateways are by routes and rules, HAProxy's servers by backends, and these by frontends.
_ORDER: tuple[str, ...] = ("firewall.category", "routing.gateway", "haproxy.server", "haproxy.backend", *TYPES)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredObject:
    kind: ClassVar[str] = "restored"
    family: ClassVar[str] = "opnsense"
    batched: ClassVar[bool] = True
    exclusive: ClassVar[bool] = True

    key: str
    state: State

    def claims(self) -> Sequence[Claim]:
        goes = type_of(self.key) if self.state is None or not self.state.exists else None
        return [Claim(self.key), *(uses.claims_of(goes) if goes else ())]

    def changes(self, view: View, /) -> Sequence[Change]:
        found, facts = view.seen(self.key), view.seen(FACTS)
        if not isinstance(found, Item) or not isinstance(facts, Appliance):
            raise Unfit("unsupported", f"the target `{view.target}` is not an OPNsense appliance")
        if not isinstance(self.state, Item) or self.state.values is None:
            return uses.deletion(view, _type(self.key), self.key, found)
        if found.exists and found.uuid != self.state.uuid:
            hint = "remove or rename it, then restore again"
            raise Unfit("conflict", f"`{self.key}` is another object now ({found.uuid})", hint)
        before = found if found.exists else Item(self.state.uuid)
        known = _type(self.key).known(facts.profile)
        wanted = {name: value for name, value in self.state.values.items() if name in known}
        lost = [name for name, value in wanted.items() if name in SECRETS and value in (HIDDEN, OTHER)]
        if lost and not found.exists:
            hint = "make it by a plan that refers to the secret, then restore again"
            raise Unfit("no_previous", f"`{lost[0]}` of `{self.key}` is a secret that is kept nowhere", hint)
        after = Item(self.state.uuid, {**(found.values or {}), **wanted})
        if not before.same(after):
            privileges.check(view, _type(self.key))
        return (Change(self.key, before, after, uses.guarantee_of(before, after)),)


def _type(key: str) -> Type:
    found = type_of(key)
    assert found is not None
    return found


def in_order(there: Mapping[Resource, State], gone: Mapping[Resource, State]) -> list[Resource]:
    """What is to be there first, what refers to others behind them; then what is to go, as it is now, the other way round."""
    return [*_used_first(there), *reversed(_used_first(gone))]


def _used_first(states: Mapping[Resource, State]) -> list[Resource]:
    """By type; and within a type what an object names, as an alias names others, before that object."""
    named = {
        (resource.target, name): resource for resource, state in states.items() for name in uses.named(resource.key, state)
    }
    placed: dict[Resource, None] = {}

    def place(resource: Resource, above: tuple[Resource, ...]) -> None:
        if resource in placed:
            return
        for name in uses.naming(resource.key, states[resource]):
            used = named.get((resource.target, name))
            if used is not None and used not in above:
                place(used, (*above, used))
        placed[resource] = None

    for resource in sorted(states, key=_rank):
        place(resource, (resource,))
    return list(placed)


def _rank(resource: Resource) -> tuple[str, int, str]:
    return resource.target, _ORDER.index(resource.key.partition("/")[0]), resource.key


def is_object(key: str) -> bool:
    return type_of(key) is not None


def is_prunable(key: str) -> bool:
    """Can a plan name it at all? What only goes along with others is none of its own."""
    found = type_of(key)
    return found is not None and bool(found.key)


def chained(ordered: Iterable[Resource]) -> dict[Resource, list[str]]:
    """Each waits for the one before it on its target: an appliance is written to in one line anyway."""
    last: dict[str, Resource] = {}
    needs: dict[Resource, list[str]] = {}
    for resource in ordered:
        needs[resource] = [str(last[resource.target])] if resource.target in last else []
        last[resource.target] = resource
    return needs
