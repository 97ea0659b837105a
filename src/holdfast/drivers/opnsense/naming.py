"""Which object is meant by a name, and which uuid one gets that is to be made."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from holdfast.kinds.opnsense.item import Item
from holdfast.kinds.opnsense.resources import Type

Values = Mapping[str, str]


def item_called(type_: Type, name: str, every: Mapping[str, Values]) -> Item:
    """The object of this name; where there is none, the uuid that it would get."""
    if not type_.key:
        return Item(name, every.get(name))
    found = [uuid for uuid, values in every.items() if type_.key_of(values) == name]
    if found:
        return Item(found[0], every[found[0]], len(found))
    return Item(free_uuid(type_, name, every))


def free_uuid(type_: Type, name: str, taken: Mapping[str, Any]) -> str:
    """The same name has the same uuid, before and after a crash, here and elsewhere; unless somebody has it already."""
    for turn in range(len(taken) + 1):
        digest = sha256(f"{type_.name}/{name}#{turn}".encode()).hexdigest()
        variant = "89ab"[int(digest[16], 16) % 4]
        uuid = f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"
        if uuid not in taken:
            return uuid
    raise AssertionError("more objects than were counted")
