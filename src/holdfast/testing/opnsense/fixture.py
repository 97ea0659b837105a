"""The appliance as it is found: three interfaces, four devices, a gateway, the aliases of the appliance itself, old rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from holdfast.testing.opnsense.profile import Profile
from holdfast.testing.opnsense.store import Config, Item, Listing
from holdfast.testing.opnsense.world import ALIAS, CERTIFICATE, DEVICE, GATEWAY, INTERFACE

SETTINGS: Final = "settings."
GENERAL: Final = "general"
LEGACY_RULES: Final = "legacy.rule"


def settings(name: str) -> str:
    """Where the settings of a service lie that are no list of items; they are the one item GENERAL of it."""
    return f"{SETTINGS}{name}"


def fixture(new_uuid: Callable[[], str]) -> Config:
    return {
        DEVICE: {f"igc{number}": {} for number in range(4)},
        INTERFACE: {
            "wan": {"descr": "WAN", "if": "igc0", "ipaddr": "203.0.113.2", "subnet": "203.0.113.0/24"},
            "lan": {"descr": "LAN", "if": "igc1", "ipaddr": "192.168.1.1", "subnet": "192.168.1.0/24"},
            "opt1": {"descr": "DMZ", "if": "igc2", "ipaddr": "10.0.10.1", "subnet": "10.0.10.0/24"},
            "lo0": {"descr": "Loopback", "if": "lo0", "ipaddr": "127.0.0.1", "subnet": "127.0.0.0/8"},
        },
        ALIAS: _built_in_aliases(new_uuid),
        GATEWAY: {new_uuid(): _gateway()},
        LEGACY_RULES: {
            f"legacy{number}": {
                "enabled": "1", "action": "pass", "quick": "1", "interface": "lan", "direction": "in", "ipprotocol": family,
                "protocol": "any", "source_net": "lan", "destination_net": "any", "description": f"Default allow LAN {label}",
            }
            for number, (family, label) in enumerate((("inet", "to any"), ("inet6", "IPv6 to any")), 1)
        },
        CERTIFICATE: {"5f0c1a2b3c4d5": {"descr": "Web GUI TLS certificate"}},
        settings("firewall"): {GENERAL: {"snat_mode": "automatic"}},
        **{settings(service): {GENERAL: {"enabled": "1"}} for service in ("haproxy", "kea", "dnsmasq", "unbound")},
    }  # fmt: skip


def upgraded(config: Config, profile: Profile) -> Config:
    """The configuration as a newer version keeps it: the flag of a static route turned round."""
    routes = config.get("routes.route", {})
    if not profile.since("26.7") or not any("disabled" in route for route in routes.values()):
        return config
    return {**config, "routes.route": {uuid: _enabled(route) for uuid, route in routes.items()}}


def _enabled(route: Item) -> Item:
    kept = {name: value for name, value in route.items() if name != "disabled"}
    return {**kept, "enabled": "0" if route.get("disabled") == "1" else "1"}


def _built_in_aliases(new_uuid: Callable[[], str]) -> Listing:
    types = {"bogons": "external", "bogonsv6": "external", "virusprot": "external", "sshlockout": "external"}
    return {
        new_uuid(): {"enabled": "1", "name": name, "type": kind, "content": "", "description": "built in"}
        for name, kind in types.items()
    }


def _gateway() -> dict[str, str]:
    return {
        "disabled": "0", "name": "WAN_GW", "descr": "Uplink", "interface": "wan", "ipprotocol": "inet",
        "gateway": "203.0.113.1", "defaultgw": "1", "monitor_disable": "1", "priority": "255", "weight": "1",
    }  # fmt: skip
