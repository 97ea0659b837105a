"""What a field can refer to: the configuration as the call reads it, and the names of the running system."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.testing.opnsense.profile import Profile
from holdfast.testing.opnsense.store import NOTHING, Config, Listing

ALIAS = "firewall.alias"
CATEGORY = "firewall.category"
GROUP = "firewall.group"
GATEWAY = "routing.gateway"
GATEWAY_GROUP = "routing.group"
INTERFACE = "interfaces.assignment"
VLAN = "interfaces.vlan"
DEVICE = "interfaces.device"
SCHEDULE = "firewall.schedule"
CERTIFICATE = "trust.certificate"


@dataclass(frozen=True, slots=True)
class World:
    config: Config
    profile: Profile

    def listing(self, path: str) -> Listing:
        return self.config.get(path, NOTHING)

    def names(self, path: str) -> dict[str, str]:
        """The items of a list by uuid, with what they are called."""
        return {uuid: called(item.get(field, "") for field in _NAMES) for uuid, item in self.listing(path).items()}

    @property
    def interfaces(self) -> dict[str, str]:
        assigned = {key: item["descr"] for key, item in self.listing(INTERFACE).items()}
        groups = {item["ifname"]: item["ifname"] for item in self.listing(GROUP).values()}
        return {**assigned, **groups}

    @property
    def plain_interfaces(self) -> dict[str, str]:
        return {key: item["descr"] for key, item in self.listing(INTERFACE).items() if key != "lo0"}

    @property
    def diverts(self) -> dict[str, str]:
        return {}

    @property
    def schedules(self) -> dict[str, str]:
        return {item["name"]: item["name"] for item in self.listing(SCHEDULE).values()}

    @property
    def gateways(self) -> dict[str, str]:
        """Gateway names with their addresses; the configured ones can be refused by family, the built-in ones too."""
        configured = {item["name"]: item.get("gateway", "") for item in self.listing(GATEWAY).values()}
        return {"Null4": "127.0.0.1", "Null6": "::1", **configured}

    @property
    def gateway_groups(self) -> dict[str, str]:
        return {item["name"]: item["name"] for item in self.listing(GATEWAY_GROUP).values()}

    @property
    def devices(self) -> dict[str, str]:
        vlans = {item["vlanif"]: item["vlanif"] for item in self.listing(VLAN).values()}
        return {**{name: name for name in self.listing(DEVICE)}, **vlans}

    @property
    def certificates(self) -> dict[str, str]:
        return {key: item["descr"] for key, item in self.listing(CERTIFICATE).items()}

    def aliases(self, *, ports: bool) -> dict[str, str]:
        """Aliases by name, with their uuids: those for ports, or those for everything else."""
        return {item["name"]: uuid for uuid, item in self.listing(ALIAS).items() if (item.get("type") == "port") == ports}


_NAMES = ("name", "ifname", "subnet", "hostname", "host", "tag", "domain", "descr", "description")


def called(values: Iterator[str]) -> str:
    return next((value for value in values if value), "")
