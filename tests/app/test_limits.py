"""How much one program may change: hosts, tenants and steps."""

from __future__ import annotations

from typing import Any

import pytest

import holdfast
from holdfast import Plan
from holdfast.app.plans.limits import Extent, Limits

TARGETS = {name: {"ssh": f"{name}.example"} for name in ("a", "b")}


def plan(*steps: dict[str, Any], **more: Any) -> Plan:
    return holdfast.parse({"holdfast": 1, "name": "web", "targets": TARGETS, "steps": list(steps), **more})


ON_BOTH = plan({"dir": "/srv", "on": "a"}, {"dir": "/srv", "on": "b"}, {"dir": "/opt", "on": "b"})
ROLLOUT = holdfast.parse(
    {
        "holdfast": 1,
        "name": "rollout",
        "tasks": [
            {
                "name": "config",
                "each": [{"tenant": name, "url": f"http://{name}.example/config"} for name in ("acme", "globex", "initech")],
                "steps": [{"config": "${each.url}", "values": {"a": 1}}, {"health": "http://127.0.0.1/"}],
            }
        ],
    }
)


def test_hosts_and_steps_are_those_that_are_changed() -> None:
    assert Extent.of(ON_BOTH) == Extent(hosts=frozenset({"ssh:a.example", "ssh:b.example"}), steps=3)


def test_what_only_looks_or_waits_or_lives_in_memory_counts_for_nothing() -> None:
    idle = plan({"wait": "1s"}, {"health": "http://127.0.0.1/"}, {"approve": "well?"}, {"dir": "/x", "on": "memory"})
    assert Extent.of(idle) == Extent()


def test_this_machine_is_a_host_and_a_program_changes_something() -> None:
    assert Extent.of(plan({"command": "true"}, {"dir": "/srv"})) == Extent(hosts=frozenset({"local"}), steps=2)


def test_a_service_is_a_host_and_an_entry_of_each_is_a_tenant() -> None:
    extent = Extent.of(ROLLOUT)
    assert extent.hosts == {f"{name}.example" for name in ("acme", "globex", "initech")}
    assert extent.tenants == {"acme", "globex", "initech"}
    assert extent.steps == 3


@pytest.mark.parametrize(
    ("texts", "exceeded"),
    [
        ([], []),
        (["hosts=2,steps=3"], []),
        (["hosts=1"], ["hosts"]),
        (["hosts: 1", "steps=2"], ["hosts", "steps"]),
        (["tenants=0"], []),
        (["steps=0"], ["steps"]),
    ],
)
def test_a_plan_beyond_a_limit_is_a_problem(texts: list[str], exceeded: list[str]) -> None:
    problems = Limits.parse(texts).problems(ON_BOTH)
    assert [problem.code for problem in problems] == ["limit_exceeded"] * len(exceeded)
    assert [problem.message.split()[7] for problem in problems] == [f"{word}," for word in exceeded]


def test_tenants_are_limited() -> None:
    assert Limits(tenants=3).problems(ROLLOUT) == []
    assert len(Limits(tenants=2).problems(ROLLOUT)) == 1


def test_what_was_changed_before_counts_and_the_same_host_counts_once() -> None:
    before = [Extent(hosts=frozenset({"ssh:a.example"}), steps=4), Extent(hosts=frozenset({"ssh:c.example"}), steps=1)]
    assert Limits(hosts=3, steps=8).problems(ON_BOTH, before) == []
    assert len(Limits(hosts=2, steps=7).problems(ON_BOTH, before)) == 2


@pytest.mark.parametrize(
    "text", ["", "3", "hosts", "hosts=", "hosts=-1", "hosts=many", "files=3", "hosts=1;steps=2", "hosts=1,"]
)
def test_a_limit_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a limit"):
        Limits.parse([text])
