"""Programs in memory: nothing runs, and the plan sees what it would have seen."""

from __future__ import annotations

import asyncio

from holdfast.core.change import Effect, Look
from holdfast.drivers.contract import Ending
from holdfast.drivers.process.memory import MemoryProcesses
from holdfast.runtime.crew import run_to_end
from tests.drivers.process.conftest import apply, command, move

CHECKED = command(["touch", "/nowhere/x"], check=("test", "-e", "/nowhere/x"), undo=("rm", "/nowhere/x"))


def answer(driver, operation):
    return asyncio.run(driver.inspect([Look(operation.question)]))[operation.question]


def test_what_would_have_run_is_remembered():
    driver = MemoryProcesses()
    (outcome,) = apply(driver, move(command(["rm", "-rf", "/"])))
    assert outcome.ending is Ending.DONE
    assert [made.change.means.argv for made in driver.ran] == [("rm", "-rf", "/")]


def test_a_check_says_yes_after_the_step_ran_and_no_after_its_undo():
    driver = MemoryProcesses()
    assert answer(driver, CHECKED) == Effect(False)
    assert [apply(driver, move(CHECKED))[0].ending for _ in range(2)] == [Ending.DONE, Ending.UNCHANGED]
    assert answer(driver, CHECKED) == Effect(True)
    assert [apply(driver, move(CHECKED, undo=True))[0].ending for _ in range(2)] == [Ending.DONE, Ending.UNCHANGED]
    assert answer(driver, CHECKED) == Effect(False)
    assert driver.in_effect == {}


def test_what_was_so_before_is_not_run():
    driver = MemoryProcesses(so=[CHECKED.question])
    assert apply(driver, move(CHECKED))[0].ending is Ending.UNCHANGED
    assert driver.ran == []


def test_what_cannot_be_taken_back_stays_in_effect_and_says_so():
    driver = MemoryProcesses()
    apply(driver, move(command(["reboot"])))
    (outcome,) = apply(driver, move(command(["reboot"]), undo=True))
    assert (outcome.ending, outcome.failure.code) == (Ending.FAILED, "unsupported")
    assert list(driver.in_effect) == ["command/it"]


def test_it_never_waits_so_that_no_event_loop_is_needed():
    from holdfast.drivers.contract import Batch

    (outcome,) = run_to_end(MemoryProcesses().apply(Batch((move(CHECKED),))))
    assert outcome.ending is Ending.DONE
