"""An appliance that tells less than it might, later than it might, or only after a pause is believed all the same."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast import Holdfast
from holdfast.testing.opnsense import PROFILES, Simulator, User
from tests.opnsense.conftest import PlanOf, absent, alias, plans_for, rule
from tests.opnsense.test_kinds import steps

# What it is asked beside its lists: which of its calls answer depends on its version, its plugins and the key.
BESIDE = (
    "listlocaldata|interfaces_info|get_routes|export/diff|counters|configtest|rule_stats|alias_util|gateway/status"
    "|service/status|system/status|dismiss_status|core/backup/backups"
)
IN_ONE_PIECE = "firewall/(filter/get|alias/export)$"  # by which lists are read where searches do not show enough
SILENCES: dict[str, tuple[int, str]] = {
    "missing": (404, "json-generic"),
    "broken": (500, "json-generic"),
    "swallowed": (200, "empty"),
}


def mute(sim: Simulator, paths: str, silence: str) -> None:
    status, body = SILENCES[silence]
    sim.arm("forbidden_403_on_undo", path=paths, method="", times=0, do={"status": status, "body": body})


@pytest.mark.parametrize("silence", SILENCES)
def test_what_is_told_nowhere_is_not_held_against_the_appliance(
    silence: str, hf: Holdfast, sim: Simulator, plan_of: PlanOf
) -> None:
    mute(sim, BESIDE, silence)
    made = hf.apply(plan_of(*steps("26.1", 1)))
    assert (made.ending, made.errors, sim.pending) == ("committed", [], [])
    assert hf.rollback(made.run).ending == "rolled_back"
    assert sim.pending == []


@pytest.mark.parametrize("profile", [PROFILES[0], PROFILES[-1]])
def test_objects_are_found_one_by_one_where_no_document_holds_them_all(
    profile: str, hf: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Simulator(profile) as sim:
        mute(sim, IN_ONE_PIECE, "missing")
        before = {path: dict(found) for path, found in sim.store.config.items() if found}
        plan = plans_for(sim, monkeypatch)(*steps(profile, 1))
        made = hf.apply(plan)
        assert (made.ending, made.errors, hf.apply(plan).ending) == ("committed", [], "unchanged")
        assert hf.rollback(made.run).ending == "rolled_back"
        assert {path: dict(found) for path, found in sim.store.config.items() if found} == before


def test_what_can_be_chosen_is_left_to_the_appliance_where_it_does_not_tell(
    hf: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Simulator("26.7") as sim:
        plan_of = plans_for(sim, monkeypatch)
        mute(sim, "filter/get_rule$", "missing")
        assert hf.apply(plan_of(rule("ssh", 22, values={"source_net": "lan"}))).ending == "committed"
        refused = hf.apply(plan_of(rule("web", 80, values={"source_net": "nowhere"})))
        assert (refused.ending, refused.errors[0]["code"]) == ("rolled_back", "api_rejected")


def test_what_takes_effect_a_while_after_the_answer_is_waited_for(hf: Holdfast, monkeypatch: pytest.MonkeyPatch) -> None:
    with Simulator("26.7", activation_s=0.35) as sim:
        plan_of = plans_for(sim, monkeypatch)
        made = hf.apply(plan_of(*steps("26.7", 1)))
        assert (made.ending, made.errors) == ("committed", [])
        assert hf.apply(plan_of(absent("firewall.rule", "Allow it"), alias("hosts", "10.1.0.9"))).ending == "committed"
        sim.clock.advance(1)
        assert sim.pending == []


@pytest.mark.parametrize("effect", [{"reset": "rst"}, {"status": 502, "body": "html"}], ids=["no answer", "an empty shell"])
def test_a_web_server_that_an_activation_restarts_is_waited_for(
    effect: dict[str, Any], hf: Holdfast, sim: Simulator, plan_of: PlanOf
) -> None:
    sim.arm("reset_before_request_read", path="core/system/status", method="GET", nth=2, times=4, do=effect)
    made = hf.apply(plan_of(rule("ssh", 22)))
    assert (made.ending, made.errors, sim.pending) == ("committed", [], [])


def test_a_question_that_only_the_web_server_answered_is_asked_again(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    for path in ("revert_backup", "search_rule", "get_rule", "rule_stats"):
        sim.arm("html_502", path=path, method="")
    assert hf.apply(plan_of(rule("ssh", 22))).ending == "committed"


@pytest.mark.parametrize("said", ["No errors found", "0 errors, 0 warnings", "Configuration file is valid", ""])
def test_a_proxy_that_finds_no_errors_says_so_in_its_own_words(
    said: str, hf: Holdfast, sim: Simulator, plan_of: PlanOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sim.running, "haproxy_complaints", lambda config, spend=False: [] if spend else [said])
    front = {"opnsense.haproxy.frontend": "web", "values": {"bind": "10.0.0.1:80"}}
    assert hf.apply(plan_of(front)).ending == "committed"


@pytest.mark.parametrize("profile", PROFILES)
def test_a_version_that_the_key_may_not_ask_for_is_known_by_its_calls(
    profile: str, hf: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = User("few", "few-key", "few-secret", ("api/firewall/alias/*",))
    with Simulator(profile, users=(few,)) as sim:
        sim.key, sim.secret = few.key, few.secret
        plan = plans_for(sim, monkeypatch)(alias("servers", "10.0.0.1"))
        made = hf.apply(plan)
        assert (made.ending, made.errors, hf.apply(plan).ending) == ("committed", [], "unchanged")
        refused = hf.apply(plans_for(sim, monkeypatch)(rule("ssh", 22)))
        assert (refused.ending, refused.errors[0]["code"]) == ("refused", "permission_denied")


def test_privileges_of_an_older_version_are_found_by_their_own_spelling(hf: Holdfast, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = ("api/firewall/filter/*", "api/firewall/filter_util/rule_stats*", "api/diagnostics/system/system_information*")
    with Simulator("25.1", users=(User("few", "few-key", "few-secret", calls),)) as sim:
        sim.key, sim.secret = "few-key", "few-secret"
        assert hf.apply(plans_for(sim, monkeypatch)(rule("ssh", 22))).ending == "committed"
        answered = {call.action for call in sim.requests if call.status == 200}
        assert {"ruleStats", "systemInformation"} <= answered
