"""Secrets of objects: read from the appliance, compared here, and shown to nobody.

What leaves the driver is a mark: `(secret)` for one that is there, `(secret env:NAME)` for the one that a plan names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from holdfast.core.errors import Failure
from holdfast.drivers.secrets import Secrets
from holdfast.kinds.contract import Secret
from holdfast.kinds.opnsense.item import HIDDEN, OTHER, Item, referred
from holdfast.kinds.opnsense.resources import SECRETS


class Veil:
    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._real: dict[tuple[str, str], str] = {}  # by uuid and field, as last read

    def over(self, uuid: str, values: dict[str, str]) -> dict[str, str]:
        """What was read, without its secrets."""
        for name in SECRETS & values.keys():
            real = values[name]
            self._real[uuid, name] = real
            self._secrets.remember(real)
            values[name] = HIDDEN if real else ""
        return values

    def holds(self, uuid: str, name: str, reference: str) -> bool:
        """Is the secret that was read the one that this refers to?"""
        return self._real.get((uuid, name), "") == self._secrets.value(Secret(reference))

    def compared(self, uuid: str, live: Mapping[str, str] | None, *wanted: Item) -> dict[str, str] | None:
        """What is there, its secrets marked as those that are wanted, or as others."""
        if live is None:
            return None
        found = dict(live)
        for item in wanted:
            for name, reference in _references(item.values or {}).items():
                if found.get(name) in (HIDDEN, OTHER):
                    mark = (item.values or {})[name]
                    found[name] = mark if self.holds(uuid, name, reference) else OTHER
        return found

    def lifted(self, values: Mapping[str, str]) -> dict[str, str]:
        """What is sent. A secret that nobody refers to is not known here, and stays as it is."""
        references = _references(values)
        known = {name: value for name, value in values.items() if name in references or value not in (HIDDEN, OTHER)}
        return known | {name: self._secrets.value(Secret(reference)) for name, reference in references.items()}

    def hidden_in(self, failure: Failure) -> Failure:
        """An appliance may repeat what it was told."""
        return replace(failure, message=self._secrets.scrub(failure.message))


def _references(values: Mapping[str, str]) -> dict[str, str]:
    found = {name: referred(values[name]) for name in SECRETS & values.keys()}
    return {name: reference for name, reference in found.items() if reference is not None}
