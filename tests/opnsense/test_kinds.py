"""Every type of object, on every version: made, left alone, changed, and taken back as if it had never been."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast import Holdfast
from holdfast.testing.opnsense import PROFILES, Simulator
from tests.opnsense.conftest import plans_for, writes

# By kind: name, values, other values; and the steps before it that it refers to.
KINDS: dict[str, tuple[str, dict[str, Any], dict[str, Any], list[dict[str, Any]]]] = {
    "firewall.alias": ("hosts", {"type": "host", "content": ["10.1.0.1"]}, {"content": ["10.1.0.2", "10.1.0.1"]}, []),
    "firewall.rule": ("Allow it", {"interface": "lan", "protocol": "tcp", "destination_port": 80}, {"log": True}, []),
    "firewall.category": ("Guests", {"color": "00ff00"}, {"color": "ff0000"}, []),
    "interfaces.vlan": ("igc3/20", {"descr": "guests"}, {"descr": "visitors"}, []),
    "routes.route": ("10.9.0.0/16", {"gateway": "WAN_GW", "descr": "one"}, {"descr": "two"}, []),
    "routing.gateway": ("GUEST_GW", {"interface": "lan", "gateway": "192.168.1.254"}, {"descr": "guests"}, []),
    "unbound.host": ("web.example.org", {"server": "10.1.0.1"}, {"server": "10.1.0.2"}, []),
    "kea.subnet": ("192.168.1.0/24", {"pools": ["192.168.1.100-192.168.1.110"]}, {"description": "lan"}, []),
    "kea.reservation": (
        "00:11:22:33:44:55",
        {"subnet": {"ref": "net"}, "ip_address": "192.168.1.7"},
        {"subnet": {"ref": "net"}, "hostname": "printer"},
        [{"opnsense.kea.subnet": "192.168.1.0/24", "id": "net"}],
    ),
    "haproxy.server": ("web1", {"address": "10.1.0.1", "port": 80}, {"weight": 5}, []),
    "haproxy.backend": (
        "web",
        {"linkedServers": [{"ref": "one"}]},
        {"linkedServers": [{"ref": "one"}], "algorithm": "roundrobin"},
        [{"opnsense.haproxy.server": "web1", "id": "one", "values": {"address": "10.1.0.1", "port": 80}}],
    ),
    "haproxy.frontend": ("public", {"bind": ["10.0.0.1:80"]}, {"description": "the way in"}, []),
    "nat.source": ("out", {"interface": "wan", "source_net": "lan", "target": "wanip"}, {"log": True}, []),
    "nat.one_to_one": ("dmz", {"external": "203.0.113.9/32", "source_net": "10.0.10.9/32"}, {"log": True}, []),
    "dnsmasq.host": ("web.example.org", {"ip": ["10.1.0.1"]}, {"ip": ["10.1.0.2"]}, []),
}
SINCE = {"dnsmasq.host": "25.7"}
CASES = [(kind, profile) for kind in KINDS for profile in PROFILES if profile >= SINCE.get(kind, "")]


@pytest.mark.parametrize(("kind", "profile"), CASES)
def test_it_comes_changes_and_goes(kind: str, profile: str, hf: Holdfast, monkeypatch: pytest.MonkeyPatch) -> None:
    name, values, other, first = KINDS[kind]
    with Simulator(profile=profile, seed=1) as sim:
        plan_of = plans_for(sim, monkeypatch)
        before = {path: dict(found) for path, found in sim.store.config.items() if found}
        made = hf.apply(plan_of(*first, {f"opnsense.{kind}": name, "values": values}))
        assert (made.ending, made.errors) == ("committed", [])
        assert sim.pending in ([], ["category"])
        written = len(writes(sim))
        assert hf.apply(plan_of(*first, {f"opnsense.{kind}": name, "values": values})).ending == "unchanged"
        assert len(writes(sim)) == written
        changed = hf.apply(plan_of(*first, {f"opnsense.{kind}": name, "values": other}))
        assert (changed.ending, changed.errors) == ("committed", [])
        assert (hf.rollback(changed.run).ending, hf.rollback(made.run).ending) == ("rolled_back", "rolled_back")
        assert {path: dict(found) for path, found in sim.store.config.items() if found} == before
        assert sim.pending == []
