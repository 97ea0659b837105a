"""A roll-out to three tenants, killed around its records and effects; all of them: `./dev crash rollout`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.testing.crash_rollout import Site, Tally, run_matrix


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(str(tmp_path))
    yield made
    made.close()


def test_wherever_it_is_killed_it_ends_well_and_what_it_did_can_be_taken_back(site: Site) -> None:
    tally = Tally()
    run_matrix(site, tally, stride=13)
    assert tally.bad == []
    assert {"rolled_back", "committed", "partial"} <= set(tally.endings)
    assert {where.split()[0] for where in tally.killed_at} == {"before", "after"}
