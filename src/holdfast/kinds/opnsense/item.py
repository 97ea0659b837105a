"""The states that an appliance shows: an object, the choices its fields offer, and what the appliance itself is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from holdfast.core.change import Observed

OBJECT = "uuid"  # the key by which a journaled state is recognised as an object


HIDDEN = "(secret)"  # one is there
OTHER = "(another secret)"  # one is there, and not the one that the plan names


def marked(reference: str) -> str:
    """What stands for a secret that a plan names; no value of a secret is ever part of a state."""
    return f"(secret {reference})"


def referred(value: str) -> str | None:
    """The reference in such a mark."""
    return value.removeprefix("(secret ").removesuffix(")") if value.startswith("(secret ") else None


def alike(one: str, other: str) -> bool:
    """Equal, or not to be told apart: a secret whose reference nobody compared it with."""
    return one == other or (HIDDEN in (one, other) and all(side in (HIDDEN, OTHER) or referred(side) for side in (one, other)))


@dataclass(frozen=True, slots=True)
class Item:
    """One object by its uuid; without values it is absent, and the uuid is the one it would get.

    `twins` counts the objects that share its natural key: with more than one nobody knows which is meant.
    """

    uuid: str
    values: Mapping[str, str] | None = None
    twins: int = field(default=0, compare=False)

    @property
    def exists(self) -> bool:
        return self.values is not None

    def same(self, other: Any, /) -> bool:
        """Equal in every field that both know: of an object that is to be made only what was asked for is known."""
        if not self.exists or not other.exists:
            return self.exists is bool(other.exists)
        return isinstance(other, Item) and self.uuid == other.uuid and not self.differing(other)

    def differing(self, other: Item) -> list[str]:
        """The fields that both know and that are not the same."""
        mine, others = self.values or {}, other.values or {}
        return [name for name in mine if name in others and not alike(mine[name], others[name])]

    def plain(self) -> Any:
        return None if self.values is None else {OBJECT: self.uuid, "values": dict(sorted(self.values.items()))}

    @classmethod
    def parse(cls, plain: Mapping[str, Any]) -> Item:
        return cls(plain[OBJECT], plain["values"])


@dataclass(frozen=True, slots=True)
class Listing(Observed):
    """All objects of a type, as far as the key may see them: who refers to whom is read off it."""

    objects: Mapping[str, Mapping[str, str]]  # by uuid
    tied: Mapping[str, str] = field(default_factory=dict)  # by uuid, the interface that a device is assigned to

    def plain(self) -> Any:
        return {"listed": len(self.objects)}


@dataclass(frozen=True, slots=True)
class Options(Observed):
    """By field, what the appliance would take: its interfaces, gateways, devices and other objects."""

    choices: Mapping[str, Mapping[str, str]]  # field -> value -> what it is called

    def plain(self) -> Any:
        return {name: sorted(found) for name, found in self.choices.items()}


@dataclass(frozen=True, slots=True)
class Privileges(Observed):
    """The calls that changing objects of a type needs and the key may not make."""

    missing: tuple[str, ...]

    def plain(self) -> Any:
        return {"missing": list(self.missing)}


@dataclass(frozen=True, slots=True)
class Appliance(Observed):
    """What answers at the address: its version, and the reasons why it must not be written to with this key."""

    version: str
    profile: str

    @property
    def exchanges(self) -> bool:
        """An object is written over by one call, old or new."""
        return True

    def plain(self) -> Any:
        return {"version": self.version, "profile": self.profile}
