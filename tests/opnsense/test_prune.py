"""What an earlier plan of the same name managed and this one leaves out goes, but only where the plan says so."""

from __future__ import annotations

from holdfast import Holdfast
from holdfast.testing.opnsense import Simulator
from tests.opnsense.conftest import PlanOf, alias, named, ports, rule

PRUNE = {"prune": True}


def test_what_is_left_out_goes_and_comes_back_with_a_rollback(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    hf.apply(plan_of(alias("servers", "10.0.0.1"), rule("web", 80, values={"destination_net": "servers"}), rule("ssh", 22)))
    ids = named(sim, "firewall.rule", "description")
    pruned = hf.apply(plan_of(rule("ssh", 22), policy=PRUNE))
    assert (pruned.ending, pruned.errors) == ("committed", [])
    assert ports(sim) == {"ssh": "22"}
    assert "servers" not in named(sim, "firewall.alias")
    assert hf.rollback(pruned.run).ending == "rolled_back"
    assert named(sim, "firewall.rule", "description") == ids


def test_without_prune_and_of_other_plans_everything_stays(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    hf.apply(plan_of(rule("ssh", 22)))
    hf.apply(plan_of(rule("http", 80)))
    hf.apply(plan_of(rule("ssh", 22), name="another", policy=PRUNE))
    assert ports(sim) == {"ssh": "22", "http": "80"}


def test_what_would_go_is_shown_before(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    hf.apply(plan_of(rule("ssh", 22), rule("http", 80)))
    preview = hf.plan(plan_of(rule("ssh", 22), policy=PRUNE))
    assert [(change["resource"], change["action"]) for change in preview.changes if change["action"] != "none"] == [
        ("edge:firewall.rule/http", "delete")
    ]
