"""What a failure means for the rest of a plan on an appliance, by policy; and what is told on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from holdfast import Holdfast
from holdfast.testing.opnsense import Simulator
from tests.opnsense.conftest import PlanOf, alias, named, ports, rule

STAGES = [
    {"name": "names", "steps": [alias("servers", "10.0.0.1")]},
    {"name": "rules", "steps": [rule("one", 1, id="one"), rule("two", 2, id="two"), rule("three", 3, id="three")]},
    {"name": "last", "steps": [rule("four", 4, id="four")]},
]


def staged(plan_of: PlanOf, **policy: Any) -> Any:
    return plan_of(stages=STAGES, policy=policy)


def states(result: Any) -> Mapping[str, str]:
    return {step["id"]: step["state"] for task in result.tasks for stage in task["stages"] for step in stage["steps"]}


@pytest.mark.parametrize(
    ("policy", "ending", "left"),
    [
        ("rollback", "rolled_back", set()),
        ("stop", "partial", {"one"}),
        ("continue", "partial", {"one", "three"}),
    ],
)
def test_a_failure_means_what_the_policy_says(
    policy: str, ending: str, left: set[str], hf: Holdfast, sim: Simulator, plan_of: PlanOf
) -> None:
    sim.arm("validation_failure", path="set_rule", nth=2)
    result = hf.apply(staged(plan_of, on_failure=policy))
    assert (result.ending, list(result.failed)) == (ending, ["two"])
    assert left <= set(ports(sim)) <= left | {"four"}
    assert ("servers" in named(sim, "firewall.alias")) is (policy != "rollback")
    assert sim.pending == []  # what stays, runs
    assert states(result)["two"] in ("failed", "undone")


@pytest.mark.parametrize("policy", ["rollback", "stop", "continue"])
def test_the_option_of_the_command_line_counts_more_than_the_plan(
    policy: str, hf: Holdfast, sim: Simulator, plan_of: PlanOf
) -> None:
    sim.arm("validation_failure", path="set_rule", nth=2)
    other = "rollback" if policy == "stop" else "stop"
    result = hf.apply(staged(plan_of, on_failure=other), on_failure=policy)
    assert result.ending == ("rolled_back" if policy == "rollback" else "partial")
    assert ("one" in ports(sim)) is (policy != "rollback")
    assert sim.pending == []


def test_stages_and_steps_are_told_one_by_one(hf: Holdfast, plan_of: PlanOf) -> None:
    result = hf.apply(staged(plan_of, on_failure="rollback"))
    assert result.ending == "committed"
    journaled = [event["type"] for event in hf.events(result.run)]
    assert journaled.count("stage.started") == journaled.count("stage.completed") == 3
    assert journaled.count("step.applying") == journaled.count("step.applied") == 5
