"""What an activation is said to have done is looked for in what runs, group by group, and a lie is found out."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from holdfast import Holdfast
from holdfast.testing.opnsense import Simulator
from tests.opnsense.conftest import PlanOf

LIE = "ok_without_activating"


class Case(NamedTuple):
    """An object, a change of it, the group that activates it, and the call that does."""

    kind: str
    name: str
    values: dict[str, Any]
    changed: dict[str, Any]
    group: str
    call: str

    def step(self, values: dict[str, Any] | None) -> dict[str, Any]:
        key = {f"opnsense.{self.kind}": self.name}
        return {**key, "state": "absent"} if values is None else {**key, "values": values}


VLAN = Case("interfaces.vlan", "igc3/30", {"descr": "guests"}, {"descr": "visitors"}, "vlan", "vlan_settings/reconfigure")
ROUTE = Case("routes.route", "10.9.0.0/16", {"gateway": "WAN_GW"}, {"gateway": "Null4"}, "route", "routes/reconfigure")
HOST = Case(
    "unbound.host", "www.example.org", {"server": "10.0.0.8"}, {"server": "10.0.0.9"}, "unbound", "unbound/service/reconf"
)
FRONT = Case("haproxy.frontend", "web", {"bind": "10.0.0.1:80"}, {"bind": "10.0.0.1:81"}, "haproxy", "haproxy/service/reconf")
LOST = (VLAN, ROUTE)  # made effective once; what does not take is taken back
HEALED = (HOST, FRONT)  # services are activated once more before they are given up


@pytest.mark.parametrize("case", LOST, ids=lambda case: case.group)
def test_what_was_activated_and_is_not_there_is_taken_back(case: Case, hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    sim.arm(LIE, path=case.call)
    result = hf.apply(plan_of(case.step(case.values)))
    assert (result.ending, result.errors[0]["code"]) == ("rolled_back", "api_rejected")
    assert (len(sim.objects(case.kind)), sim.pending) == (0, [])


@pytest.mark.parametrize("case", LOST, ids=lambda case: case.group)
def test_what_was_deleted_and_is_still_there_is_told(case: Case, hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    hf.apply(plan_of(case.step(case.values)))
    sim.arm(LIE, path=case.call)
    result = hf.apply(plan_of(case.step(None)))
    assert (result.ending, "is still" in result.errors[0]["message"]) == ("rolled_back", True)
    assert (len(sim.objects(case.kind)), sim.pending) == (1, [])


def test_a_route_that_still_goes_by_the_gateway_it_had_is_told(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    hf.apply(plan_of(ROUTE.step(ROUTE.values)))
    sim.arm(LIE, path=ROUTE.call)
    assert hf.apply(plan_of(ROUTE.step(ROUTE.changed))).ending == "rolled_back"


@pytest.mark.parametrize("case", HEALED, ids=lambda case: case.group)
def test_a_service_that_goes_on_with_what_it_had_is_activated_once_more(
    case: Case, hf: Holdfast, sim: Simulator, plan_of: PlanOf
) -> None:
    for values in (case.values, case.changed, None):
        sim.arm(LIE, path=case.call)
        assert hf.apply(plan_of(case.step(values))).ending == "committed"
        assert sim.pending == []


@pytest.mark.parametrize("case", HEALED, ids=lambda case: case.group)
def test_a_service_that_never_takes_its_configuration_is_told(
    case: Case, hf: Holdfast, sim: Simulator, plan_of: PlanOf
) -> None:
    sim.arm(LIE, path=case.call, times=2)
    result = hf.apply(plan_of(case.step(case.values)))
    assert (result.ending, result.errors[0]["code"], sim.pending) == ("rolled_back", "api_rejected", [])


def test_what_the_key_may_not_look_at_is_not_held_against_the_appliance(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    forbidden = {"do": {"status": 403, "body": "forbidden"}, "method": "", "times": 0}
    for path in ("listlocaldata", "interfaces_info", "get_routes", "export/diff", "statistics/counters"):
        sim.arm("forbidden_403_on_undo", path=path, **forbidden)
    assert hf.apply(plan_of(*(case.step(case.values) for case in (VLAN, ROUTE, HOST, FRONT)))).ending == "committed"
