"""Checkpoints: named recorded states of what is managed, kept with their contents, to look at and to go back to.

The states lie on the shelf `checkpoints` of the journal, the contents in the store of objects. Going back is a run like
any other, of a plan that `restoring` makes.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from holdfast.app.keeping import recorded, restoring
from holdfast.app.keeping.objects import Adding, Objects
from holdfast.app.use import Use
from holdfast.core.change import Depth, Look, Resource, State
from holdfast.core.errors import Refused, WorldError
from holdfast.core.events import Event
from holdfast.core.plan import Plan
from holdfast.core.times import iso
from holdfast.drivers.contract import Keeper
from holdfast.journal.contract import Journal
from holdfast.kinds.ground import under
from holdfast.kinds.node import Node
from holdfast.kinds.opnsense.item import Item
from holdfast.kinds.opnsense.restored import is_object
from holdfast.kinds.states import parse_state
from holdfast.runtime.fleet import inspect

if TYPE_CHECKING:
    from holdfast.app.apply import Session
    from holdfast.app.parts import Parts
    from holdfast.core.result import Result

SHELF: Final = "checkpoints"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    name: str
    created_at: float
    plan: str | None  # whose resources these are; None: of everything managed
    states: Mapping[Resource, State]
    targets: Mapping[str, Any]  # how the targets of the resources were declared
    xattrs: Mapping[str, Mapping[str, bytes]]  # the extended attributes that states name by digest

    def plain(self) -> dict[str, Any]:
        """As it is listed."""
        names = [str(resource) for resource in self.states]
        return {"name": self.name, "created_at": iso(self.created_at), "plan": self.plan, "resources": names}

    def plain_states(self) -> dict[str, Any]:
        """As it is shown: with what was recorded of each resource."""
        return {**self.plain(), "states": {str(resource): node.plain() for resource, node in self.states.items()}}

    def encoded(self) -> bytes:
        return msgspec.json.encode(
            {
                "name": self.name,
                "created_at": self.created_at,
                "plan": self.plan,
                "targets": dict(self.targets),
                "states": [[target, key, node.plain()] for (target, key), node in self.states.items()],
                "xattrs": {
                    digest: {name: b64encode(value) for name, value in found.items()} for digest, found in self.xattrs.items()
                },
            }
        )

    @classmethod
    def decoded(cls, document: bytes) -> Checkpoint:
        found = msgspec.json.decode(document)
        states = {Resource(target, key): parse_state(state) for target, key, state in found.pop("states")}
        attributes = found.pop("xattrs").items()
        xattrs = {digest: {name: b64decode(value) for name, value in values.items()} for digest, values in attributes}
        return cls(states=states, xattrs=xattrs, **found)

    def plan_back(self, kept: str, newer: Mapping[Resource, State] = restoring.NOTHING) -> Plan:
        """The plan that goes back to it; what is `newer` goes."""
        states = {**self.states, **{resource: Item("") for resource in newer}}
        name = restoring.PREFIX + self.name
        document = restoring.document_of(name, states, now=newer, targets=self.targets, xattrs=self.xattrs)
        return restoring.plan_from(document, kept)


def plan_back(parts: Parts, name: str) -> Plan:
    """The plan that goes back to it now: objects of an appliance that came under management since then go."""
    found = find(parts.journal, name)
    newer = _objects_since(parts, found)
    targets = {**found.targets, **recorded.targets_of(parts, newer)}
    return replace(found, targets=targets).plan_back(parts.home.objects, newer)


def _objects_since(parts: Parts, checkpoint: Checkpoint) -> dict[Resource, State]:
    plan = checkpoint.plan
    if plan is not None and plan not in recorded.latest(parts.journal):
        return {}
    managed = recorded.managed(parts.journal, plan)
    return {
        resource: state
        for resource, state in managed.items()
        if is_object(resource.key) and state.exists and resource not in checkpoint.states
    }


# -- finding them


def all_of(journal: Journal) -> list[Checkpoint]:
    """The newest first."""
    documents = (journal.get(SHELF, name) for name in journal.names(SHELF))
    found = [Checkpoint.decoded(document) for document in documents if document is not None]
    return sorted(found, key=lambda checkpoint: checkpoint.created_at, reverse=True)


def find(journal: Journal, name: str) -> Checkpoint:
    document = journal.get(SHELF, name)
    if document is None:
        raise Refused(f"there is no checkpoint `{name}`", code="not_found", hint="`holdfast checkpoint list` shows them")
    return Checkpoint.decoded(document)


def check_free(journal: Journal, name: str) -> None:
    if _NAME.fullmatch(name) is None:
        hint = "use letters, digits, `.`, `_` and `-`, and begin with a letter or a digit"
        raise Refused(f"`{name}` cannot be the name of a checkpoint", code="invalid_value", hint=hint)
    if journal.get(SHELF, name) is not None:
        raise Refused(
            f"there is a checkpoint `{name}` already", code="conflict", hint="choose another name, or delete it first"
        )


def delete(parts: Parts, name: str) -> None:
    """Its contents go with the next `journal compact`, where nothing else needs them."""
    find(parts.journal, name)
    parts.journal.drop(SHELF, name)
    parts.record(Event("checkpoint.deleted", {"name": name}), at=parts.clock.now())


def restored(parts: Parts, name: str, result: Result) -> None:
    """Tell that it was gone back to, when it was."""
    if result.success:
        parts.record(Event("checkpoint.restored", {"name": name, "run": result.run}), at=parts.clock.now())


def contents(journal: Journal) -> set[str]:
    """The objects that checkpoints need."""
    return restoring.digests_in(node for checkpoint in all_of(journal) for node in checkpoint.states.values())


# -- creating one


def creating(parts: Parts, name: str, plan: str | None) -> Use[Checkpoint]:
    """Look at everything that is managed, and keep what is in it now."""
    check_free(parts.journal, name)
    states = recorded.managed(parts.journal, plan)
    survey = recorded.survey(parts, states)
    return survey, lambda session: _create(session, name, plan, states, survey.targets)


async def _create(
    session: Session, name: str, plan: str | None, managed: Mapping[Resource, State], targets: Mapping[str, Any]
) -> Checkpoint:
    parts = session.parts
    states = await _states(session, managed)
    xattrs: dict[str, Mapping[str, bytes]] = {}
    with Objects(parts.home.objects).adding() as adding:
        for resource, node in states.items():
            if not isinstance(node, Node) or is_object(resource.key):
                continue  # all that there is of an object is in its state
            keeper = cast(Keeper, session.fleet.driver(resource.target, "files"))
            await _keep(keeper, adding, xattrs, resource.key, node)
        adding.finish()
        at = parts.clock.now()
        checkpoint = Checkpoint(name=name, created_at=at, plan=plan, states=states, targets=targets, xattrs=xattrs)
        parts.journal.put(SHELF, name, checkpoint.encoded())
    parts.record(Event("checkpoint.created", {"name": name, "plan": plan, "resources": len(states)}), at=at)
    return checkpoint


async def _states(session: Session, managed: Mapping[Resource, State]) -> dict[Resource, State]:
    found = await _look(session, {resource: _depth(state) for resource, state in managed.items()})
    strange = [resource for resource, state in found.items() if _is_dir(state) and not _is_dir(managed[resource])]
    found.update(await _look(session, dict.fromkeys(strange, Depth.TREE)))  # a directory where none was: with all it holds
    return found


def _is_dir(state: State) -> bool:
    return isinstance(state, Node) and state.type == "dir"


def _depth(recorded: State) -> Depth:
    return Depth.TREE if isinstance(recorded, Node) and recorded.entries is not None else Depth.CONTENT


async def _look(session: Session, wanted: Mapping[Resource, Depth]) -> dict[Resource, State]:
    looks: dict[str, list[Look]] = {}
    for (target, key), depth in wanted.items():
        looks.setdefault(target, []).append(Look(key, depth))
    seen = await inspect(session.fleet, looks, session.together)
    return {resource: _plain_state(resource, seen[resource][1]) for resource in wanted}


def _plain_state(resource: Resource, state: State) -> State:
    """Without what is only true for now."""
    if not isinstance(state, Node):
        return state
    closed = not state.readable or any(not child.readable for child in (state.entries or {}).values())
    if closed:
        raise WorldError(f"{resource} cannot be read, so it cannot be kept", code="permission_denied")
    return state._replace(content=None, around_ns=0)


async def _keep(keeper: Keeper, adding: Adding, xattrs: dict[str, Mapping[str, bytes]], key: str, node: Node) -> None:
    """The contents and attributes of a node and of what is beneath it, each once."""
    for path, each in [(key, node), *((under(key, name), child) for name, child in (node.entries or {}).items())]:
        if each.type == "file" and each.digest is not None and each.digest not in adding:
            fetched = await adding.add(each.digest, partial(keeper.fetch, path))
            if each.xattrs:
                xattrs[each.xattrs] = fetched.xattrs
        elif each.xattrs and each.xattrs not in xattrs:
            xattrs[each.xattrs] = (await keeper.fetch(path, None)).xattrs
