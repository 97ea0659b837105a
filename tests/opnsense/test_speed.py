"""What a large plan costs the appliance, counted in calls."""

from __future__ import annotations

from holdfast import Holdfast
from holdfast.testing.opnsense import Simulator
from tests.opnsense.conftest import PlanOf, alias, calls, rule, writes


def test_a_large_plan_writes_each_object_once_and_activates_each_group_once(
    hf: Holdfast, sim: Simulator, plan_of: PlanOf
) -> None:
    plan = plan_of(*(alias(f"a{n}", f"10.0.0.{n + 1}") for n in range(50)), *(rule(f"rule {n}", n + 1) for n in range(200)))
    assert hf.apply(plan).ending == "committed"
    assert len(writes(sim)) == 250
    assert (calls(sim, "alias/reconfigure"), calls(sim, "filter/apply")) == (1, 1)
    assert calls(sim, "/get_item/") + calls(sim, "/get_rule/") == 0
    searched = calls(sim, "alias/search_item")
    assert hf.apply(plan).ending == "unchanged"
    assert (len(writes(sim)), calls(sim, "alias/search_item")) == (250, searched + 1)
