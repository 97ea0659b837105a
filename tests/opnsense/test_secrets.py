"""Secrets of objects reach the appliance and nobody else, and are compared all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from holdfast import Holdfast, PlanError
from holdfast.testing.opnsense import PROFILES, Simulator
from tests.opnsense.conftest import PlanOf, absent, named, plans_for, writes

SECRET = "correct-horse-9-battery"
OTHER = "another-staple-7-stable"


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIST_PASSWORD", SECRET)
    monkeypatch.setenv("NEXT_PASSWORD", OTHER)


def blocklist(password: str | None = "env:LIST_PASSWORD", **more: Any) -> dict[str, Any]:
    values: dict[str, Any] = {"type": "urltable", "content": ["https://lists.example/all"], **more}
    if password:
        values |= {"authtype": "Basic", "username": "us", "password": {"secret": password}}
    return {"opnsense.firewall.alias": "blocklist", "values": values}


def stored(sim: Simulator) -> str:
    return sim.objects("firewall.alias")[named(sim, "firewall.alias")["blocklist"]]["password"]


def everything_kept(state: Path) -> bytes:
    return b"".join(path.read_bytes() for path in state.rglob("*") if path.is_file())


@pytest.mark.parametrize("profile", PROFILES)
def test_a_secret_is_sent_compared_and_kept_nowhere(
    profile: str, hf: Holdfast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Simulator(profile) as sim:
        plan_of = plans_for(sim, monkeypatch)
        plan = plan_of(blocklist())
        shown = str(hf.plan(plan).plain())
        made = hf.apply(plan)
        assert (made.ending, stored(sim)) == ("committed", SECRET)
        before = writes(sim)
        assert hf.apply(plan).ending == "unchanged"
        assert hf.apply(plan_of(blocklist(None))).ending == "unchanged"
        assert writes(sim) == before
        shown += str(made.plain()) + str(list(hf.events(made.run))) + caplog.text
        assert SECRET not in shown and "(secret env:LIST_PASSWORD)" in shown
        assert SECRET.encode() not in everything_kept(tmp_path / "state")
        assert hf.rollback(made.run).ending == "rolled_back"
        assert "blocklist" not in named(sim, "firewall.alias")


def test_another_secret_is_written_and_the_plan_says_that_the_old_one_is_gone(
    hf: Holdfast, sim: Simulator, plan_of: PlanOf, tmp_path: Path
) -> None:
    hf.apply(plan_of(blocklist()))
    rotated = plan_of(blocklist("env:NEXT_PASSWORD"))
    preview = hf.plan(rotated)
    assert len(preview.irreversible) == 1
    assert "(another secret)" in preview.plain()["changes"][0]["diff"]
    assert (hf.apply(rotated).ending, stored(sim)) == ("committed", OTHER)
    assert hf.apply(rotated).ending == "unchanged"
    kept = everything_kept(tmp_path / "state")
    assert SECRET.encode() not in kept and OTHER.encode() not in kept


def test_other_fields_change_and_go_back_without_touching_the_secret(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    hf.apply(plan_of(blocklist()))
    changed = hf.apply(plan_of(blocklist(description="all of them")))
    assert (changed.ending, stored(sim)) == ("committed", SECRET)
    assert SECRET.encode() not in sim.requests[-1].body
    assert (hf.rollback(changed.run).ending, stored(sim)) == ("rolled_back", SECRET)


def test_deleting_an_object_with_a_secret_cannot_be_undone_and_says_so(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    hf.apply(plan_of(blocklist()))
    assert len(hf.plan(plan_of(absent("firewall.alias", "blocklist"))).irreversible) == 1


def test_an_answer_that_repeats_the_secret_is_cleaned(hf: Holdfast, sim: Simulator, plan_of: PlanOf) -> None:
    sim.arm("validation_failure", do={"validations": {"password": f"{SECRET} is too weak"}})
    result = hf.apply(plan_of(blocklist()))
    assert result.ending == "rolled_back"
    assert SECRET not in str(result.plain()) and "is too weak" in str(result.plain())


@pytest.mark.parametrize(
    ("values", "code", "words"),
    [
        ({"password": SECRET}, "literal_secret", "must not stand in a plan"),
        ({"password": {"secret": "vault:x"}}, "invalid_value", "env:NAME"),
        ({"description": {"secret": "env:LIST_PASSWORD"}}, "invalid_value", "no field for a secret"),
    ],
)
def test_what_is_no_reference_is_refused(values: dict[str, Any], code: str, words: str, plan_of: PlanOf) -> None:
    with pytest.raises(PlanError) as caught:
        plan_of({"opnsense.firewall.alias": "box", "values": {"type": "host", **values}})
    problem = caught.value.problems[0]
    assert problem.code == code and words in problem.message
    assert SECRET not in str(caught.value)


def test_a_secret_that_is_not_there_is_told_before_anything_is_touched(
    hf: Holdfast, sim: Simulator, plan_of: PlanOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LIST_PASSWORD")
    result = hf.apply(plan_of(blocklist()))
    assert (result.ending, result.errors[0]["code"]) == ("refused", "not_found")
    assert writes(sim) == []
