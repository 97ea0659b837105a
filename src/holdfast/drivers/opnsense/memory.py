"""An appliance in memory: objects that change and go back as the rules for writing say. For rehearsing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from holdfast.core.change import Change, Look, State
from holdfast.core.errors import Bug, Failure
from holdfast.drivers.contract import DONE, UNCHANGED, Batch, Ending, Move, Outcome
from holdfast.drivers.one_by_one import one_by_one
from holdfast.drivers.opnsense.naming import item_called
from holdfast.drivers.opnsense.writing import Delete, Nothing, Set, Values, as_item, decide
from holdfast.kinds.opnsense.item import Item, Listing
from holdfast.kinds.opnsense.resources import Type, name_in, type_of

Shelves = dict[str, dict[str, Values]]  # by type and uuid


class MemoryAppliance:
    def __init__(self, shelves: Shelves | None = None) -> None:
        self._shelves: Shelves = {name: dict(objects) for name, objects in (shelves or {}).items()}

    @classmethod
    def seen(cls, states: Iterable[tuple[str, Any]]) -> MemoryAppliance:
        """With the objects that an inspection showed, one by one or as the list of a type."""
        shelves: Shelves = {}
        for key, state in states:
            shelf = shelves.setdefault(key.partition("/")[0], {})
            if isinstance(state, Listing):
                shelf.update(state.objects)
            elif isinstance(state, Item) and state.values is not None:
                shelf[state.uuid] = state.values
        return cls(shelves)

    def copy(self) -> MemoryAppliance:
        return MemoryAppliance(self._shelves)

    def manifest(self) -> dict[str, Any]:
        return {f"{name}/{uuid}": dict(values) for name, shelf in self._shelves.items() for uuid, values in shelf.items()}

    # -- the driver's page

    async def inspect(self, looks: Sequence[Look]) -> Mapping[str, State]:
        return {look.key: item_called(_type(look.key), name_in(look.key), self._shelf(look.key)) for look in looks}

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        return await one_by_one(batch, self._make)

    async def confirm(self, changes: Sequence[Change]) -> None:
        """What is configured runs here."""

    async def settle(self, moves: Sequence[Move]) -> None:
        """Nothing is kept for undo."""

    async def close(self) -> None:
        """Nothing is held."""

    async def _make(self, move: Move) -> Outcome:
        shelf = self._shelf(move.change.key)
        uuid = as_item(move.change.after).uuid or as_item(move.change.before).uuid
        write = decide(_type(move.change.key), move, shelf, shelf.get(uuid) if move.undo else None)
        if isinstance(write, Failure):
            return Outcome(Ending.FAILED, write)
        if isinstance(write, Nothing):
            return UNCHANGED
        if isinstance(write, Delete):
            del shelf[uuid]
        elif isinstance(write, Set):
            shelf[uuid] = {**shelf.get(uuid, {}), **write.values}
        return DONE

    def _shelf(self, key: str) -> dict[str, Values]:
        return self._shelves.setdefault(_type(key).name, {})


def _type(key: str) -> Type:
    found = type_of(key)
    if found is None:
        raise Bug(f"{key} is no object of an appliance")
    return found
