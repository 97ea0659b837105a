"""What runs, what is only configured, and the history of both."""

from __future__ import annotations

import threading

import pytest

from holdfast.testing.opnsense import Simulator
from tests.opnsense.simulator.client import ALIAS, RULE, Client, uuid

BLOCK = {"interface": "lan", "action": "block", "sequence": "1", "description": "shut"}


def test_nothing_runs_until_it_is_activated(appliance: Simulator, client: Client) -> None:
    client.post(f"firewall/filter/set_rule/{uuid(1)}", {"rule": RULE})
    assert (uuid(1) in appliance.runtime("filter"), appliance.pending) == (False, ["filter"])
    assert client.post("firewall/filter/apply") == {"status": "OK\n\n"}
    assert uuid(1) in client.get("firewall/filter_util/rule_stats")["stats"]
    assert appliance.pending == []


def test_a_rule_set_that_does_not_load_is_answered_ok_and_told_elsewhere(appliance: Simulator, client: Client) -> None:
    client.post(f"firewall/filter/set_rule/{uuid(1)}", {"rule": RULE | {"tag": "__bad__"}})
    assert client.post("firewall/filter/apply") == {"status": "OK\n\n"}
    assert client.get("firewall/filter_util/rule_stats")["stats"] == []
    assert client.get("core/system/status")["subsystems"]["firewall"]["statusCode"] == -1
    client.post("core/system/dismiss_status", {"subject": "firewall"})
    assert client.get("core/system/status")["subsystems"]["firewall"]["statusCode"] == 2


def test_aliases_are_loaded_with_the_filter_in_old_versions_and_by_themselves_in_new_ones(client: Client) -> None:
    client.post(f"firewall/alias/set_item/{uuid(1)}", {"alias": ALIAS})
    client.post("firewall/filter/apply")
    assert client.get("firewall/alias_util/list/web")["total"] == 1
    with Simulator("26.7") as newer:
        other = Client(newer)
        other.post(f"firewall/alias/set_item/{uuid(1)}", {"alias": ALIAS})
        other.post("firewall/filter/apply")
        assert other.get("firewall/alias_util/list/web")["total"] == 0
        other.post("firewall/alias/reconfigure")
        assert other.get("firewall/alias_util/list/web")["total"] == 1


@pytest.mark.parametrize(
    "call",
    [
        *("firewall/alias", "firewall/group", "interfaces/vlan_settings", "routes/routes", "routing/settings"),
        *("unbound/service", "kea/service", "dnsmasq/service", "haproxy/service"),
    ],
)
def test_every_group_is_activated_by_post_only(client: Client, call: str) -> None:
    assert client.get(f"{call}/reconfigure") == {"status": "failed"}
    assert client.post(f"{call}/reconfigure") == {"status": "ok"}


def test_haproxy_keeps_the_old_configuration_when_the_new_one_is_not_valid(appliance: Simulator, client: Client) -> None:
    client.post(f"haproxy/settings/set_backend/{uuid(1)}", {"backend": {"name": "b", "customOptions": "__bad__"}})
    assert "ALERT" in client.get("haproxy/service/configtest")["result"]
    assert client.post("haproxy/service/reconfigure") == {"status": "ok"}
    assert uuid(1) not in appliance.runtime("haproxy")


def test_restarting_unbound_twice_at_once_leaves_it_stopped(appliance: Simulator, client: Client) -> None:
    client.post("unbound/service/reconfigure")
    client.post("unbound/service/reconfigure")
    assert client.get("unbound/service/status")["status"] == "stopped"
    appliance.clock.advance(5)
    client.post("unbound/service/reconfigure")
    assert client.get("unbound/service/status")["status"] == "running"


def test_a_rule_that_shuts_the_client_out_shuts_it_out_until_other_rules_run(appliance: Simulator, client: Client) -> None:
    client.post(f"firewall/filter/set_rule/{uuid(1)}", {"rule": BLOCK})
    assert appliance.admits("127.0.0.1")
    client.post("firewall/filter/apply")
    with pytest.raises(TimeoutError):
        Client(appliance, timeout=0.3).get("core/system/status")
    appliance.foreign("del", "firewall.rule", uuid(1))
    appliance.foreign("apply")
    assert client.get("core/system/status")


@pytest.mark.parametrize(
    ("change", "reachable"),
    [
        ({}, False),
        ({"enabled": "0"}, True),
        ({"interface": "wan"}, True),
        ({"interface": "", "quick": "0"}, True),
        ({"protocol": "TCP", "destination_port": "https"}, False),
        ({"protocol": "TCP", "destination_port": "22"}, True),
        ({"source_net": "10.0.0.0/8"}, True),
        ({"source_net": "lan"}, False),
        ({"source_net": "lan", "source_not": "1"}, True),
        ({"destination_net": "(self)"}, False),
        ({"ipprotocol": "inet6"}, True),
        ({"direction": "out"}, True),
    ],
)
def test_whether_a_client_gets_in_is_read_from_the_rules(
    appliance: Simulator, client: Client, change: dict[str, str], reachable: bool
) -> None:
    assert client.post(f"firewall/filter/set_rule/{uuid(1)}", {"rule": BLOCK | change}) == {"result": "saved"}
    client.post("firewall/filter/apply")
    assert appliance.admits("127.0.0.1") is reachable


def test_every_write_leaves_a_revision_that_names_its_call(appliance: Simulator, client: Client) -> None:
    client.post(f"firewall/alias/set_item/{uuid(1)}?txn=abc", {"alias": ALIAS})
    newest = client.get("core/backup/backups/this")["items"][0]
    assert newest["description"] == f"/api/firewall/alias/set_item/{uuid(1)}?txn=abc made changes"
    assert newest["username"] == "root@127.0.0.1"
    assert abs(float(newest["time"]) - float(newest["id"][7:-4])) < 0.01


def test_the_history_forgets_what_is_older_than_it_keeps(appliance: Simulator, client: Client) -> None:
    for number in range(110):
        client.post(f"firewall/category/set_item/{uuid(number)}", {"category": {"name": f"c{number}"}})
    assert len(client.get("core/backup/backups/this")["items"]) == 100


def test_going_back_restores_everything_and_activates_nothing(appliance: Simulator, client: Client) -> None:
    before = client.get("core/backup/backups/this")["items"][0]["id"]
    client.post(f"firewall/filter/set_rule/{uuid(1)}", {"rule": RULE})
    client.post("firewall/filter/apply")
    now = client.get("core/backup/backups/this")["items"][0]["id"]
    assert any("+" in line and uuid(1) in line for line in client.get(f"core/backup/diff/this/{now}/{before}")["items"])
    assert client.post(f"core/backup/revert_backup/{before}") == {"status": "reverted"}
    assert (uuid(1) in appliance.objects("firewall.rule"), uuid(1) in appliance.runtime("filter")) == (False, True)
    assert client.post("core/backup/revert_backup/nothing") == {"status": "not_found"}


def test_the_old_savepoint_answers_ok_and_saves_nobody(appliance: Simulator, client: Client) -> None:
    revision = client.post("firewall/filter/savepoint")["revision"]
    client.post(f"firewall/filter/set_rule/{uuid(1)}", {"rule": BLOCK})
    client.post(f"firewall/filter/apply/{revision}")
    appliance.clock.advance(61)
    assert not appliance.admits("127.0.0.1")


def test_new_versions_apply_without_a_timer_whatever_follows_the_action() -> None:
    with Simulator("26.7") as appliance:
        client = Client(appliance)
        assert client.status("POST", "firewall/filter/savepoint", {}) == 404
        assert client.post("firewall/filter/apply/1780000000.00") == {"status": "OK\n\n"}


def test_a_writer_without_the_lock_takes_away_what_was_written_meanwhile() -> None:
    with Simulator(race_delay_s=0.15) as appliance:
        client = Client(appliance)
        for number in (1, 2):
            client.post(f"firewall/filter/set_rule/{uuid(number)}", {"rule": RULE})
        mover = threading.Thread(target=client.post, args=(f"firewall/filter/move_rule_before/{uuid(2)}/{uuid(1)}",))
        mover.start()
        while len(appliance.requests) < 2 or appliance.store.clock.now < appliance.requests[-1].at + 0.05:
            pass  # until the mover has come in
        client.post(f"firewall/alias/set_item/{uuid(3)}", {"alias": ALIAS})
        mover.join()
        assert uuid(3) not in appliance.objects("firewall.alias")


def test_writers_with_the_lock_take_nothing_away(appliance: Simulator, client: Client) -> None:
    writers = [
        threading.Thread(target=client.post, args=(f"firewall/category/set_item/{uuid(n)}", {"category": {"name": f"c{n}"}}))
        for n in range(20)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(appliance.objects("firewall.category")) == 20


def test_a_route_that_swallows_answers_cuts_open_connections_as_well(appliance: Simulator, client: Client) -> None:
    """Unlike a rule, which lets go on what is open."""
    client.post(f"routes/routes/setroute/{uuid(1)}", {"route": {"network": "192.168.1.8/29", "gateway": "Null4"}})
    assert appliance.admits("127.0.0.1")
    with pytest.raises(TimeoutError):
        Client(appliance, timeout=0.8).post("routes/routes/reconfigure")
    assert not appliance.admits("127.0.0.1")
    appliance.foreign("del", "routes.route", uuid(1))
    appliance.activate()
    assert client.post("routes/routes/reconfigure") == {"status": "ok"}


def test_clients_behind_a_gateway_are_cut_off_with_it(appliance: Simulator) -> None:
    appliance.running.client_addresses = {"198.51.100.7"}
    gateway = next(iter(appliance.objects("routing.gateway")))
    appliance.foreign("set", "routing.gateway", gateway, {"disabled": "1"})
    assert appliance.running.reaches_clients
    appliance.activate()
    assert not appliance.running.reaches_clients


def test_a_management_interface_on_a_vlan_is_lost_with_its_tag(appliance: Simulator) -> None:
    appliance.begin_with({"interfaces.vlan": [{"if": "igc1", "tag": "10", "vlanif": "vlan01"}]})
    appliance.foreign("set", "interfaces.assignment", "lan", {"if": "vlan01"})
    appliance.running.client_tag = "10"
    appliance.activate()
    assert appliance.admits("127.0.0.1")
    vlan = next(iter(appliance.objects("interfaces.vlan")))
    appliance.foreign("set", "interfaces.vlan", vlan, {"tag": "20"})
    appliance.activate()
    assert not appliance.admits("127.0.0.1")
