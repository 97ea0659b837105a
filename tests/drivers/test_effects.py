"""The laws of the contract, for every driver whose changes are effects and not states: programs and probes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from holdfast.core.change import Change, Effect, Look
from holdfast.drivers.contract import Batch, Driver, Ending, Move
from holdfast.drivers.probe.local import Probes
from holdfast.drivers.probe.memory import MemoryProbes
from holdfast.drivers.process.local import LocalProcesses
from holdfast.drivers.process.memory import MemoryProcesses
from holdfast.kinds.command import Command
from holdfast.kinds.contract import Duration, Kind, Secret
from holdfast.kinds.health import Health
from holdfast.kinds.running import Running
from holdfast.kinds.script import Script, Source
from holdfast.kinds.wait import Wait


@pytest.fixture(params=["local", "memory"])
def processes(request, tmp_path) -> Iterator[Driver]:
    driver = LocalProcesses(str(tmp_path / "work")) if request.param == "local" else MemoryProcesses()
    yield driver
    asyncio.run(driver.close())


@pytest.fixture(params=["local", "memory"])
def probes(request) -> Iterator[Driver]:
    driver = Probes() if request.param == "local" else MemoryProbes()
    yield driver
    asyncio.run(driver.close())


@pytest.fixture
def toggle(tmp_path) -> Callable[[str], Running]:
    """An effect that its check sees and its undo takes back."""

    def build(name: str) -> Running:
        path = str(tmp_path / name)
        return Command(argv=("touch", path), undo=("rm", path), check=("test", "-e", path))

    return build


def move(operation: Kind, number: int = 0, *, undo: bool = False, needs: tuple[int, ...] = ()) -> Move:
    change = Change(f"{operation.kind}/{number}", Effect(False), Effect(True), means=operation, runs=True)
    return Move(f"laws/{number}", change.reversed() if undo else change, undo=undo, needs=needs)


def endings(driver: Driver, *moves: Move) -> list[str]:
    return [outcome.ending.value for outcome in asyncio.run(driver.apply(Batch(moves)))]


def found(driver: Driver, operation: Running) -> Effect:
    key = operation.question
    assert key is not None
    return asyncio.run(driver.inspect([Look(key)]))[key]


def test_apply_then_apply_reversed_leaves_the_world_as_it_was(processes, toggle):
    operation = toggle("a")
    before = found(processes, operation)
    assert endings(processes, move(operation)) == ["done"]
    assert found(processes, operation) == Effect(True)
    assert endings(processes, move(operation, undo=True)) == ["done"]
    assert found(processes, operation) == before == Effect(False)


def test_what_is_there_already_is_unchanged(processes, toggle):
    operation = toggle("a")
    assert endings(processes, move(operation)) + endings(processes, move(operation)) == ["done", "unchanged"]


def test_inspecting_answers_every_key_and_changes_nothing(processes, toggle, tmp_path):
    keys = [toggle("a").question, toggle("b").question, "command/0"]
    answers = [asyncio.run(processes.inspect([Look(key) for key in keys])) for _ in range(2)]
    assert answers[0] == answers[1] and set(answers[0]) == set(keys)
    assert list(tmp_path.iterdir()) == []


def test_there_is_one_outcome_for_each_move_in_their_order(processes, toggle):
    moves = [move(toggle(name), number) for number, name in enumerate("abc")]
    assert endings(processes, *moves) == ["done", "done", "done"]
    assert endings(processes) == []


def test_settling_and_closing_may_be_done_twice(processes, toggle):
    made = [move(toggle("a"))]
    endings(processes, *made)
    for _ in range(2):
        asyncio.run(processes.settle(made))
        asyncio.run(processes.close())
    assert found(processes, toggle("a")) == Effect(True)


@pytest.mark.parametrize(
    "operation",
    [
        Command(argv=("no-such-program",)),
        Command(argv=("true",), cwd="/no/such/directory"),
        Command(argv=("true",), env={"A": Secret("env:NO_SUCH_VARIABLE")}),
        Command(argv=("true",), env={"A": "\ud800"}),
        Command(argv=("x" * 200_000,)),
        Command(argv=("true", *["x" * 100_000] * 40)),
        Script(text=Source("/no/such/script")),
        Script(text="true", interpreter=("/etc/passwd",)),
        Script(text="\ud800"),
        Script(text="true", cwd="/etc/passwd"),
    ],
)
def test_whatever_goes_wrong_is_an_outcome_and_no_exception(tmp_path, operation):
    driver = LocalProcesses(str(tmp_path / "work"))
    (outcome,) = asyncio.run(driver.apply(Batch((move(operation),))))
    assert outcome.ending is Ending.FAILED and outcome.failure is not None
    assert outcome.failure.message and outcome.failure.hint


def test_no_room_for_a_script_is_an_outcome_too(tmp_path):
    (tmp_path / "work").write_text("a file stands where the directory should be")
    (outcome,) = asyncio.run(LocalProcesses(str(tmp_path / "work")).apply(Batch((move(Script(text="true")),))))
    assert outcome.ending is Ending.FAILED


PROBES = (Wait(duration=Duration(0)), Health(probe="true", attempts=1))


@pytest.mark.parametrize("operation", PROBES)
def test_a_probe_passes_leaves_nothing_and_passes_again(probes, operation):
    assert endings(probes, move(operation)) + endings(probes, move(operation)) == ["done", "done"]
    assert endings(probes, move(operation, undo=True)) == ["unchanged"]
    assert asyncio.run(probes.inspect([Look("wait/0")])) == {"wait/0": Effect(False)}
    asyncio.run(probes.settle([move(operation)]))


@pytest.mark.parametrize(
    "probe", ["http://127.0.0.1:1/", "http://[::1]:1/", "tcp://127.0.0.1:1", "no-such-program", ("x\ud800",)]
)
def test_a_probe_that_cannot_be_asked_is_an_outcome_and_no_exception(probe):
    (outcome,) = asyncio.run(Probes().apply(Batch((move(Health(probe=probe, attempts=1)),))))
    assert (outcome.ending, outcome.failure.code) == (Ending.FAILED, "unhealthy")
