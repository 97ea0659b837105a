"""One kind of item in the configuration: its fields, its rules, and where it answers. A row of the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from holdfast.testing.opnsense.fields import AutoNumber, Field, Sequence
from holdfast.testing.opnsense.profile import Profile
from holdfast.testing.opnsense.store import Item
from holdfast.testing.opnsense.world import World

Complaint = tuple[str, str]
Check = Callable[[Mapping[str, str], str, World], Iterator[Complaint]]


@dataclass(frozen=True, eq=False)  # a row of a table is only ever itself, so what is worked out of it can be kept
class Resource:
    """`unique` holds groups of fields whose values together occur once; `actions` how the verbs are spelled."""

    path: str
    at: str  # module/controller
    wrapper: str
    fields: tuple[Field, ...]
    suffix: str = "item"
    searches: str = ""  # "search_items" where the search has a name of its own
    unique: tuple[tuple[str, ...], ...] = ()
    checks: tuple[Check, ...] = ()
    columns: tuple[str, ...] = ("enabled", "name", "description")  # what a search shows before 25.7
    since: str = ""
    toggles: str = "enabled"

    def fields_of(self, profile: Profile) -> Mapping[str, Field]:
        return _fields_of(self, profile)

    def stored_fields(self, profile: Profile) -> Mapping[str, Field]:
        return _stored_fields(self, profile)

    def defaults(self, profile: Profile) -> dict[str, str]:
        return {name: field.default for name, field in self.stored_fields(profile).items()}

    def taken_in(self, item: Item, payload: Mapping[str, Any], profile: Profile) -> dict[str, str]:
        """The item with what the payload says; unknown fields, null and what only the server sets are passed over."""
        given = flat(payload)
        known = self.stored_fields(profile)
        values = {
            name: known[name].normalise(text(value))
            for name, value in given.items()
            if name in known and value is not None and not known[name].server
        }
        if any(name.startswith(f"{scalar}.") for name in given for scalar in known if name not in known):
            raise TypeError("a map where a value belongs")
        return {**item, **values}

    def problems(self, item: Item, uuid: str, world: World) -> dict[str, list[str]]:
        """Everything that is wrong with one item, by field."""
        found: dict[str, list[str]] = {}
        for name, field in self.stored_fields(world.profile).items():
            if field.server:
                continue
            for problem in field.problems(item.get(name, ""), world):
                found.setdefault(name, []).append(problem)
        for check in (self._unique, *self.checks):
            for name, problem in check(item, uuid, world):
                found.setdefault(name, []).append(problem)
        return found

    def numbered(self, item: dict[str, str], world: World) -> dict[str, str]:
        """A new item with the numbers that the server gives where the client gave none."""
        others = world.listing(self.path).values()
        for name, field in self.stored_fields(world.profile).items():
            if item.get(name) or not isinstance(field, Sequence | AutoNumber):
                continue
            taken = {int(other[name]) for other in others if other.get(name, "").isdecimal()}
            free = max(taken, default=1) + 100 if isinstance(field, Sequence) else _smallest_free(taken)
            item[name] = str(free)
        return item

    def _unique(self, item: Item, uuid: str, world: World) -> Iterator[Complaint]:
        others = [other for key, other in world.listing(self.path).items() if key != uuid]
        for group in self.unique:
            mine = [item.get(name, "") for name in group]
            if mine[0] and any([other.get(name, "") for name in group] == mine for other in others):
                yield group[0], "is already in use"


@cache
def _fields_of(resource: Resource, profile: Profile) -> Mapping[str, Field]:
    return {field.name: field for field in resource.fields if profile.has(field.since, field.until)}


@cache
def _stored_fields(resource: Resource, profile: Profile) -> Mapping[str, Field]:
    return {name: field for name, field in _fields_of(resource, profile).items() if not field.volatile}


def _smallest_free(taken: set[int]) -> int:
    return next(number for number in range(1, len(taken) + 2) if number not in taken)


def flat(payload: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested containers as dotted names; a list counts as a container, as it does for the appliance."""
    found: dict[str, Any] = {}
    for name, value in payload.items():
        if isinstance(value, list):
            value = {str(index): entry for index, entry in enumerate(value)}
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.") or {f"{prefix}{name}.": ""}
        else:
            found[f"{prefix}{name}"] = value
    return found


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *outer, last = name.split(".")
        place = tree
        for key in outer:
            place = place.setdefault(key, {})
        place[last] = value
    return tree


def text(value: object) -> str:
    """A JSON scalar as the appliance casts it: true is 1, false is nothing."""
    if isinstance(value, bool):
        return "1" if value else ""
    return str(value)
