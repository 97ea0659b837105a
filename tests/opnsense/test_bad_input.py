"""What is wrong is told before anything is touched, all of it, with the values that are allowed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import holdfast
from holdfast import Holdfast, PlanError
from holdfast.testing.opnsense import Simulator
from tests.opnsense.conftest import PlanOf, absent, alias, named, plans_for, ports, rule, writes


def wrong(values: dict[str, Any], kind: str = "firewall.rule", name: str = "it") -> list[tuple[str, str, str]]:
    edge = {"opnsense": "https://fw", "key": {"secret": "env:K"}, "secret": {"secret": "env:S"}}
    step = {f"opnsense.{kind}": name, "values": values}
    with pytest.raises(PlanError) as caught:
        holdfast.parse({"holdfast": 1, "name": "x", "targets": {"edge": edge}, "on": "edge", "steps": [step]})
    return [(problem.code, problem.message, problem.hint) for problem in caught.value.problems]


def test_all_problems_of_a_step_are_told_at_once() -> None:
    found = wrong({"acton": "pass", "action": "permit", "destination_port": "8010-8000", "sequence": 0})
    assert [code for code, _, _ in found] == ["unknown_key", "invalid_value", "invalid_value", "invalid_value"]
    assert "did you mean `action`?" in [hint for _, _, hint in found]
    assert "allowed: pass, block, reject" in [hint for _, _, hint in found]
    assert any("write 8000-8010" in message for _, message, _ in found)


@pytest.mark.parametrize(
    ("kind", "name", "values", "words"),
    [
        ("firewall.alias", "ssh", {"type": "host"}, "cannot name an alias"),
        ("firewall.alias", "9lives", {"type": "host"}, "is no name"),
        ("firewall.alias", "bogons", {"type": "host"}, "of the appliance itself"),
        ("interfaces.vlan", "igc1", {}, "not of the form"),
        ("interfaces.vlan", "igc1/5000", {}, "between 1 and 4094"),
        ("kea.reservation", "printer", {}, "not a MAC address"),
        ("routes.route", "10.0.0.0", {"gateway": "WAN_GW"}, "needs a mask"),
        ("firewall.alias", "box", {"type": "host", "password": "x"}, "holds a secret"),
    ],
)
def test_a_value_that_cannot_be_is_told(kind: str, name: str, values: dict[str, Any], words: str) -> None:
    assert any(words in message for _, message, _ in wrong(values, kind, name))


def refusal(hf: Holdfast, plan: holdfast.Plan) -> tuple[str, str]:
    result = hf.apply(plan)
    assert result.ending == "refused"
    return result.errors[0]["code"], result.errors[0]["message"]


def test_fields_that_do_not_fit_together_are_refused(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    code, message = refusal(hf, plan_of(rule("ssh", 22, values={"protocol": "ICMP", "statetype": "none", "max": 5})))
    assert code == "invalid_value"
    assert "`destination_port` needs `protocol: TCP`" in message and "`max` needs a state" in message
    assert writes(sim) == []


def test_names_of_nothing_are_refused_with_what_there_is(hf: Holdfast, plan_of: PlanOf) -> None:
    assert "is none of" in refusal(hf, plan_of(rule("ssh", 22, values={"interface": "opt9"})))[1]
    assert "neither an alias nor" in refusal(hf, plan_of(rule("ssh", 22, values={"source_net": "nobody"})))[1]


def test_a_vlan_on_no_device_is_refused_with_what_there_is(hf: Holdfast, plan_of: PlanOf) -> None:
    code, message = refusal(hf, plan_of({"opnsense.interfaces.vlan": "lan/30"}))
    assert (code, "`lan` is none of" in message, "igc1" in message) == ("invalid_value", True, True)


def test_a_kind_that_this_version_has_not_is_told_with_the_rest(hf: Holdfast, monkeypatch: pytest.MonkeyPatch) -> None:
    with Simulator("25.1") as sim:
        plan_of = plans_for(sim, monkeypatch)
        nas = {"opnsense.dnsmasq.host": "nas.example.org", "values": {"ip": "10.0.0.7"}}
        result = hf.apply(plan_of(nas, rule("ssh", 22, values={"interface": "opt9"})))
        assert [error["code"] for error in result.errors] == ["unsupported", "invalid_value"]
        assert "since 25.7, and this is 25.1" in result.errors[0]["message"]
        assert hf.apply(plan_of(absent("dnsmasq.host", "nas.example.org"))).ending == "unchanged"


def test_two_objects_of_one_name_are_refused(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    hf.apply(plan_of(rule("ssh", 22)))
    twin = next(iter(sim.objects("firewall.rule").values()))
    sim.foreign("set", "firewall.rule", sim.new_uuid(), dict(twin))
    assert refusal(hf, plan_of(rule("ssh", 2222)))[0] == "conflict"


def test_an_object_in_use_stays(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    hf.apply(plan_of(alias("servers", "10.0.0.1"), rule("web", 80, values={"destination_net": "servers"})))
    result = hf.apply(plan_of(absent("firewall.alias", "servers"), name="another"))
    assert (result.ending, result.errors[0]["code"]) in (("rolled_back", "api_rejected"), ("refused", "conflict"))
    assert "servers" in named(sim, "firewall.alias")


def test_a_field_of_a_later_version_is_refused(hf: Holdfast, plan_of: PlanOf) -> None:
    code, message = refusal(hf, plan_of(rule("ssh", 22, values={"tcpflags_any": True})))
    assert code == "invalid_value" and "since 26.7" in message


def test_a_key_that_may_only_read_is_refused(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    sim.arm("read_only_user", times=0)
    assert refusal(hf, plan_of(rule("ssh", 22)))[0] == "permission_denied"
    assert writes(sim) == []


def test_a_key_without_the_privilege_is_refused(hf: Holdfast, sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = next(user for user in sim.users.values() if user.name == "narrow")
    sim.key, sim.secret = narrow.key, narrow.secret
    assert refusal(hf, plans_for(sim, monkeypatch)(rule("ssh", 22)))[0] == "permission_denied"


@pytest.mark.parametrize(
    ("missing", "step"),
    [
        ("api/firewall/filter/del_rule/*", rule("ssh", 22)),
        ("api/unbound/service/*", {"opnsense.unbound.host": "a.example.org", "values": {"server": "10.0.0.1"}}),
        ("api/firewall/alias/set_item/*", alias("servers", "10.0.0.1")),
    ],
)
def test_a_privilege_that_only_undo_or_activation_needs_is_missed_before_anything_changes(
    missing: str, step: dict[str, Any], hf: Holdfast, sim: Simulator, plan_of: PlanOf
) -> None:
    at = ("firewall/alias", "firewall/filter", "unbound/settings", "unbound/service", "core/system", "core/backup")
    verbs = ("get", "set", "del", "search", "apply", "reconfigure", "status", "revert_backup")
    actions = {f"{verb}{suffix}" for verb in verbs for suffix in ("", "_item", "_rule", "_host_override")}
    granted = {f"api/{place}/{action}/*" for place in at for action in actions}
    granted = {pattern for pattern in granted if not pattern.startswith(missing.removesuffix("*"))}
    admin = sim.users[sim.key]
    sim.users[sim.key] = replace(admin, privileges=(*granted, "api/diagnostics/system/*"))
    code, message = refusal(hf, plan_of(step))
    assert code == "permission_denied" and missing.removesuffix("/*") in message
    assert writes(sim) == []


def test_nobody_there_is_refused(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    plan = plan_of(rule("ssh", 22))
    sim.stop()
    assert refusal(hf, plan)[0] == "unreachable"


# By what is wrong with the appliance: the fault, how the run ends, and the code of its error. Writes are the faults' default.
AILING: dict[str, tuple[dict[str, Any], str, str]] = {
    "html_200": ({"method": "", "path": "", "times": 0}, "refused", "api_rejected"),  # a web page, not an appliance
    "html_502": ({"times": 0}, "rolled_back", "api_rejected"),
    "slow_response": ({"times": 0}, "committed", ""),
    "reset_before_request_read": ({"method": "", "path": "", "times": 0}, "refused", "unreachable"),
    "ok_without_writing": ({"times": 0}, "rolled_back", "api_rejected"),
    "http_500_after_write": ({"times": 0}, "stuck", "api_rejected"),  # also of every activation
    "auth_401_midway": ({"nth": 1, "times": 1}, "stuck", "auth_failed"),
    "configd_down": ({"times": 0}, "stuck", "api_rejected"),
    "service_flaps": ({}, "committed", ""),
}


@pytest.mark.parametrize("fault", AILING)
def test_an_ailing_appliance_gets_a_clear_end(fault: str, hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    match, ending, code = AILING[fault]
    sim.arm(fault, **match)
    result = hf.apply(plan_of(alias("servers", "10.0.0.1"), rule("ssh", 22)))
    assert (result.ending, result.errors[0]["code"] if result.errors else "") == (ending, code)
    assert all(error["message"] for error in result.errors)
    if ending == "stuck":
        assert all(entry["resource"].startswith("edge:") and entry["reason"] for entry in result.residue)


def test_a_version_that_nobody_knows_is_refused_unless_it_is_declared_like_one_that_is(
    hf: Holdfast, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim.profile = replace(sim.profile, name="29.1.3")
    sim.running.profile = sim.api.profile = sim.profile
    code, message = refusal(hf, plans_for(sim, monkeypatch)(rule("ssh", 22)))
    assert code == "unsupported" and "29.1.3; known are 24.7 to 26.7" in message
    assert writes(sim) == []


def test_a_reference_to_nothing_is_told(plan_of: PlanOf) -> None:
    with pytest.raises(PlanError) as caught:
        plan_of({"opnsense.haproxy.backend": "pool", "values": {"linkedServers": [{"ref": "nobody"}]}})
    assert "nobody" in caught.value.problems[0].message


@pytest.mark.parametrize("call", ["firewall/alias/reconfigure", "firewall/filter/apply"])
def test_a_call_that_activates_and_is_not_allowed_is_missed_before_anything_changes(
    call: str, hf: Holdfast, sim: Simulator, plan_of: PlanOf
) -> None:
    """Read instead of written, it does nothing, and is forbidden all the same."""
    sim.arm("forbidden_403_on_undo", path=call, method="", times=0)
    result = hf.apply(plan_of(alias("web", "10.0.0.8"), rule("ssh", 22)))
    assert (result.ending, {error["code"] for error in result.errors}) == ("refused", {"permission_denied"})
    assert (call in result.errors[0]["message"], writes(sim)) == (True, [])


def test_an_activation_that_is_forbidden_after_all_is_told_and_taken_back(
    hf: Holdfast, sim: Simulator, plan_of: PlanOf
) -> None:
    sim.arm("forbidden_403_on_undo", path="firewall/filter/apply", times=0)
    result = hf.apply(plan_of(rule("ssh", 22)))
    assert (result.ending, result.errors[0]["code"], result.residue) == ("rolled_back", "permission_denied", [])
    assert (ports(sim), sim.pending) == ({}, [])
