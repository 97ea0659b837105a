"""A plan for an appliance and for a REST service is rehearsed in memory: a failure at every step, and nothing is left."""

from __future__ import annotations

import pytest

from holdfast import Holdfast
from holdfast.testing.opnsense import PROFILES, Simulator
from tests.opnsense.conftest import absent, alias, plans_for, rule, writes


@pytest.mark.parametrize("profile", [PROFILES[0], PROFILES[-1]])
def test_a_plan_for_an_appliance_is_covered_completely(profile: str, hf: Holdfast, monkeypatch: pytest.MonkeyPatch) -> None:
    with Simulator(profile) as sim:
        plan_of = plans_for(sim, monkeypatch)
        hf.apply(plan_of(alias("servers", "10.0.0.1"), rule("ssh", 22), rule("http", 80)))
        before = writes(sim)
        backend = {"opnsense.haproxy.backend": "pool", "values": {"linkedServers": [{"ref": "one"}]}}
        server = {"opnsense.haproxy.server": "one", "id": "one", "values": {"address": "10.0.0.1", "port": 80}}
        changed = alias("servers", "10.0.0.2"), rule("ssh", 2222), absent("firewall.rule", "http"), server, backend
        rehearsal = hf.rehearse(plan_of(*changed))
        assert (rehearsal.coverage, rehearsal.residue, rehearsal.problems) == (100, (), ())
        assert rehearsal.points >= 10
        assert writes(sim) == before


def test_a_secret_that_would_be_lost_is_told(hf: Holdfast, sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE", "first-password-1")
    monkeypatch.setenv("TWO", "second-password-2")
    plan_of = plans_for(sim, monkeypatch)

    def listed(reference: str) -> dict[str, object]:
        login = {"authtype": "Basic", "username": "us", "password": {"secret": reference}}
        return {"opnsense.firewall.alias": "list", "values": {"type": "urltable", "content": ["https://l.example"], **login}}

    hf.apply(plan_of(listed("env:ONE")))
    rehearsal = hf.rehearse(plan_of(listed("env:TWO")))
    assert rehearsal.irreversible == ("main/main/1-opnsense.firewall.alias",)
    assert rehearsal.residue
