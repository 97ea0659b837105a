"""A plan that shuts its own author out takes itself back."""

from __future__ import annotations

from holdfast import Holdfast
from holdfast.testing.opnsense import Simulator
from tests.opnsense.conftest import PlanOf, ports, rule

SHUT = {
    "opnsense.firewall.rule": "Block everybody",
    "values": {"interface": "lan", "action": "block", "protocol": "any", "sequence": 1},
}


def test_a_rule_that_blocks_new_connections_is_taken_back(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    hf.apply(plan_of(rule("ssh", 22)))
    result = hf.apply(plan_of(SHUT, name="mistake"))
    assert (result.ending, result.errors[0]["code"]) == ("rolled_back", "unreachable")
    assert ports(sim) == {"ssh": "22"}
    assert sim.pending == []
    assert hf.apply(plan_of(rule("ssh", 2222))).ending == "committed"


def test_a_plan_that_needs_more_requests_than_one_connection_has_is_taken_back_as_well(
    hf: Holdfast, sim: Simulator, plan_of: PlanOf
) -> None:
    """The appliance ends a connection after 15 requests: taking 60 rules back goes over several from before."""
    hf.apply(plan_of(rule("ssh", 22)))
    result = hf.apply(plan_of(*(rule(f"rule {n}", n + 1) for n in range(60)), SHUT, name="mistake"))
    assert (result.ending, result.residue) == ("rolled_back", [])
    assert (ports(sim), sim.pending) == ({"ssh": "22"}, [])
