"""Execution tracking, as `holdfast.history` offers it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import holdfast
from holdfast.core.errors import WorldError
from holdfast.history import History

START = 1_700_000_000_123  # epoch milliseconds


@pytest.fixture
def open_history(tmp_path: Path) -> Iterator[Callable[..., History]]:
    opened: list[History] = []

    def open_one(**options: Any) -> History:
        opened.append(History.open(tmp_path / "history", **options))
        return opened[-1]

    yield open_one
    for history in opened:
        history.journal.close()


@pytest.fixture(params=["in memory", "in a directory"])
def make(request: pytest.FixtureRequest, open_history: Callable[..., History]) -> Callable[..., History]:
    """A new history of so many entries."""
    return (lambda max_entries=1000: History.in_memory(max_entries)) if request.param == "in memory" else open_history


def test_an_execution_is_told_with_what_was_known_at_its_start_and_its_end(make: Callable[..., History]) -> None:
    """H01"""
    history = make()
    execution = history.action_execution_started("notify", "watcher:idle-check", "command", started_at=START)
    history.action_execution_completed(
        "notify", True, output="notified", duration_ms=150, completed_at=START + 151, execution_id=execution
    )
    (found,) = history.recent_action_executions(10)
    assert (found.id, found.action_id, found.source, found.execution_type) == (
        execution,
        "notify",
        "watcher:idle-check",
        "command",
    )
    assert (found.success, found.output, found.error, found.interrupted) == (True, "notified", None, False)
    assert (found.started_at, found.completed_at, found.duration_ms) == (START, START + 151, 150)


def test_a_failure_is_counted_and_its_error_kept(make: Callable[..., History]) -> None:
    """H02"""
    history = make()
    history.action_execution_started("deploy", "cron:nightly")
    history.action_execution_completed("deploy", success=False, error="connection refused", duration_ms=5000)
    stats = history.action_stats("deploy")
    assert (stats.total_executions, stats.successes, stats.failures) == (1, 0, 1)
    assert history.recent_action_executions(1)[0].error == "connection refused"


def test_a_cleanup_is_told_with_all_its_fields(make: Callable[..., History]) -> None:
    """H03"""
    history = make()
    history.cleanup_executed("stale-locks", "lock:deploy", "release", True, executed_at=START)
    found = history.recent_cleanup_operations(10)[0]
    assert (found.scanner_id, found.resource_id, found.action) == ("stale-locks", "lock:deploy", "release")
    assert (found.success, found.error, found.executed_at) == (True, None, START)


def test_a_history_is_the_same_after_it_was_closed(open_history: Callable[..., History]) -> None:
    """H04"""
    history = open_history()
    history.action_execution_completed("a", True, duration_ms=10, completed_at=START)
    history.cleanup_executed("s", "lock:x", "release", executed_at=START)
    before = history.recent_action_executions(10), history.recent_cleanup_operations(10), history.action_stats("a")
    history.close()
    history = open_history()
    assert (history.recent_action_executions(10), history.recent_cleanup_operations(10), history.action_stats("a")) == before


def test_a_completion_without_a_start_is_legal(make: Callable[..., History]) -> None:
    """H05"""
    history = make(max_entries=5)
    for number in range(10):
        history.action_execution_completed(f"action-{number}", True, duration_ms=100, completed_at=START)
    found = history.recent_action_executions(100)
    assert [execution.action_id for execution in found] == [f"action-{number}" for number in range(9, 4, -1)]
    assert found[0].started_at == START - 100


def test_stats_of_a_few_runs(make: Callable[..., History]) -> None:
    """H06"""
    history = make()
    for number, duration in enumerate((100, 150, 200, 250, 300)):
        history.action_execution_completed("a", number % 2 == 0, duration_ms=duration)
    stats = history.action_stats("a")
    assert (stats.successes, stats.failures, stats.avg_duration_ms, stats.p95_duration_ms) == (3, 2, 200, 300)


def test_the_newest_come_first(make: Callable[..., History]) -> None:
    """H07"""
    history = make()
    for number in range(20):
        history.action_execution_completed(f"a{number}", True)
    assert [found.action_id for found in history.recent_action_executions(5)] == ["a19", "a18", "a17", "a16", "a15"]


def test_stats_of_nothing_are_zeros(make: Callable[..., History]) -> None:
    """H08"""
    stats = make().action_stats("never")
    assert (stats.total_executions, stats.failures, stats.avg_duration_ms, stats.p95_duration_ms, stats.last_run_at) == (
        0,
        0,
        0,
        0,
        None,
    )


def test_a_failed_cleanup_says_why(make: Callable[..., History]) -> None:
    """H09"""
    history = make()
    history.cleanup_executed("s", "lock:a", "release")
    history.cleanup_executed("s", "lock:b", "release", success=False, error="busy")
    assert [(found.resource_id, found.success, found.error) for found in history.recent_cleanup_operations(10)] == [
        ("lock:b", False, "busy"),
        ("lock:a", True, None),
    ]


def test_a_history_is_a_ring() -> None:
    """H10"""
    history = History.in_memory(max_entries=1000)
    for number in range(1100):
        history.action_execution_completed(f"#{number}", True, completed_at=START + number)
    found = history.recent_action_executions(5000)
    assert (len(found), found[0].action_id, found[-1].action_id) == (1000, "#1099", "#100")
    assert len(list(history.journal.records())) <= 1000


def test_two_executions_of_one_action_do_not_meet(make: Callable[..., History]) -> None:
    """H11"""
    history = make()
    first = history.action_execution_started("deploy", "cron:nightly", started_at=START)
    second = history.action_execution_started("deploy", "manual:alice", started_at=START + 10)
    history.action_execution_completed("deploy", True, duration_ms=70, execution_id=second)
    history.action_execution_completed("deploy", False, duration_ms=500, execution_id=first)
    found = {execution.source: (execution.success, execution.duration_ms) for execution in history.recent_action_executions(10)}
    assert found == {"cron:nightly": (False, 500), "manual:alice": (True, 70)}


def test_completions_without_ids_are_matched_in_order(make: Callable[..., History]) -> None:
    """H11"""
    history = make()
    for source in ("cron:nightly", "api"):
        history.action_execution_started("deploy", source)
    for duration in (1, 2):
        history.action_execution_completed("deploy", True, duration_ms=duration)
    assert [(found.source, found.duration_ms) for found in history.recent_action_executions(10)] == [
        ("api", 2),
        ("cron:nightly", 1),
    ]


DYING = """
import sys
from holdfast.history import History
history = History.open(sys.argv[1])
history.action_execution_started("deploy", "cron:nightly", "command")
sys.stdout.write("begun\\n")
sys.stdout.flush()
sys.stdin.read()
"""


def test_what_a_dead_process_had_begun_is_shown_as_interrupted(tmp_path: Path, open_history: Callable[..., History]) -> None:
    """H12"""
    command = [sys.executable, "-c", DYING, str(tmp_path / "history")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        meanwhile = open_history().recent_action_executions(10)
        assert [(found.success, found.interrupted) for found in meanwhile] == [(None, False)]  # it lives
        process.send_signal(signal.SIGKILL)
        process.wait()
    for _ in range(2):  # and only once
        history = open_history()
        assert [(found.success, found.interrupted) for found in history.recent_action_executions(10)] == [(False, True)]
        stats = history.action_stats("deploy")
        assert (stats.total_executions, stats.interrupted, stats.failures) == (1, 1, 0)


def test_compaction_and_replay_change_nothing(open_history: Callable[..., History]) -> None:
    """H13, H14"""
    history = open_history()
    for number in range(30):
        history.action_execution_completed("a", number % 3 > 0, duration_ms=number)
    before = history.recent_action_executions(100), history.action_stats("a")
    for care in (
        lambda: history.journal.compact(keep_runs=0, at=1.0),
        history.journal.replay,
        history.journal.replay,
    ):
        care()
        assert (history.recent_action_executions(100), history.action_stats("a")) == before


def test_what_cannot_be_in_a_history_is_refused_before_it_is(make: Callable[..., History]) -> None:
    history = make()
    for wrong in (
        {"action_id": None, "success": True},
        {"action_id": "a", "success": "yes"},
        {"action_id": "a", "success": True, "duration_ms": "5"},
    ):
        with pytest.raises(TypeError, match="cannot be"):
            history.action_execution_completed(**wrong)
    assert history.recent_action_executions() == []
    with pytest.raises(ValueError, match="at least 1"):
        History.in_memory(max_entries=0)


def test_a_closed_history_says_so(make: Callable[..., History]) -> None:
    history = make()
    history.close()
    with pytest.raises(WorldError, match="closed"):
        history.recent_action_executions()


def test_the_history_of_a_state_directory_is_that_of_its_engine(tmp_path: Path) -> None:
    with holdfast.open(tmp_path) as hf:
        hf.apply(holdfast.parse({"holdfast": 1, "name": "nightly", "on": "memory", "steps": [{"dir": "/a"}]}))
    with History.open(tmp_path) as history:
        assert [execution.action_id for execution in history.recent_action_executions()] == ["nightly"]
