"""Which hosts a person means: names of an inventory, of ssh_config, or `[user@]host[:port]`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from holdfast.core.errors import PlanError, Problem, WorldError
from holdfast.ssh.address import Address
from holdfast.ssh.values import Sudo


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One host of an inventory."""

    address: Address
    sudo: Sudo | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    hosts: Mapping[str, Host] = field(default_factory=dict)
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def meant(self, names: Iterable[str]) -> list[Host]:
        """Hosts in the order they were named, each once. What no inventory knows is an address."""
        found: dict[Address, Host] = {}
        for name in names:
            for host in self._named(name):
                found.setdefault(host.address, host)
        return list(found.values())

    def _named(self, name: str) -> list[Host]:
        if name in self.hosts:
            return [self.hosts[name]]
        if name in self.groups:
            return [self.hosts[member] for member in self.groups[name] if member in self.hosts]
        if name == "all" and self.hosts:
            return list(self.hosts.values())
        try:
            return [Host(address=Address.parse(name))]
        except WorldError as error:
            raise PlanError([Problem(code=error.code, message=error.message, hint=error.hint)]) from error
