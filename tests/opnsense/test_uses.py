"""Deleting: who refers to an object is known before anything is touched, and what goes with it comes back with it."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast import Holdfast
from holdfast.testing.opnsense import PROFILES, Simulator
from tests.opnsense.conftest import PlanOf, absent, alias, named, plans_for, rule, writes

NAT = {"interface": "wan", "source_net": "lan", "target": "servers"}
# By what is in use: the steps that make it and its user, and what is to be deleted.
IN_USE: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str]] = {
    "an alias by a rule": (
        [alias("servers", "10.0.0.1"), rule("web", 80, values={"destination_net": "servers"})],
        absent("firewall.alias", "servers"),
        "firewall.rule `web`",
    ),
    "an alias by an alias": (
        [alias("servers", "10.0.0.1"), alias("all_servers", "servers")],
        absent("firewall.alias", "servers"),
        "firewall.alias `all_servers`",
    ),
    "an alias by source NAT": (
        [alias("servers", "10.0.0.1"), {"opnsense.nat.source": "out", "values": NAT}],
        absent("firewall.alias", "servers"),
        "nat.source `out`",
    ),
    "a category by a rule": (
        [{"opnsense.firewall.category": "Web", "id": "c"}, rule("web", 80, values={"categories": [{"ref": "c"}]})],
        absent("firewall.category", "Web"),
        "firewall.rule `web`",
    ),
    "a gateway by a route": (
        [
            {"opnsense.routing.gateway": "DMZ_GW", "values": {"interface": "opt1", "gateway": "10.0.10.9"}},
            {"opnsense.routes.route": "10.9.0.0/16", "values": {"gateway": "DMZ_GW"}},
        ],
        absent("routing.gateway", "DMZ_GW"),
        "routes.route `10.9.0.0/16`",
    ),
    "a subnet by a reservation": (
        [
            {"opnsense.kea.subnet": "192.168.1.0/24", "id": "net"},
            {
                "opnsense.kea.reservation": "00:11:22:33:44:55",
                "values": {"subnet": {"ref": "net"}, "ip_address": "192.168.1.7"},
            },
        ],
        absent("kea.subnet", "192.168.1.0/24"),
        "kea.reservation `00:11:22:33:44:55`",
    ),
    "a server by a backend": (
        [
            {"opnsense.haproxy.server": "one", "id": "s", "values": {"address": "10.0.0.1", "port": 80}},
            {"opnsense.haproxy.backend": "pool", "values": {"linkedServers": [{"ref": "s"}]}},
        ],
        absent("haproxy.server", "one"),
        "haproxy.backend `pool`",
    ),
}


@pytest.mark.parametrize("profile", [PROFILES[0], PROFILES[-1]])
@pytest.mark.parametrize("case", IN_USE)
def test_what_is_in_use_is_refused_before_anything_is_touched(
    case: str, profile: str, hf: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, gone, user = IN_USE[case]
    with Simulator(profile) as sim:
        plan_of = plans_for(sim, monkeypatch)
        assert hf.apply(plan_of(*made)).ending == "committed"
        before = writes(sim)
        result = hf.apply(plan_of(gone, name="other"))
        assert (result.ending, result.errors[0]["code"]) == ("refused", "conflict")
        assert f"{user} refers to it" in result.errors[0]["message"]
        assert writes(sim) == before


def end_of(step: dict[str, Any]) -> dict[str, Any]:
    """The step that deletes what this one makes."""
    kind = next(key for key in step if key.startswith("opnsense."))
    return {kind: step[kind], "state": "absent"}


@pytest.mark.parametrize("case", [case for case in IN_USE if case != "an alias by an alias"])
def test_users_and_what_they_use_come_and_go_together_in_whatever_order_they_are_written(
    case: str, hf: Holdfast, sim: Simulator, plan_of: PlanOf
) -> None:
    made, _, _ = IN_USE[case]
    before = {path: dict(found) for path, found in sim.store.config.items() if found}
    for steps in (made[::-1], [end_of(step) for step in made], made, [end_of(step) for step in made[::-1]]):
        result = hf.apply(plan_of(*steps))
        assert (result.ending, result.errors) == ("committed", [])
    assert {path: dict(found) for path, found in sim.store.config.items() if found} == before


def test_what_another_step_stops_using_may_go(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    made, gone, _ = IN_USE["an alias by a rule"]
    hf.apply(plan_of(*made))
    result = hf.apply(plan_of(gone, rule("web", 80, values={"destination_net": "any"})))
    assert result.ending == "committed" and "servers" not in named(sim, "firewall.alias")
    assert hf.rollback(result.run).ending == "rolled_back"
    assert "servers" in named(sim, "firewall.alias")


@pytest.mark.parametrize("asked", [True, False], ids=["an order that is asked for", "two of one type"])
def test_what_cannot_go_in_this_order_is_told_with_the_step_that_has_to_go_first(
    asked: bool, hf: Holdfast, sim: Simulator, plan_of: PlanOf
) -> None:
    made, gone, _ = IN_USE["an alias by a rule" if asked else "an alias by an alias"]
    hf.apply(plan_of(*made))
    needs = {"needs": ["used"]} if asked else {}
    used, user = {**gone, "id": "used"}, {**end_of(made[-1]), "id": "user", **needs}
    result = hf.apply(plan_of(used, user))
    assert result.ending == "refused" and "`user` writes it, but only later" in result.errors[0]["hint"]
    assert hf.apply(plan_of(user, used) if not asked else plan_of(used, end_of(made[-1]))).ending == "committed"


def test_an_address_is_free_for_another_object_once_its_owner_is_gone(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    def reserved(mac: str) -> dict[str, Any]:
        return {"opnsense.kea.reservation": mac, "values": {"subnet": {"ref": "net"}, "ip_address": "192.168.1.7"}}

    net = {"opnsense.kea.subnet": "192.168.1.0/24", "id": "net"}
    old, new = reserved("00:11:22:33:44:55"), reserved("00:11:22:33:44:66")
    assert hf.apply(plan_of(net, old)).ending == "committed"
    assert hf.apply(plan_of(net, end_of(old), new)).ending == "committed"


def test_a_vlan_that_is_an_interface_stays(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    hf.apply(plan_of({"opnsense.interfaces.vlan": "igc3/20"}))
    device = next(iter(sim.objects("interfaces.vlan").values()))["vlanif"]
    sim.foreign("set", "interfaces.assignment", "opt2", {"descr": "GUESTS", "if": device, "ipaddr": "", "subnet": ""})
    result = hf.apply(plan_of(absent("interfaces.vlan", "igc3/20"), name="other"))
    assert (result.ending, result.errors[0]["code"]) == ("refused", "conflict")
    assert "GUESTS" in result.errors[0]["message"]


def test_the_aliases_of_a_name_go_with_it_and_come_back_with_it(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    hf.apply(plan_of({"opnsense.unbound.host": "web.example.org", "values": {"server": "10.0.0.1"}}))
    host = next(iter(sim.objects("unbound.host")))
    for name in ("www", "shop"):
        fields = {"enabled": "1", "host": host, "hostname": name, "domain": "example.org", "description": ""}
        sim.foreign("set", "unbound.alias", sim.new_uuid(), fields)
    sim.activate()
    before = {path: dict(sim.objects(path)) for path in ("unbound.host", "unbound.alias")}
    gone = plan_of(absent("unbound.host", "web.example.org"), name="other")
    assert [change["action"] for change in hf.plan(gone).plain()["changes"]].count("delete") == 3
    result = hf.apply(gone)
    assert (result.ending, dict(sim.objects("unbound.alias"))) == ("committed", {})
    assert hf.rollback(result.run).ending == "rolled_back"
    assert {path: dict(sim.objects(path)) for path in before} == before
    assert sim.pending == []


def test_a_key_that_may_not_look_everywhere_can_still_delete(
    hf: Holdfast, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow = next(user for user in sim.users.values() if user.name == "narrow")
    sim.key, sim.secret = narrow.key, narrow.secret
    plan_of = plans_for(sim, monkeypatch)
    assert hf.apply(plan_of(alias("servers", "10.0.0.1"))).ending == "committed"
    assert hf.apply(plan_of(absent("firewall.alias", "servers"))).ending == "committed"


ZONE = {"opnsense.firewall.alias": "zone", "values": {"type": "host", "content": ["10.0.0.1"]}}
BUILT: dict[str, list[dict[str, Any]]] = {  # what refers to another comes behind it
    "aliases within aliases": [
        ZONE,
        {"opnsense.firewall.alias": "all_zones", "values": {"type": "networkgroup", "content": ["zone"]}},
        {"opnsense.firewall.alias": "most", "values": {"type": "networkgroup", "content": ["all_zones"]}},
    ],
    "all that refers to a gateway": [
        {"opnsense.routing.gateway": "DMZ_GW", "values": {"interface": "opt1", "gateway": "10.0.10.9"}},
        {"opnsense.routes.route": "10.9.0.0/16", "values": {"gateway": "DMZ_GW"}},
        {"opnsense.firewall.rule": "web", "values": {"interface": "lan", "gateway": "DMZ_GW"}},
    ],
    "a server by a backend": IN_USE["a server by a backend"][0],
}


@pytest.mark.parametrize("how", ["restored", "restored away", "pruned"])
@pytest.mark.parametrize("case", BUILT)
def test_what_is_referred_to_comes_back_first_and_goes_last(
    case: str, how: str, hf: Holdfast, sim: Simulator, plan_of: PlanOf
) -> None:
    first, built = alias("first", "10.0.0.9"), BUILT[case]
    hf.apply(plan_of(first))
    before = configured(sim)
    hf.checkpoint_create("before")
    assert hf.apply(plan_of(first, *built)).ending == "committed"
    there = configured(sim)
    if how == "restored":
        hf.checkpoint_create("there")
        assert hf.apply(plan_of(first, *(end_of(step) for step in reversed(built)))).ending == "committed"
        assert hf.checkpoint_restore("there").ending == "committed"
    elif how == "restored away":
        assert hf.checkpoint_restore("before").ending == "committed"
    else:
        assert hf.apply(plan_of(first, policy={"prune": True})).ending == "committed"
    assert without_ids(configured(sim)) == without_ids(there if how == "restored" else before)


def configured(sim: Simulator) -> dict[str, dict[str, dict[str, str]]]:
    return {path: {uuid: dict(item) for uuid, item in found.items()} for path, found in sim.store.config.items() if found}


def without_ids(config: dict[str, dict[str, dict[str, str]]]) -> Any:
    """HAProxy's own numbers change when an object is made again."""
    return {
        path: {uuid: {name: value for name, value in item.items() if name != "id"} for uuid, item in found.items()}
        for path, found in config.items()
    }
