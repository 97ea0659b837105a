"""Whatever ends the waiting ends the program: no process of a move outlives it."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

from holdfast.drivers.contract import Batch, Ending
from holdfast.drivers.process import leftovers
from tests.drivers.process.conftest import OURS, apply, command, move, shell

STUBBORN = "import signal, sys, time; signal.signal(15, signal.SIG_IGN); open(sys.argv[1], 'w'); time.sleep(60)"
ESCAPES = "import os, time; os.fork() or (os.setsid(), time.sleep(60)); time.sleep(60)"


def test_a_program_that_takes_too_long_failed_half_way(make):
    (outcome,) = apply(make(), move(shell("echo begun; sleep 60"), timeout=1.0))
    assert (outcome.ending, outcome.failure.code, outcome.failure.doubtful) == (Ending.FAILED, "timeout", True)
    assert "took longer than 1 s" in outcome.failure.message
    assert outcome.output == "begun\n"


@pytest.mark.parametrize(
    ("answer", "ending"), [("exit 0", Ending.DONE), ("exit 1", Ending.FAILED), ("sleep 60", Ending.IN_DOUBT)]
)
def test_of_what_was_broken_off_the_check_says_whether_it_was_done(make, tmp_path, answer, ending):
    """The check says no until the program has begun."""
    check = ("sh", "-c", f"[ -e {tmp_path}/begun ] || exit 1; {answer}")
    operation = shell(f"touch {tmp_path}/begun; sleep 60", check=check)
    (outcome,) = apply(make(check_timeout_s=0.3), move(operation, timeout=0.5))
    assert outcome.ending is ending


def test_the_time_limit_ends_the_whole_group(make):
    apply(make(), move(shell("sleep 60 & sleep 61 & (sleep 62; true); wait"), timeout=0.2))


def test_who_ignores_the_polite_signal_is_ended_by_force(make, tmp_path):
    stubborn = command([sys.executable, "-c", STUBBORN, f"{tmp_path}/deaf"])
    (outcome,) = _cancelled(make(grace_s=0.3), [move(stubborn)], tmp_path / "deaf")
    assert outcome.ending is Ending.FAILED


def test_children_may_end_properly_after_their_parent_did(make, tmp_path):
    child = f"sh -c {shlex.quote(tidying(tmp_path))} & wait"
    _cancelled(make(), [move(shell(child))], tmp_path / "ready")
    assert (tmp_path / "end").read_text() == "tidy\n"


def test_a_group_may_end_properly_after_the_polite_signal(make, tmp_path):
    _cancelled(make(), [move(shell(tidying(tmp_path)))], tmp_path / "ready")
    assert (tmp_path / "end").read_text() == "tidy\n"


def tidying(path):
    """Takes its time to end, once it is ready to be told so."""
    trap = f"trap 'sleep 0.2; echo tidy > {path}/end; exit' TERM"
    return f"{trap}; touch {path}/ready; while :; do sleep 0.05; done"


def test_who_left_the_group_is_ended_as_well(make):
    apply(make(grace_s=0.3), move(command([sys.executable, "-c", ESCAPES]), timeout=0.5))


def test_a_cancelled_move_still_returns_and_has_failed(make, tmp_path):
    outcomes = _cancelled(make(), [move(shell(f"touch {tmp_path}/begun; sleep 60"))], tmp_path / "begun")
    assert [(o.ending, o.failure.code, o.failure.doubtful) for o in outcomes] == [(Ending.FAILED, "cancelled", True)]


def test_what_comes_after_a_cancelled_move_is_never_begun(make, tmp_path):
    moves = [move(shell(f"touch {tmp_path}/begun; sleep 60"), id="run-1"), move(command(["true"]), id="run-2")]
    assert _cancelled(make(), moves, tmp_path / "begun")[1].ending is Ending.SKIPPED


def test_cancelled_while_the_check_is_asked_it_was_never_begun(make, tmp_path):
    operation = shell(f"touch {tmp_path}/ran", check=f"touch {tmp_path}/begun; sleep 60; false")
    assert [o.ending for o in _cancelled(make(), [move(operation)], tmp_path / "begun")] == [Ending.SKIPPED]
    assert not (tmp_path / "ran").exists()


def test_cancelled_twice_it_does_not_wait_for_politeness(make, tmp_path):
    started = time.perf_counter()
    driver, moves = make(grace_s=30.0), [move(command([sys.executable, "-c", STUBBORN, f"{tmp_path}/deaf"]))]
    outcomes = _cancelled(driver, moves, tmp_path / "deaf", times=2)
    assert outcomes[0].ending is Ending.FAILED
    assert time.perf_counter() - started < 25


@pytest.mark.parametrize("turns", range(2, 10))
def test_cancelled_while_it_starts_nothing_is_left(make, turns):
    """The child of the program holds its pipes: who ends only the program waits for that child."""

    async def scenario():
        task = asyncio.ensure_future(make().apply(Batch((move(shell("sleep 60 & sleep 60; true")),))))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        return await task

    started = time.perf_counter()
    assert asyncio.run(scenario())[0].ending is Ending.FAILED
    assert time.perf_counter() - started < 30


def test_what_a_killed_holdfast_left_running_ends_before_it_is_undone(make, tmp_path):
    orphan = _orphan("run-7")
    undo = f'kill -0 {orphan.pid} 2>/dev/null && cat /proc/{orphan.pid}/stat | grep -v " Z " && exit 1; true'
    (outcome,) = apply(make(), move(shell("true", undo=undo), id="run-7", undo=True))
    assert outcome.ending is Ending.DONE
    assert orphan.wait(timeout=5) == -signal.SIGTERM


def test_what_a_killed_holdfast_left_running_ends_before_it_is_made_again(make):
    orphan, other = _orphan("run-7"), _orphan("run-8")
    apply(make(), move(command(["true"]), id="run-7"))
    assert orphan.wait(timeout=5) == -signal.SIGTERM
    assert other.poll() is None
    other.kill()
    other.wait()


def _orphan(mark: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "60"], env={**os.environ, leftovers.MARK: OURS + mark})


def _cancelled(driver, moves, sign, times=1):
    """Cancel once the sign is there, and again until it was done so many times."""

    async def scenario():
        task = asyncio.ensure_future(driver.apply(Batch(tuple(moves))))
        while not sign.exists():
            await asyncio.sleep(0.01)
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0.05)
        return await task

    return asyncio.run(scenario())
