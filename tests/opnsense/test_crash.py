"""A small share of the proof by breaking: `./dev crash opnsense` does the whole of it. And that its judge is not blind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.testing import crash_opnsense as crash
from holdfast.testing.crash_opnsense import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(str(tmp_path), "26.1")
    bench.keep_secrets()
    with bench.running():
        yield bench


def test_whatever_breaks_the_appliance_is_old_or_new(tmp_path: Path) -> None:
    tally = crash.run(str(tmp_path), "26.1", small=True)
    assert tally.bad == []
    assert tally.trials > 80
    assert tally.endings["committed"] and tally.endings["rolled_back"]


def complaints(bench: Bench, ending: str) -> str:
    return "; ".join(crash.complaints_of(bench, bench.found, crash.End(ending)))


def test_the_judge_sees_what_is_left_over_and_what_is_missing(bench: Bench) -> None:
    bench.renew()
    bench.simulator.store.config = {**bench.simulator.store.config, "firewall.rule": {"new": {"description": "x"}}}
    assert "left over" in complaints(bench, "rolled_back") and "missing" in complaints(bench, "rolled_back")
    assert "not active: filter" in complaints(bench, "rolled_back")


def test_the_judge_sees_twins_writes_outside_of_the_plan_and_endings_that_are_none(bench: Bench) -> None:
    bench.renew()
    rule = next(iter(bench.simulator.objects("firewall.rule").values()))
    bench.simulator.store.config = {**bench.simulator.store.config, "firewall.rule": {"a": rule, "b": rule}}
    assert "is there 2 times" in complaints(bench, "rolled_back")
    bench.renew()
    with bench.engine() as engine:
        engine.apply(bench.plan(crash.SIX))
    said = complaints(bench, "stuck")
    assert "a write outside of the plan" in said and "it ended so" in said
