"""The plan that brings resources back to recorded states, as a document of its own kind and as a `Plan`.

Its document holds the states themselves, so that a restore can be finished or undone after a crash whatever became of
the checkpoint; only contents are looked up, in the store of objects.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec

from holdfast.core.change import Resource, State
from holdfast.core.plan import Operation, Plan, Stage, Step, Task
from holdfast.kinds.ground import split
from holdfast.kinds.node import Node
from holdfast.kinds.opnsense import restored as objects
from holdfast.kinds.restored import Restored, Xattrs
from holdfast.kinds.states import parse_state

PREFIX: Final = "restore-"
_KEY: Final = "holdfast_restore"
_BEGIN: Final = b'{"holdfast_restore":1,'
_NONE: Final[Mapping[str, Any]] = {}

States = Mapping[Resource, State]
NOTHING: Final[States] = {}


def document_of(
    name: str,
    states: States,
    *,
    now: States = NOTHING,
    targets: Mapping[str, Any] = _NONE,
    xattrs: Mapping[str, Mapping[str, bytes]] = _NONE,
) -> bytes:
    """Removals come first and from the inside out, then everything else from the outside in.

    `now` tells what objects of an appliance are before they go: who refers to whom decides which of them goes first.
    """
    rows = [[resource.target, resource.key, states[resource].plain()] for resource in _ordered(states, now)]
    attributes = {digest: {key: b64encode(value).decode() for key, value in found.items()} for digest, found in xattrs.items()}
    return msgspec.json.encode({_KEY: 1, "name": name, "states": rows, "targets": dict(targets), "xattrs": attributes})


def is_restore(document: bytes) -> bool:
    return document.startswith(_BEGIN)


def plan_from(document: bytes, kept: str) -> Plan:
    """`kept` is where the objects lie."""
    found = msgspec.json.decode(document)
    xattrs = {digest: _attributes(values) for digest, values in found["xattrs"].items()}
    states = {Resource(target, key): parse_state(state) for target, key, state in found["states"]}
    needs = _needs(list(states))
    steps = [_step(resource, state, needs[resource], kept, xattrs) for resource, state in states.items()]
    task = Task(name="main", stages=(Stage(name="main", steps=tuple(steps)),))
    digest = "sha256:" + sha256(document).hexdigest()
    return Plan(name=found["name"], tasks=(task,), targets=found["targets"], document=document, digest=digest)


def digests_in(states: Iterable[State]) -> set[str]:
    """The contents that these states are made of."""
    nodes = [state for state in states if isinstance(state, Node)]
    every = [child for node in nodes for child in (node, *(node.entries or {}).values())]
    return {node.digest for node in every if node.type == "file" and node.digest is not None}


def states_in(document: bytes) -> list[State]:
    return [parse_state(state) for _, _, state in msgspec.json.decode(document)["states"]]


def _step(resource: Resource, state: State, needs: list[str], kept: str, xattrs: Mapping[str, Xattrs]) -> Step:
    operation: Operation
    if objects.is_object(resource.key):
        operation = objects.RestoredObject(key=resource.key, state=state)
    else:
        assert isinstance(state, Node)
        operation = Restored(path=resource.key, state=state, kept=kept, xattrs=xattrs)
    return Step(id=str(resource), kind=operation.kind, operation=operation, target=resource.target, needs=tuple(needs))


def _needs(ordered: list[Resource]) -> dict[Resource, list[str]]:
    """What lies within one another keeps this order, because both may write the same; and so do objects of an appliance."""
    paths = [resource for resource in ordered if not objects.is_object(resource.key)]
    places = {resource: place for place, resource in enumerate(paths)}
    needs: dict[Resource, list[str]] = {resource: [] for resource in paths}
    needs |= objects.chained(resource for resource in ordered if objects.is_object(resource.key))
    for resource in paths:
        above = resource
        while above.key != split(above.key)[0]:
            above = Resource(above.target, split(above.key)[0])
            if above in places:
                first, second = sorted((above, resource), key=places.__getitem__)
                needs[second].append(str(first))
                break
    return needs


def _ordered(states: States, now: States) -> list[Resource]:
    paths = {resource: state for resource, state in states.items() if not objects.is_object(resource.key)}
    gone = sorted((resource for resource, node in paths.items() if not node.exists), reverse=True)
    there = sorted(resource for resource, node in paths.items() if node.exists)
    kept = {key: state for key, state in states.items() if key not in paths and state.exists}
    going = {key: now.get(key, state) for key, state in states.items() if key not in paths and not state.exists}
    return [*gone, *there, *objects.in_order(kept, going)]


def _attributes(values: Mapping[str, str]) -> Xattrs:
    return tuple((key, b64decode(value)) for key, value in values.items())
