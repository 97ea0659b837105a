"""Every type of object, on every version: made, left alone, changed, and taken back as if it had never been."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast import Holdfast
from holdfast.testing.opnsense import PROFILES, Simulator
from tests.opnsense.conftest import plans_for, writes

# By kind: name, values, and other values. Those that refer to another come behind it.
KINDS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "firewall.alias": ("hosts", {"type": "host", "content": ["10.1.0.1"]}, {"content": ["10.1.0.2", "10.1.0.1"]}),
    "firewall.rule": ("Allow it", {"interface": "lan", "protocol": "tcp", "destination_port": 80}, {"log": True}),
    "firewall.category": ("Guests", {"color": "00ff00"}, {"color": "ff0000"}),
    "interfaces.vlan": ("igc3/20", {"descr": "guests"}, {"descr": "visitors"}),
    "routes.route": ("10.9.0.0/16", {"gateway": "WAN_GW", "descr": "one"}, {"descr": "two"}),
    "routing.gateway": ("GUEST_GW", {"interface": "lan", "gateway": "192.168.1.254"}, {"descr": "guests"}),
    "unbound.host": ("web.example.org", {"server": "10.1.0.1"}, {"server": "10.1.0.2"}),
    "kea.subnet": ("192.168.1.0/24", {"pools": ["192.168.1.100-192.168.1.110"]}, {"description": "lan"}),
    "kea.reservation": (
        "00:11:22:33:44:55",
        {"subnet": {"ref": "kea.subnet"}, "ip_address": "192.168.1.7"},
        {"subnet": {"ref": "kea.subnet"}, "hostname": "printer"},
    ),
    "haproxy.server": ("web1", {"address": "10.1.0.1", "port": 80}, {"weight": 5}),
    "haproxy.backend": (
        "web",
        {"linkedServers": [{"ref": "haproxy.server"}]},
        {"linkedServers": [{"ref": "haproxy.server"}], "algorithm": "roundrobin"},
    ),
    "haproxy.frontend": ("public", {"bind": ["10.0.0.1:80"]}, {"description": "the way in"}),
    "nat.source": ("out", {"interface": "wan", "source_net": "lan", "target": "wanip"}, {"log": True}),
    "nat.one_to_one": ("dmz", {"external": "203.0.113.9/32", "source_net": "10.0.10.9/32"}, {"log": True}),
    "dnsmasq.host": ("web.example.org", {"ip": ["10.1.0.1"]}, {"ip": ["10.1.0.2"]}),
}
SINCE = {"dnsmasq.host": "25.7"}


def steps(profile: str, place: int) -> list[dict[str, Any]]:
    """A step of every kind that this version has, with its values or its other values."""
    kinds = [kind for kind in KINDS if profile >= SINCE.get(kind, "")]
    return [{f"opnsense.{kind}": KINDS[kind][0], "id": kind, "values": KINDS[kind][place]} for kind in kinds]


@pytest.mark.parametrize("profile", PROFILES)
def test_they_come_change_and_go(profile: str, hf: Holdfast, monkeypatch: pytest.MonkeyPatch) -> None:
    with Simulator(profile=profile, seed=1) as sim:
        plan_of = plans_for(sim, monkeypatch)
        first, second = plan_of(*steps(profile, 1)), plan_of(*steps(profile, 2))
        kinds = {step["id"] for step in steps(profile, 1)}
        before = {path: dict(found) for path, found in sim.store.config.items() if found}
        made = hf.apply(first)
        assert (made.ending, made.errors, set(made.executed)) == ("committed", [], kinds)
        assert sim.pending == []
        written = len(writes(sim))
        assert hf.apply(first).ending == "unchanged"
        assert len(writes(sim)) == written
        changed = hf.apply(second)
        assert (changed.ending, changed.errors, set(changed.executed)) == ("committed", [], kinds)
        assert (hf.rollback(changed.run).ending, hf.rollback(made.run).ending) == ("rolled_back", "rolled_back")
        assert {path: dict(found) for path, found in sim.store.config.items() if found} == before
        assert sim.pending == []
