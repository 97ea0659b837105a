"""Our rules for values and the simulated appliance's, written apart from one another, say the same."""

from __future__ import annotations

import random
from itertools import islice

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.testing import fuzz_opnsense as fuzz
from holdfast.testing.fuzz_opnsense import Case, Desk
from holdfast.testing.opnsense import PROFILES

DESKS = {profile: Desk(profile) for profile in PROFILES}


@pytest.mark.parametrize("profile", PROFILES)
def test_each_field_alone(profile: str) -> None:
    cases = islice(fuzz.every(profile), PROFILES.index(profile), None, 61)
    assert [told for case in cases if (told := DESKS[profile].difference(case))] == []


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(profile=st.sampled_from(PROFILES), seed=st.integers(0, 2**32))
def test_several_fields_at_once(profile: str, seed: int) -> None:
    assert DESKS[profile].difference(fuzz.drawn(profile, random.Random(seed))) == ""


def test_a_difference_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = DESKS[PROFILES[-1]]
    case = Case(desk.profile, "firewall.rule", {"destination_port": "8010-8000"})
    assert desk.ours(case)[0] and desk.theirs(case, {})
    monkeypatch.setattr(
        desk, "ours", lambda case: ("", {"description": "x", "protocol": "TCP", "destination_port": "8010-8000"})
    )
    assert "8010-8000" in desk.difference(case)
