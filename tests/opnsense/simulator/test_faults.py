"""Each named fault: what the client sees, and what has become of the configuration."""

from __future__ import annotations

import http.client
import json
from typing import Final

import pytest

from holdfast.testing.opnsense import SCENARIOS, Simulator
from tests.opnsense.simulator.client import ALIAS, RULE, Client, uuid

LOST: Final = "lost"
SET: Final = f"firewall/alias/set_item/{uuid(1)}"
# What one write under the fault is answered, and whether it was made.
ONE_WRITE: Final[dict[str, tuple[object, bool]]] = {
    "http_500_before_write": (500, False),
    "http_500_after_write": (500, True),
    "timeout_before_write": (LOST, False),
    "timeout_after_write": (LOST, True),
    "reset_before_request_read": (LOST, False),
    "reset_after_write": (LOST, True),
    "truncated_success_body": (LOST, True),
    "html_502": (502, False),
    "html_200": (200, True),
    "slow_response": (200, True),
    "slow_lock": (200, True),
    "validation_failure": (200, False),
    "ok_without_writing": (200, False),
    "read_only_user": (500, False),
    "duplicate_delivery": (200, True),
    "version_upgrade_between_plan_and_apply": (LOST, False),
}


@pytest.mark.parametrize("fault", ONE_WRITE)
def test_a_write_is_answered_and_made_as_the_fault_says(appliance: Simulator, fault: str) -> None:
    appliance.arm(fault)
    client = Client(appliance, timeout=0.8 if fault.startswith("timeout") else 30)
    assert (seen(client), uuid(1) in appliance.objects("firewall.alias")) == ONE_WRITE[fault]


def test_the_second_write_after_a_key_is_revoked_is_not_let_in(appliance: Simulator, client: Client) -> None:
    appliance.arm("auth_401_midway")
    assert [client.status("POST", SET, {"alias": ALIAS}) for _ in range(3)] == [200, 401, 401]


def test_deleting_can_be_forbidden_while_writing_is_not(appliance: Simulator, client: Client) -> None:
    appliance.arm("forbidden_403_on_undo")
    assert client.status("POST", SET, {"alias": ALIAS}) == 200
    assert client.status("POST", f"firewall/alias/del_item/{uuid(1)}", {}) == 403


def test_an_item_can_be_said_to_be_in_use(appliance: Simulator, client: Client) -> None:
    client.post(SET, {"alias": ALIAS})
    appliance.arm("in_use_refusal")
    status, body = client.ask("POST", f"firewall/alias/del_item/{uuid(1)}", {})
    assert (status, "errorTitle" in json.loads(body)) == (500, True)


@pytest.mark.parametrize(("fault", "runs"), [("configd_down", False), ("configd_timeout", True)])
def test_a_backend_that_does_not_answer_gives_an_empty_status(appliance: Simulator, fault: str, runs: bool) -> None:
    client = Client(appliance)
    client.post(f"firewall/filter/set_rule/{uuid(1)}", {"rule": RULE})
    appliance.arm(fault)
    assert client.post("firewall/filter/apply") == {"status": ""}
    assert (uuid(1) in appliance.runtime("filter")) is runs


@pytest.mark.parametrize("fault", ["pf_load_fails", "ok_without_activating"])
def test_an_activation_can_say_ok_and_do_nothing(appliance: Simulator, client: Client, fault: str) -> None:
    client.post(f"firewall/filter/set_rule/{uuid(1)}", {"rule": RULE})
    appliance.arm(fault)
    assert client.post("firewall/filter/apply") == {"status": "OK\n\n"}
    assert uuid(1) not in appliance.runtime("filter")
    client.post("firewall/filter/apply")
    assert uuid(1) in appliance.runtime("filter")


def test_haproxy_can_refuse_one_configuration(appliance: Simulator, client: Client) -> None:
    client.post(f"haproxy/settings/set_server/{uuid(1)}", {"server": {"name": "s"}})
    appliance.arm("haproxy_invalid")
    client.post("haproxy/service/reconfigure")
    assert uuid(1) not in appliance.runtime("haproxy")


def test_a_service_can_flap(appliance: Simulator, client: Client) -> None:
    appliance.arm("service_flaps")
    client.post("kea/service/reconfigure")
    assert [client.get("kea/service/status")["status"] for _ in range(3)] == ["stopped", "running", "stopped"]


def test_somebody_else_sets_deletes_and_applies(appliance: Simulator, client: Client) -> None:
    client.post(SET, {"alias": ALIAS})
    appliance.foreign("set", fields={"description": "mine now"})
    assert appliance.objects("firewall.alias")[uuid(1)]["description"] == "mine now"
    assert appliance.revisions[0].username.startswith("somebody@")
    appliance.foreign("apply")
    assert uuid(1) in appliance.runtime("alias")
    appliance.foreign("del")
    assert uuid(1) not in appliance.objects("firewall.alias")


@pytest.mark.parametrize(
    ("fault", "configured", "runs"),
    [("foreign_apply_of_half_state", True, True), ("foreign_delete_of_ours", False, False)],
)
def test_somebody_else_comes_between_two_of_our_writes(
    appliance: Simulator, client: Client, fault: str, configured: bool, runs: bool
) -> None:
    appliance.arm(fault)
    client.post(SET, {"alias": ALIAS})
    client.post(f"firewall/category/set_item/{uuid(2)}", {"category": {"name": "c"}})
    assert (uuid(1) in appliance.objects("firewall.alias"), uuid(1) in appliance.runtime("alias")) == (configured, runs)


def test_somebody_else_can_write_between_two_of_ours(appliance: Simulator, client: Client) -> None:
    appliance.arm("foreign_write_between")
    client.post(SET, {"alias": ALIAS})
    client.post(f"firewall/category/set_item/{uuid(2)}", {"category": {"name": "c"}})
    assert appliance.objects("firewall.alias")[uuid(1)]["description"] == "changed by somebody else"


def test_a_reboot_makes_run_what_is_half_written(appliance: Simulator, client: Client) -> None:
    appliance.arm("reboot_mid_commit")
    client.post(SET, {"alias": ALIAS})
    assert seen(client, f"firewall/alias/set_item/{uuid(2)}") == LOST
    assert uuid(1) in appliance.runtime("alias")


def test_the_history_can_be_pruned_under_way(appliance: Simulator, client: Client) -> None:
    appliance.arm("history_pruned", nth=1)
    client.post(SET, {"alias": ALIAS})
    assert len(appliance.revisions) == 2


def test_a_connection_that_is_used_again_can_end_under_the_request(appliance: Simulator, client: Client) -> None:
    appliance.arm("keepalive_race")
    connection = http.client.HTTPConnection("127.0.0.1", appliance.port, timeout=5)
    connection.request("GET", "/api/core/system/status", headers=client.headers)
    connection.getresponse().read()
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.request("POST", f"/api/{SET}", "{}", client.headers)
        connection.getresponse()
    connection.close()
    assert seen(client) == 200


def test_an_upgrade_turns_the_flag_of_a_route_round(appliance: Simulator, client: Client) -> None:
    route = {"network": "10.50.0.0/16", "gateway": "WAN_GW", "disabled": "1"}
    client.post(f"routes/routes/setroute/{uuid(1)}", {"route": route})
    appliance.become("26.7")
    assert appliance.objects("routes.route")[uuid(1)]["enabled"] == "0"


def test_every_named_fault_is_tried_here() -> None:
    assert set(SCENARIOS) <= set(ONE_WRITE) | {
        *("auth_401_midway", "forbidden_403_on_undo", "in_use_refusal", "configd_down", "configd_timeout", "pf_load_fails"),
        *("ok_without_activating", "haproxy_invalid", "service_flaps", "foreign_write_between", "foreign_delete_of_ours"),
        *("foreign_apply_of_half_state", "reboot_mid_commit", "history_pruned", "keepalive_race"),
    }


def seen(client: Client, path: str = SET) -> object:
    """The status of one write, or that no whole answer came."""
    try:
        return client.status("POST", path, {"alias": ALIAS})
    except (http.client.HTTPException, OSError):
        return LOST


def test_an_upgrade_to_the_version_that_is_there_changes_nothing() -> None:
    appliance = Simulator("26.7")
    before = appliance.store.config
    appliance.become("26.7")
    assert appliance.store.config is before


def test_a_rule_through_the_control_port_may_leave_out_what_it_does_not_mean(appliance: Simulator, client: Client) -> None:
    match = {"method": "POST", "path": "/set_item/", "nth": 1, "header": {}, "body_contains": None, "times": 1}
    rule = {"match": match, "phase": "before_action", "do": [{"validations": {"alias.name": "not today"}}]}
    control = http.client.HTTPConnection("127.0.0.1", appliance.control_port, timeout=5)
    control.request("PUT", "/faults", json.dumps([rule]))
    assert control.getresponse().status == 200
    control.close()
    assert client.post(SET, {"alias": ALIAS}) == {"result": "failed", "validations": {"alias.name": "not today"}}
    assert client.post(SET, {"alias": ALIAS}) == {"result": "saved"}
