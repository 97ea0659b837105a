"""A plan that shuts its own author out takes itself back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast import Holdfast
from holdfast.testing.crash_opnsense import IMPATIENT, Bench, restless
from holdfast.testing.opnsense import Simulator
from tests.opnsense.conftest import PlanOf, ports, rule

SHUT = {
    "opnsense.firewall.rule": "Block everybody",
    "values": {"interface": "lan", "action": "block", "protocol": "any", "sequence": 1},
}


@pytest.fixture
def hf(tmp_path: Path) -> Iterator[Holdfast]:
    """Nobody is let in any more: how long that is waited for is not the matter here."""
    with restless(str(tmp_path / "state"), limits=IMPATIENT) as engine:
        yield engine


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


def test_a_route_that_cuts_every_connection_ends_stuck_and_is_finished_when_somebody_has_helped(tmp_path: Path) -> None:
    """Answers do not find their way back, on no connection: what could not be undone is named, and undone later."""
    bench = Bench(str(tmp_path), "26.1")
    bench.keep_secrets()
    swallow = {"opnsense.routes.route": "192.168.1.8/29", "values": {"gateway": "Null4"}}
    with bench.running():
        bench.renew()
        with bench.engine() as engine:
            result = engine.apply(bench.plan([swallow]))
            assert (result.ending, result.residue[0]["resource"]) == ("stuck", "edge:routes.route/192.168.1.8/29")
            assert [again.ending for again in engine.recover()] == ["stuck"]
            bench.simulator.running.take("route", bench.simulator.revisions[-1].config)  # by the console, until it reboots
            assert [again.ending for again in engine.recover()] == ["rolled_back"]
            assert engine.recover() == []
        assert (bench.world(), bench.simulator.pending) == (bench.found, [])
