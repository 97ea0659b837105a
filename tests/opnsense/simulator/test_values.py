"""Whatever stands in a field, the appliance takes it or says what is wrong with it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from holdfast.testing.opnsense import Simulator
from holdfast.testing.opnsense.collection import joined
from holdfast.testing.opnsense.resource import Resource, nested
from holdfast.testing.opnsense.routes import RESOURCES
from holdfast.testing.opnsense.wire import Request
from tests.opnsense.simulator.client import uuid, word

ODD = ["", "1", "-1", "10.0.0.1/33", "a,b", "2-1", "::1", "1.2.3.4%x", "²", "a\nb", "x" * 300, "[", "*", "٣"]
NEEDED = {"if": "igc1", "tag": "5", "network": "10.0.0.0/8", "ifname": "inside"}  # without these some fail by design


@pytest.mark.parametrize("resource", RESOURCES.values(), ids=list(RESOURCES))
def test_no_value_makes_the_appliance_fail(resource: Resource) -> None:
    appliance = Simulator("26.7")
    headers = {"authorization": f"Basic {word(appliance.key, appliance.secret)}", "content-type": "application/json"}
    action = "setroute" if resource.path == "routes.route" else joined("set", resource.suffix)
    for field in resource.fields_of(appliance.profile).values():
        for value in ODD:
            body = {resource.wrapper: needed(resource) | nested({field.name: value})}
            uri = f"/api/{resource.at}/{action}/{uuid(1)}"
            answer = appliance.handle(Request("POST", uri, headers, json.dumps(body).encode()))
            assert answer.status == 200, (field.name, value, answer.body)
            assert json.loads(answer.body)["result"] in ("saved", "failed")


def needed(resource: Resource) -> dict[str, Any]:
    return {field.name: NEEDED[field.name] for field in resource.fields if field.name in NEEDED}


@pytest.mark.parametrize(
    ("entry", "kind", "fits"),
    [
        ("10.0.0.1", "host", True),
        ("10.0.0.1-10.0.0.9", "host", True),
        ("10.0.0.0/8", "host", False),
        ("!10.0.0.0/8", "network", True),
        ("10.0.0.0/0.0.255.255", "network", True),
        ("80:90", "port", True),
        ("80-90", "port", False),
        ("90:80", "port", False),
        ("https", "port", True),
        ("bogons", "networkgroup", True),
        ("nobody", "networkgroup", False),
        ("00:11:22", "mac", True),
        ("DE", "geoip", True),
        ("::1000", "dynipv6host", False),  # without an interface
        ("anything at all", "url", True),
    ],
)
def test_what_an_alias_may_hold_depends_on_its_type(entry: str, kind: str, fits: bool) -> None:
    assert saves("firewall/alias/add_item", {"alias": {"name": "mine", "type": kind, "content": entry}}) is fits


@pytest.mark.parametrize(
    ("rule", "blamed"),
    [
        ({"destination_port": "22"}, "destination_port"),
        ({"source_net": "::1"}, "source_net"),
        ({"source_net": "10.0.0.1", "ipprotocol": "inet46"}, "source_net"),
        ({"source_net": "lan,any"}, "source_net"),
        ({"source_net": "lan,10.0.0.1"}, "source_net"),
        ({"source_net": "lan,wan", "source_not": "1"}, "source_not"),
        ({"destination_net": "lan,wan", "destination_not": "1"}, "destination_net"),
        ({"interfacenot": "1", "interface": "lan,wan"}, "interfacenot"),
        ({"icmptype": "echoreq"}, "icmptype"),
        ({"statetimeout": "30"}, "statetimeout"),
        ({"protocol": "TCP", "statetype": "none", "max": "5"}, "max"),
        ({"protocol": "TCP", "max-src-conn-rate": "5"}, "max-src-conn-rates"),
        ({"adaptivestart": "5"}, "adaptiveend"),
        ({"protocol": "TCP", "tcpflags1": "syn"}, "tcpflags2"),
        ({"set-prio-low": "1"}, "set-prio-low"),
        ({"gateway": "WAN_GW", "replyto": "WAN_GW"}, "replyto"),
        ({"max": "0"}, "max"),
        ({"max": "01"}, "max"),
        ({"description": "ä" * 128}, "description"),
        ({"tag": "two words"}, "tag"),
        ({"enabled": False}, "enabled"),
    ],
)
def test_a_rule_is_refused_with_the_field_that_is_to_blame(rule: dict[str, Any], blamed: str) -> None:
    assert list(asked("firewall/filter/add_rule", {"rule": rule})["validations"]) == [f"rule.{blamed}"]


def saves(path: str, body: dict[str, Any]) -> bool:
    return asked(path, body)["result"] == "saved"


def asked(path: str, body: dict[str, Any]) -> Any:
    appliance = Simulator("26.7")
    headers = {"authorization": f"Basic {word(appliance.key, appliance.secret)}", "content-type": "application/json"}
    return json.loads(appliance.handle(Request("POST", f"/api/{path}", headers, json.dumps(body).encode())).body)
