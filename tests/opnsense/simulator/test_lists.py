"""What every list answers, and where some answer otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.testing.opnsense import PROFILES, Simulator
from tests.opnsense.simulator.client import ALIAS, RULE, Client, uuid

V5_UUID = "00000000-0000-5000-8000-000000000001"
GATEWAY = {"name": "ISP2", "interface": "wan", "gateway": "203.0.113.9"}
ITEMS: list[tuple[str, str, str, str, dict[str, Any]]] = [
    ("firewall.alias", "firewall/alias", "item", "alias", ALIAS),
    ("firewall.category", "firewall/category", "item", "category", {"name": "guests"}),
    ("firewall.group", "firewall/group", "item", "group", {"ifname": "inside", "members": "lan,opt1"}),
    ("firewall.rule", "firewall/filter", "rule", "rule", RULE),
    ("firewall.source_nat", "firewall/source_nat", "rule", "rule", {"target": "203.0.113.5"}),
    ("firewall.one_to_one", "firewall/one_to_one", "rule", "rule", {"source_net": "10.0.0.5", "external": "203.0.113.7"}),
    ("interfaces.vlan", "interfaces/vlan_settings", "item", "vlan", {"if": "igc1", "tag": "20"}),
    ("routing.gateway", "routing/settings", "gateway", "gateway_item", GATEWAY),
    ("unbound.host", "unbound/settings", "host_override", "host", {"hostname": "a", "domain": "lan", "server": "10.0.0.1"}),
    ("kea.subnet", "kea/dhcpv4", "subnet", "subnet4", {"subnet": "10.9.0.0/24"}),
    ("dnsmasq.host", "dnsmasq/settings", "host", "host", {"host": "printer", "ip": "10.0.0.9"}),
    ("haproxy.server", "haproxy/settings", "server", "server", {"name": "s1", "address": "10.0.0.1", "port": "80"}),
    ("haproxy.backend", "haproxy/settings", "backend", "backend", {"name": "b1"}),
    ("haproxy.frontend", "haproxy/settings", "frontend", "frontend", {"name": "f1", "bind": "0.0.0.0:80"}),
]


@pytest.mark.parametrize(("path", "at", "suffix", "wrapper", "values"), ITEMS, ids=[item[0] for item in ITEMS])
def test_an_item_is_made_read_changed_and_deleted_under_the_uuid_of_the_client(
    appliance: Simulator, client: Client, path: str, at: str, suffix: str, wrapper: str, values: dict[str, Any]
) -> None:
    ours = uuid(1)
    assert client.post(f"{at}/set_{suffix}/{ours}", {wrapper: values}) == {"result": "saved"}
    assert client.post(f"{at}/set_{suffix}/{ours}", {wrapper: values}) == {"result": "saved"}
    assert set(values) <= set(client.get(f"{at}/get_{suffix}/{ours}")[wrapper])
    assert {name: appliance.objects(path)[ours][name] for name in values} == values
    assert client.post(f"{at}/del_{suffix}/{ours}") == {"result": "deleted"}
    assert client.post(f"{at}/del_{suffix}/{ours}") == {"result": "not found"}
    assert ours not in appliance.objects(path)


def test_a_route_is_written_in_one_word_and_with_the_flag_of_its_version(client: Client, appliance: Simulator) -> None:
    route = {"network": "10.50.0.0/16", "gateway": "WAN_GW", "enabled": "0"}
    assert client.post(f"routes/routes/setroute/{uuid(1)}", {"route": route}) == {"result": "saved"}
    assert appliance.objects("routes.route")[uuid(1)]["disabled"] == "0"
    assert client.status("POST", f"routes/routes/setroute/{uuid(1)}", {"route": {"descr": "no network"}}) == 500


def test_a_reservation_belongs_to_a_subnet_that_cannot_go_while_it_is_there(client: Client) -> None:
    client.post(f"kea/dhcpv4/set_subnet/{uuid(1)}", {"subnet4": {"subnet": "10.9.0.0/24"}})
    outside = {"subnet": uuid(1), "ip_address": "10.8.0.5", "hw_address": "00:11:22:33:44:55"}
    assert client.post(f"kea/dhcpv4/set_reservation/{uuid(2)}", {"reservation": outside}) == {
        "result": "failed",
        "validations": {"reservation.ip_address": "is not in the subnet"},
    }
    inside = outside | {"ip_address": "10.9.0.5"}
    assert client.post(f"kea/dhcpv4/set_reservation/{uuid(2)}", {"reservation": inside}) == {"result": "saved"}
    assert client.status("POST", f"kea/dhcpv4/del_subnet/{uuid(1)}", {}) == 500


def test_an_unknown_item_can_only_be_made_under_a_lower_case_uuid_of_version_4(client: Client) -> None:
    for name in ("nonsense", V5_UUID, uuid(1).replace("a", "A").upper().replace("0000-4", "AAAA-4")):
        assert client.post(f"firewall/alias/set_item/{name}", {"alias": ALIAS}) == {"result": "failed"}


def test_all_that_is_wrong_with_an_item_is_said_at_once(client: Client) -> None:
    rule = {"destination_port": "90-80", "protocol": "TCP", "source_net": "nowhere", "action": "allow"}
    answer = client.post("firewall/filter/add_rule", {"rule": rule})
    assert answer["result"] == "failed"
    assert set(answer["validations"]) == {"rule.destination_port", "rule.source_net", "rule.action"}


def test_a_partial_set_keeps_the_rest_and_ignores_what_it_does_not_know(appliance: Simulator, client: Client) -> None:
    client.post(f"firewall/filter/set_rule/{uuid(1)}", {"rule": RULE})
    client.post(f"firewall/filter/set_rule/{uuid(1)}", {"rule": {"log": True, "descripton": "typo", "action": None}})
    rule = appliance.objects("firewall.rule")[uuid(1)]
    assert (rule["log"], rule["description"], rule["action"]) == ("1", "ssh", "pass")


def test_a_map_where_a_value_belongs_is_a_failure_and_stores_nothing(appliance: Simulator, client: Client) -> None:
    client.post(f"firewall/filter/set_rule/{uuid(1)}", {"rule": RULE})
    echoed = client.get(f"firewall/filter/get_rule/{uuid(1)}")
    before = appliance.store.config
    assert client.status("POST", f"firewall/filter/set_rule/{uuid(1)}", echoed) == 500
    assert appliance.store.config is before


def test_get_offers_options_and_marks_what_is_chosen(client: Client) -> None:
    client.post(f"firewall/filter/set_rule/{uuid(1)}", {"rule": RULE})
    rule = client.get(f"firewall/filter/get_rule/{uuid(1)}")["rule"]
    assert rule["interface"]["lan"] == {"value": "LAN", "selected": 1}
    assert rule["interface"]["wan"]["selected"] == 0
    assert rule["gateway"][""]["selected"] == 1
    assert rule["destination_port"] == "22"
    assert rule["categories"] == []


def test_a_new_rule_goes_a_hundred_behind_the_last(appliance: Simulator, client: Client) -> None:
    for number in (1, 2):
        client.post(f"firewall/filter/set_rule/{uuid(number)}", {"rule": RULE})
    assert [rule["sequence"] for rule in appliance.objects("firewall.rule").values()] == ["101", "201"]


def test_moving_a_rule_changes_the_place_of_others(appliance: Simulator, client: Client) -> None:
    for number in (1, 2, 3):
        client.post(f"firewall/filter/set_rule/{uuid(number)}", {"rule": RULE | {"sequence": str(number)}})
    assert client.post(f"firewall/filter/move_rule_before/{uuid(3)}/{uuid(1)}") == {"status": "ok"}
    places = {key: int(rule["sequence"]) for key, rule in appliance.objects("firewall.rule").items()}
    assert sorted(places, key=lambda key: places[key]) == [uuid(3), uuid(1), uuid(2)]


def test_an_alias_that_is_not_there_is_answered_all_the_same(client: Client) -> None:
    assert set(client.get(f"firewall/alias/get_item/{uuid(1)}")["alias"]) == {"content"}
    assert client.get(f"firewall/filter/get_rule/{uuid(1)}") == []


def test_renaming_an_alias_rewrites_the_rules_that_use_it_and_deleting_it_is_refused(
    appliance: Simulator, client: Client
) -> None:
    client.post(f"firewall/alias/set_item/{uuid(1)}", {"alias": ALIAS})
    client.post(f"firewall/filter/set_rule/{uuid(2)}", {"rule": RULE | {"destination_net": "web"}})
    client.post(f"firewall/alias/set_item/{uuid(1)}", {"alias": {"name": "site"}})
    assert appliance.objects("firewall.rule")[uuid(2)]["destination_net"] == "site"
    assert client.status("POST", f"firewall/alias/del_item/{uuid(1)}", {}) == 500
    assert uuid(1) in appliance.objects("firewall.alias")


def test_deleting_a_host_takes_its_aliases_along_each_with_a_revision(appliance: Simulator, client: Client) -> None:
    host = {"hostname": "a", "domain": "lan", "server": "10.0.0.1", "aliases": "b.lan,c.lan"}
    client.post(f"unbound/settings/set_host_override/{uuid(1)}", {"host": host})
    assert len(appliance.objects("unbound.alias")) == 2
    before = len(appliance.revisions)
    client.post(f"unbound/settings/del_host_override/{uuid(1)}")
    assert appliance.objects("unbound.alias") == {}
    assert len(appliance.revisions) == before + 3


def test_a_haproxy_switch_flips_whatever_it_is_told(client: Client) -> None:
    client.post(f"haproxy/settings/set_server/{uuid(1)}", {"server": {"name": "s1"}})
    answers = [client.post(f"haproxy/settings/toggle_server/{uuid(1)}/1")["result"] for _ in range(2)]
    assert answers == ["Disabled", "Enabled"]


def test_a_vlan_gets_a_device_and_only_one_of_a_parent_and_tag(appliance: Simulator, client: Client) -> None:
    client.post(f"interfaces/vlan_settings/set_item/{uuid(1)}", {"vlan": {"if": "igc1", "tag": "20"}})
    assert appliance.objects("interfaces.vlan")[uuid(1)]["vlanif"] == "vlan01"
    again = client.post("interfaces/vlan_settings/add_item", {"vlan": {"if": "igc1", "tag": "20"}})
    assert set(again["validations"]) == {"vlan.tag"}
    assert client.status("POST", f"interfaces/vlan_settings/set_item/{uuid(1)}", {"vlan": {"descr": "x"}}) == 500


@pytest.mark.parametrize("profile", PROFILES)
def test_a_search_pages_filters_and_sorts_in_every_version(profile: str) -> None:
    with Simulator(profile) as appliance:
        client = Client(appliance)
        for number in range(1, 6):
            alias = ALIAS | {"name": f"web{number}", "description": "ours"}
            client.post(f"firewall/alias/set_item/{uuid(number)}", {"alias": alias})
        asked = {"current": 2, "rowCount": 2, "sort": {"name": "desc"}, "searchPhrase": "web ours"}
        found = client.post("firewall/alias/search_item", asked)
        assert [row["name"] for row in found["rows"]] == ["web3", "web2"]
        assert (found["total"], found["rowCount"], found["current"]) == (5, 2, 2)
        only = client.post("firewall/alias/search_item", {"searchPhrase": uuid(4)})
        assert [row["uuid"] for row in only["rows"]] == [uuid(4)]


def test_old_versions_show_labels_in_a_search_and_newer_ones_values(client: Client) -> None:
    with Simulator("25.1") as older:
        old = Client(older)
        for one in (old, client):
            one.post(f"firewall/source_nat/set_rule/{uuid(1)}", {"rule": {"target": "203.0.113.5"}})
        assert old.post("firewall/source_nat/search_rule")["rows"][0]["interface"] == "LAN"
    row = client.post("firewall/source_nat/search_rule")["rows"][0]
    assert (row["interface"], row["%interface"]) == ("lan", "LAN")


def test_some_versions_list_floating_rules_only_unless_an_interface_is_named(client: Client) -> None:
    client.post(f"firewall/filter/set_rule/{uuid(1)}", {"rule": RULE})
    client.post(f"firewall/filter/set_rule/{uuid(2)}", {"rule": RULE | {"interface": ""}})
    assert managed(client.post("firewall/filter/search_rule")) == [uuid(2)]
    assert managed(client.post("firewall/filter/search_rule", {"interface": "lan"})) == [uuid(1)]
    with Simulator("26.7") as newer:
        other = Client(newer)
        other.post(f"firewall/filter/set_rule/{uuid(1)}", {"rule": RULE})
        assert managed(other.post("firewall/filter/search_rule")) == [uuid(1)]


def test_nat_rules_are_hidden_where_the_mode_gives_them_no_effect() -> None:
    with Simulator("26.7") as appliance:
        client = Client(appliance)
        client.post(f"firewall/source_nat/set_rule/{uuid(1)}", {"rule": {"target": "203.0.113.5"}})
        assert managed(client.post("firewall/source_nat/search_rule")) == []
        client.post("firewall/source_nat/set", {"filter": {"general": {"snat_mode": "hybrid"}}})
        assert managed(client.post("firewall/source_nat/search_rule")) == [uuid(1)]


def test_several_at_once_are_deleted_in_newer_versions_and_the_last_is_answered() -> None:
    with Simulator("26.7") as appliance:
        client = Client(appliance)
        for number in (1, 2):
            client.post(f"firewall/filter/set_rule/{uuid(number)}", {"rule": RULE})
        assert client.post(f"firewall/filter/del_rule/{uuid(1)},{uuid(2)},{uuid(3)}") == {"result": "not found"}
        assert appliance.objects("firewall.rule") == {}


def managed(answer: dict[str, Any]) -> list[str]:
    return [row["uuid"] for row in answer["rows"] if row["uuid"].startswith("00000000")]


def test_a_search_of_rules_can_be_narrowed_to_a_category(client: Client) -> None:
    client.post(f"firewall/category/set_item/{uuid(9)}", {"category": {"name": "guests"}})
    for number, categories in ((1, uuid(9)), (2, "")):
        client.post(f"firewall/filter/set_rule/{uuid(number)}", {"rule": RULE | {"categories": categories}})
    assert managed(client.post("firewall/filter/search_rule", {"interface": "lan", "category": [uuid(9)]})) == [uuid(1)]
    assert client.status("POST", f"firewall/category/del_item/{uuid(9)}", {}) == 500


def test_rules_come_down_as_lines_and_go_up_as_far_as_they_are_valid(appliance: Simulator, client: Client) -> None:
    client.post(f"firewall/filter/set_rule/{uuid(1)}", {"rule": RULE})
    head, line = client.ask("GET", "firewall/filter/download_rules")[1].decode().splitlines()
    assert (head.split(",")[0], line.split(",")[0]) == ("@uuid", uuid(1))
    lines = [
        head,
        line.replace(",ssh", ",shell"),
        line.replace(uuid(1), uuid(2)),
        line.replace(uuid(1), uuid(3)).replace("TCP", "?"),
    ]
    saved = client.post("firewall/filter/upload_rules", {"payload": "\n".join(lines)})
    assert (saved["inserted"], saved["updated"], saved["uuids"]) == (1, 1, [uuid(1), uuid(2)])
    assert [wrong["sequence"] for wrong in saved["validations"]] == [3]
    assert {key: rule["description"] for key, rule in appliance.objects("firewall.rule").items()} == {
        uuid(1): "shell",
        uuid(2): "ssh",
    }


def test_a_line_of_a_reservation_is_the_one_of_its_address_in_its_subnet(appliance: Simulator, client: Client) -> None:
    client.post(f"kea/dhcpv4/set_subnet/{uuid(1)}", {"subnet4": {"subnet": "10.9.0.0/24"}})
    lines = f"subnet,ip_address,hw_address\n{uuid(1)},10.9.0.5,aa:bb:cc:dd:ee:ff\n"
    assert client.post("kea/dhcpv4/upload_reservations", {"payload": lines})["inserted"] == 1
    again = client.post("kea/dhcpv4/upload_reservations", {"payload": lines.replace("0.5", "0.6")})
    assert (again["inserted"], again["updated"]) == (0, 1)
    assert [item["ip_address"] for item in appliance.objects("kea.reservation").values()] == ["10.9.0.6"]
