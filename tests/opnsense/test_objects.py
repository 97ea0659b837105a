"""Objects of an appliance as resources: made, changed, removed, taken back, kept and gone back to."""

from __future__ import annotations

from holdfast import Holdfast
from holdfast.testing.opnsense import Simulator
from tests.opnsense.conftest import PlanOf, absent, alias, calls, named, ports, rule, writes

FAIL = {"command": ["false"], "on": "local"}


def test_a_plan_makes_its_objects_and_activates_each_group_once(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    web = rule("web", 443, values={"destination_net": "servers"})
    result = hf.apply(plan_of(alias("servers", "10.0.0.1", "10.0.0.2"), web, rule("ssh", 22)))
    assert (result.ending, result.errors) == ("committed", [])
    assert ports(sim) == {"web": "443", "ssh": "22"}
    assert sim.objects("firewall.alias")[named(sim, "firewall.alias")["servers"]]["content"] == "10.0.0.1\n10.0.0.2"
    assert len(writes(sim)) == 3
    assert (calls(sim, "alias/reconfigure"), calls(sim, "filter/apply")) == (1, 1)


def test_applying_it_again_writes_nothing_and_looks_once_per_type(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    plan = plan_of(alias("servers", "10.0.0.1"), rule("ssh", 22))
    hf.apply(plan)
    done, searched = len(writes(sim)), calls(sim, "alias/search_item")
    assert hf.apply(plan).ending == "unchanged"
    assert (len(writes(sim)), calls(sim, "alias/search_item")) == (done, searched + 1)


def test_a_failure_elsewhere_takes_everything_back_under_the_same_ids(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    hf.apply(plan_of(alias("servers", "10.0.0.1"), rule("ssh", 22), rule("http", 80)))
    aliases, rules = dict(sim.objects("firewall.alias")), dict(sim.objects("firewall.rule"))
    changed = plan_of(
        alias("servers", "10.0.0.9", id="servers"),
        rule("ssh", 2222, id="ssh"),
        absent("firewall.rule", "http", id="http"),
        rule("https", 443, id="https"),
        {**FAIL, "needs": ["servers", "ssh", "http", "https"]},
    )
    result = hf.apply(changed)
    assert (result.ending, result.residue) == ("rolled_back", [])
    assert dict(sim.objects("firewall.alias")) == aliases
    assert dict(sim.objects("firewall.rule")) == rules


def test_a_run_is_rolled_back_later(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    before = dict(sim.objects("firewall.alias"))
    run = hf.apply(plan_of(alias("servers", "10.0.0.1"), rule("ssh", 22)))
    assert hf.rollback(run.run).ending == "rolled_back"
    assert (dict(sim.objects("firewall.alias")), dict(sim.objects("firewall.rule"))) == (before, {})


def test_what_somebody_else_changed_is_not_clobbered(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    run = hf.apply(plan_of(alias("servers", "10.0.0.1")))
    uuid = named(sim, "firewall.alias")["servers"]
    hf.apply(plan_of(alias("servers", "10.0.0.7"), name="another"))
    assert hf.rollback(run.run).ending == "stuck"
    assert sim.objects("firewall.alias")[uuid]["content"] == "10.0.0.7"


def test_a_reference_to_a_step_is_the_id_of_its_object_and_orders_the_two(
    hf: Holdfast, sim: Simulator, plan_of: PlanOf
) -> None:
    guests = rule("guests", 53, values={"categories": [{"ref": "guests"}]})
    result = hf.apply(plan_of(guests, {"opnsense.firewall.category": "Guests", "id": "guests"}))
    assert (result.ending, result.errors) == ("committed", [])
    (found,) = sim.objects("firewall.rule").values()
    assert found["categories"] == named(sim, "firewall.category")["Guests"]


def test_a_checkpoint_brings_back_the_rules_with_their_ids(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    hf.apply(plan_of(rule("ssh", 22), rule("http", 80)))
    ids = named(sim, "firewall.rule", "description")
    hf.checkpoint_create("before")
    hf.apply(plan_of(rule("ssh", 2222), absent("firewall.rule", "http"), rule("https", 443)))
    assert ports(sim) == {"ssh": "2222", "https": "443"}
    restored = hf.checkpoint_restore("before")
    assert (restored.ending, restored.errors) == ("committed", [])
    assert ports(sim) == {"ssh": "22", "http": "80"}
    assert named(sim, "firewall.rule", "description") == ids


def test_drift_tells_what_somebody_changed(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    hf.apply(plan_of(rule("ssh", 22)))
    assert hf.drift() == []
    uuid = named(sim, "firewall.rule", "description")["ssh"]
    sim.store.config["firewall.rule"] = {uuid: {**sim.objects("firewall.rule")[uuid], "destination_port": "23"}}
    (found,) = hf.drift()
    assert (found["resource"], found["found"]["values"]["destination_port"]) == ("edge:firewall.rule/ssh", "23")


def test_a_rule_deleted_while_it_is_changed_does_not_come_to_life_as_one_that_lets_everything_pass(
    hf: Holdfast, sim: Simulator, plan_of: PlanOf
) -> None:
    hf.apply(plan_of(rule("ssh", 22)))
    applied = calls(sim, "filter/apply")
    sim.arm("foreign_delete_of_ours", path="set_rule", nth=1)
    result = hf.apply(plan_of(rule("ssh", 22, values={"log": True})))
    assert (result.ending, result.errors[0]["code"]) == ("stuck", "foreign_change")
    assert result.residue[0]["resource"] == "edge:firewall.rule/ssh"
    assert calls(sim, "filter/apply") == applied
