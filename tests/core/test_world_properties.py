"""The same promises over paths in memory and the kinds that people write: whatever fails, the world is what it was."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import holdfast
from holdfast import Plan, PlanError
from holdfast.drivers.files.memory import Memory
from holdfast.drivers.process.memory import MemoryProcesses
from holdfast.drivers.wrappers import Died, Faulty, Moment
from holdfast.kinds.content import digest_of
from holdfast.kinds.node import Node
from holdfast.runtime.fleet import DriverFleet
from holdfast.testing.builders import TARGET, Trial

PATHS = ("/a", "/b", "/d", "/d/x", "/d/y", "/l")

paths = st.sampled_from(PATHS)
contents = st.sampled_from(["one", "two"])
modes = st.sampled_from(["0644", "0600"])
steps = st.one_of(
    st.builds(lambda path, text, mode: {"file": path, "content": text, "mode": mode}, paths, contents, modes),
    st.builds(lambda path, mode: {"dir": path, "mode": mode}, paths, st.sampled_from(["0755", "0700"])),
    st.builds(lambda path, to: {"link": path, "to": to, "dangling": True, "on_conflict": "overwrite"}, paths, paths),
    st.builds(lambda path, to: {"move": path, "to": to, "on_conflict": "overwrite"}, paths, paths),
    st.builds(lambda path, to: {"copy": path, "to": to, "on_conflict": "backup"}, paths, paths),
    st.builds(lambda path: {"remove": path, "recursive": True, "missing_ok": True}, paths),
    st.builds(lambda path, mode: {"attributes": path, "mode": mode}, paths, modes),
    st.builds(lambda path, line: {"edit": path, "line": line}, paths, contents),
    st.builds(lambda word: {"command": ["do", word], "undo": ["undo", word]}, contents),
)


def file(text: str, mode: int = 0o644) -> Node:
    data = text.encode()
    return Node("file", mode, digest=digest_of(data), content=data, size=len(data), xattrs="", mtime_ns=7)


def a_world() -> Memory:
    nodes = {
        "/a": file("one"),
        "/d": Node("dir", 0o755, xattrs=""),
        "/d/x": file("two", 0o600),
        "/l": Node("link", 0o777, target="d"),
    }
    return Memory.from_nodes(nodes)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Steps one after the other, as far as they can be carried out over this world."""
    drawn: list[dict[str, Any]] = draw(st.lists(steps, min_size=1, max_size=5))
    for number, step in enumerate(drawn):
        step = drawn[number] = {**step, "id": f"s{number}"}
        if number:
            step["needs"] = [f"s{number - 1}"]
    try:
        plan = holdfast.parse({"holdfast": 1, "name": "random", "on": TARGET, "steps": drawn})
    except PlanError:
        assume(False)
        raise
    assume(not over(plan, a_world()).prepare().prediction.problems)
    return plan


def over(plan: Plan, world: Memory, *, seed: int | None = None, **fault: Any) -> Trial:
    drivers: dict[tuple[str, str], Any] = {(TARGET, "files"): world, (TARGET, "process"): MemoryProcesses()}
    if fault:
        drivers[TARGET, "files"] = Faulty(world, **fault)
    return Trial(
        plan, fleet=DriverFleet({place: (lambda driver=driver: driver) for place, driver in drivers.items()}), seed=seed
    )


slow = settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow], deadline=None)


@slow
@given(plans(), st.integers(1, 6), st.sampled_from([Moment.BEFORE, Moment.AFTER]))
def test_a_failure_at_any_move_restores_the_world(plan: Plan, at: int, moment: Moment) -> None:
    world = a_world()
    run = over(plan, world, at=at, moment=moment).go()
    if run.ending == "rolled_back":
        assert world.manifest() == a_world().manifest()
    else:
        assert run.ending in ("committed", "unchanged")


@slow
@given(plans(), st.integers(1, 6), st.sampled_from(Moment))
def test_a_killed_run_is_taken_back(plan: Plan, at: int, moment: Moment) -> None:
    world = a_world()
    trial = over(plan, world, at=at, moment=moment, deadly=True)
    try:
        trial.go()
    except Died:
        assert trial.recover().ending == "rolled_back"
        assert world.manifest() == a_world().manifest()


@slow
@given(plans())
def test_a_committed_run_can_be_taken_back(plan: Plan) -> None:
    world = a_world()
    trial = over(plan, world)
    if trial.go().ending == "committed":
        assert trial.roll_back().ending == "rolled_back"
    assert world.manifest() == a_world().manifest()
