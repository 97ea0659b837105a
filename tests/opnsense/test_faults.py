"""Whatever an appliance does to its client: the world is old or new, and nothing is there twice."""

from __future__ import annotations

import pytest

from holdfast import Holdfast
from holdfast.testing.opnsense import Simulator
from tests.opnsense.conftest import PlanOf, absent, alias, ports, rule

ANSWERED_BADLY = (
    "http_500_after_write",
    "http_500_before_write",
    "reset_after_write",
    "reset_before_request_read",
    "truncated_success_body",
    "html_502",
    "validation_failure",
    "foreign_write_between",
    "duplicate_delivery",
    "keepalive_race",
    "pf_load_fails",
    "configd_down",
)


def world(sim: Simulator) -> dict[str, dict[str, dict[str, str]]]:
    return {
        path: {uuid: dict(values) for uuid, values in sim.objects(path).items()} for path in ("firewall.alias", "firewall.rule")
    }


def ours(sim: Simulator) -> list[str]:
    return sorted(values["name"] for values in sim.objects("firewall.alias").values() if values["name"].startswith("s_"))


@pytest.mark.parametrize("fault", ANSWERED_BADLY)
def test_the_world_is_old_or_new(fault: str, hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    hf.apply(plan_of(alias("s_one", "10.0.0.1"), rule("ssh", 22), rule("http", 80)))
    before = world(sim)
    sim.arm(fault)
    changed = (alias("s_one", "10.0.0.2"), alias("s_two", "10.0.0.3"), rule("ssh", 2222), absent("firewall.rule", "http"))
    result = hf.apply(plan_of(*changed))
    sim.disarm()
    if result.ending == "committed":
        assert ports(sim) == {"ssh": "2222"}
        assert ours(sim) == ["s_one", "s_two"]
    else:
        assert result.ending in ("rolled_back", "refused")
        left = world(sim)
        for path, objects in before.items():
            assert {uuid: left[path].get(uuid) for uuid in objects} == objects
        assert ours(sim) == ["s_one"]


def test_an_activation_that_lies_is_found_out(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    sim.arm("pf_load_fails")
    result = hf.apply(plan_of(rule("ssh", 22)))
    assert (result.ending, result.errors[0]["code"]) == ("rolled_back", "api_rejected")
    assert ports(sim) == {}


def test_a_revoked_key_is_told_before_anything_is_touched(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    sim.users.pop(sim.key)
    result = hf.apply(plan_of(rule("ssh", 22)))
    assert (result.ending, result.errors[0]["code"]) == ("refused", "auth_failed")


def test_a_lost_answer_and_somebody_elses_change_are_told_apart_by_the_history(
    hf: Holdfast, sim: Simulator, plan_of: PlanOf
) -> None:
    """The rule was made, the answer was lost, and somebody changed it before it could be read: it is not forgotten."""
    sim.arm("reset_after_write", path="set_rule")
    sim.arm("foreign_write_between", path="get_rule/", method="GET", nth=1)
    result = hf.apply(plan_of(rule("ssh", 22)))
    assert (result.ending, result.residue[0]["resource"]) == ("stuck", "edge:firewall.rule/ssh")
    assert "changed by somebody else" in next(iter(sim.objects("firewall.rule").values()))["description"]


def test_a_refused_write_and_somebody_elses_change_are_told_apart_by_the_history(
    hf: Holdfast, sim: Simulator, plan_of: PlanOf
) -> None:
    hf.apply(plan_of(rule("ssh", 22)))
    sim.arm("reset_before_request_read", path="set_rule")
    sim.arm(
        "foreign_write_between", path="get_rule/", method="GET", nth=1, do={"foreign": {"do": "set", "fields": {"log": "1"}}}
    )
    result = hf.apply(plan_of(rule("ssh", 2222), name="other"))
    assert (result.ending, ports(sim)) == ("rolled_back", {"ssh": "22"})
