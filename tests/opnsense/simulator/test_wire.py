"""Routing, authentication, privileges, bodies, connections: in the appliance's order and with its answers."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sys
import urllib.request

import pytest

from holdfast.testing.opnsense import Certificate, Simulator
from holdfast.testing.opnsense.users import DISABLED, NARROW, READER
from tests.opnsense.simulator.client import ALIAS, RULE, Client, uuid


def test_an_endpoint_that_is_missing_says_so_before_anybody_is_asked_who_they_are(appliance: Simulator) -> None:
    stranger = Client(appliance, "nobody", "nothing")
    assert stranger.status("GET", "interfaces/vlan/search_item") == 404
    assert stranger.status("GET", "firewall/alias/search_item") == 401
    assert stranger.status("POST", "firewall/alias/set_item") == 404


def test_a_disabled_key_is_no_key(appliance: Simulator) -> None:
    assert Client(appliance, DISABLED.key, DISABLED.secret).status("GET", "firewall/alias/search_item") == 401


def test_a_narrow_key_may_only_what_its_patterns_cover_in_the_spelling_of_the_version(appliance: Simulator) -> None:
    narrow = Client(appliance, NARROW.key, NARROW.secret)
    assert narrow.status("GET", "firewall/alias/search_item") == 200
    assert narrow.status("GET", "firewall/filter/search_rule") == 403
    assert narrow.status("GET", "firewall/Alias/search_item") == 403
    with Simulator("25.1") as older:
        old = Client(older, NARROW.key, NARROW.secret)
        assert old.status("GET", "diagnostics/system/systemInformation") == 200
        assert old.status("GET", "diagnostics/system/system_information") == 403


def test_a_reader_can_be_told_without_writing_and_is_refused_when_it_writes(appliance: Simulator) -> None:
    reader = Client(appliance, READER.key, READER.secret)
    status, body = reader.ask("GET", "core/backup/revert_backup/none")
    assert (status, "errorTitle" in json.loads(body)) == (500, True)
    status, body = reader.ask("POST", f"firewall/alias/set_item/{uuid(1)}", {"alias": ALIAS})
    assert (status, "errorTitle" in json.loads(body)) == (500, True)
    assert uuid(1) not in appliance.objects("firewall.alias")


def test_names_in_the_path_can_be_written_in_two_ways(client: Client) -> None:
    for action in ("search_item", "searchItem", "searchitem"):
        assert "rows" in client.get(f"firewall/alias/{action}")


def test_json_without_a_body_is_refused_and_with_a_broken_one_seen_as_nothing(client: Client) -> None:
    assert client.status("GET", "firewall/alias/search_item", **{"Content-Type": "application/json"}) == 400
    broken = client.ask("POST", "firewall/alias/add_item", "no object")
    assert json.loads(broken[1]) == {"result": "failed"}


def test_a_body_of_another_type_is_not_read(client: Client) -> None:
    answer = client.ask("POST", "firewall/alias/add_item", {"alias": ALIAS}, **{"Content-Type": "text/plain"})
    assert json.loads(answer[1]) == {"result": "failed"}


def test_one_controller_swallows_names_it_does_not_know(client: Client) -> None:
    assert client.ask("GET", "unbound/settings/nonsense") == (200, b"")


def test_slashes_are_escaped_and_markup_in_errors_too(client: Client) -> None:
    client.post(f"firewall/alias/set_item/{uuid(1)}", {"alias": ALIAS | {"type": "network", "content": "10.0.0.0/8"}})
    assert b"10.0.0.0\\/8" in client.ask("GET", f"firewall/alias/get_item/{uuid(1)}")[1]
    rule = RULE | {"destination_net": "web", "description": "<b>"}
    client.post(f"firewall/filter/set_rule/{uuid(2)}", {"rule": rule})
    assert b"&lt;b&gt;" in client.ask("POST", f"firewall/alias/del_item/{uuid(1)}", {})[1]


def test_a_connection_ends_after_fifteen_requests(appliance: Simulator, client: Client) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", appliance.port, timeout=5)
    endings = []
    for _ in range(15):
        connection.request("GET", "/api/core/system/status", headers=client.headers)
        answer = connection.getresponse()
        answer.read()
        endings.append(answer.will_close)
    connection.close()
    assert endings == [False] * 14 + [True]


def test_it_serves_https_with_a_certificate_that_can_be_trusted() -> None:
    with Simulator(tls=Certificate.self_signed()) as appliance:
        assert appliance.tls
        trusting = ssl.create_default_context(cadata=appliance.tls.pem)
        connection = http.client.HTTPSConnection("127.0.0.1", appliance.port, timeout=5, context=trusting)
        connection.request("GET", "/api/core/firmware/info")
        assert connection.getresponse().status == 401
        connection.close()


def test_the_same_seed_gives_the_same_world_to_the_byte() -> None:
    seen = []
    for _ in range(2):
        with Simulator(seed=7) as appliance:
            Client(appliance).post("firewall/alias/add_item", {"alias": ALIAS})
            seen.append(appliance.revisions[0].xml)
    assert seen[0] == seen[1]


def test_the_control_port_arms_faults_looks_inside_and_starts_over(appliance: Simulator, client: Client) -> None:
    control(appliance, "POST", "/arm", {"fault": "html_502", "path": "alias"})
    assert client.status("POST", f"firewall/alias/set_item/{uuid(1)}", {"alias": ALIAS}) == 502
    assert control(appliance, "GET", "/calls")[0]["status"] == 502
    rule = {"match": {"path": "alias"}, "phase": "after_save", "do": [{"status": 500, "body": "empty"}]}
    control(appliance, "PUT", "/faults", [rule])
    assert client.ask("POST", f"firewall/alias/set_item/{uuid(1)}", {"alias": ALIAS}) == (500, b"")
    assert uuid(1) in control(appliance, "GET", "/state")["config"]["firewall.alias"]
    control(appliance, "POST", "/reset")
    assert uuid(1) not in appliance.objects("firewall.alias")
    assert control(appliance, "GET", "/calls") == []


@pytest.mark.parametrize("body", [{"fault": "unheard_of"}, {}], ids=["unknown", "none"])
def test_the_control_port_says_what_it_does_not_know(appliance: Simulator, body: dict[str, str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", appliance.control_port, timeout=5)
    connection.request("POST", "/arm", json.dumps(body))
    answer = connection.getresponse()
    assert (answer.status, b"fault" in answer.read()) == (400, True)
    connection.close()


def test_it_runs_as_a_program_and_says_where() -> None:
    command = [sys.executable, "-m", "holdfast.testing.opnsense", "--profile", "26.7"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout
        said = json.loads(program.stdout.readline())
        with urllib.request.urlopen(f"{said['control']}/state", timeout=5) as answer:
            assert json.load(answer)["profile"] == "26.7"
        program.terminate()
        assert program.wait(5) == 0


def control(appliance: Simulator, method: str, path: str, body: object = None) -> object:
    connection = http.client.HTTPConnection("127.0.0.1", appliance.control_port, timeout=5)
    connection.request(method, path, json.dumps({} if body is None else body))
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer
