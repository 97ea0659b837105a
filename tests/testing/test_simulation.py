"""A thousand roll-outs in virtual time, with all that can go wrong; fifty thousand: `./dev simulate`."""

from __future__ import annotations

import pytest

from holdfast.testing.simulation import live, log_of, simulate


@pytest.mark.parametrize("first", range(0, 1000, 250))
def test_whatever_happens_the_world_is_what_the_run_tells(first: int) -> None:
    tally = simulate(range(first, first + 250))
    assert tally.bad == []
    assert tally.events > 250 * 20


@pytest.mark.parametrize("seed", [7, 65, 410, 1533])
def test_the_same_seed_gives_the_same_events_byte_for_byte(seed: int) -> None:
    assert log_of(live(seed)) == log_of(live(seed))
