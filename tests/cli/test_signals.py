"""Ctrl-C on a run: once, it finishes what is under way and rolls back; twice, it stops at once."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.cli.conftest import WAIT, Shell, ended, hear_signals, holding, interrupt, let_go


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_rolls_back_and_exits_130(shell: Shell, number: signal.Signals) -> None:
    process = holding(shell)
    process.send_signal(number)
    shell.until(lambda: shell.json("show", "last")["state"] == "cancelling")
    stopped = let_go(shell, process)
    assert stopped.code == 130, stopped
    assert "rolled back" in stopped.out and "stopping" in stopped.err
    assert "hold" in stopped.err, "what was under way was finished"
    assert not (shell.home / "a").exists()
    run = shell.json("show", "last")
    assert (run["ending"], run["errors"][0]["code"]) == ("rolled_back", "cancelled")


def test_two_signals_stop_at_once_and_leave_the_rest_to_recover(shell: Shell) -> None:
    process = holding(shell)
    process.send_signal(signal.SIGINT)
    shell.until(lambda: shell.json("show", "last")["state"] == "cancelling")
    process.send_signal(signal.SIGINT)
    stopped = ended(process)
    assert stopped.code == 130 and "holdfast recover" in stopped.err
    assert (shell.home / "a").exists()
    recovered = shell.json("recover")["recovered"]
    assert [each["ending"] for each in recovered] == ["rolled_back"]
    assert not (shell.home / "a").exists()
    assert shell.json("recover") == {"recovered": []}


def test_a_run_that_somebody_else_cancels_exits_1(shell: Shell) -> None:
    process = holding(shell)
    assert shell.json("cancel", "last")["ending"] is None
    shell.until(lambda: shell.json("show", "last")["state"] == "cancelling")
    assert let_go(shell, process).code == 1
    assert shell.json("show", "last")["errors"][0]["code"] == "cancelled"


def test_a_killed_run_is_finished_by_the_next_apply(shell: Shell) -> None:
    process = holding(shell)
    process.kill()
    process.communicate()
    applied = shell.run("apply", shell.steps("file: b\ncontent: x", name="b.yaml", plan="other"), "--yes")
    assert applied.code == 0 and "recovered" in applied.err
    assert not (shell.home / "a").exists()
    assert [run["ending"] for run in shell.json("runs")["runs"]] == ["committed", "rolled_back"]


def test_a_run_whose_process_was_killed_is_shown_as_interrupted_by_whoever_looks(shell: Shell) -> None:
    process = holding(shell)
    assert shell.json("show", "last")["state"] == "running"
    assert shell.json("history")["executions"][0]["interrupted"] is False
    process.kill()
    process.communicate()
    assert shell.json("show", "last")["state"] == "interrupted"
    listed = shell.json("runs")["runs"][0]
    assert (listed["state"], listed["ending"]) == ("interrupted", None)
    assert shell.json("history")["executions"][0]["interrupted"] is True
    assert shell.json("stats")["actions"][0]["interrupted"] == 1


def test_a_run_that_waits_for_a_lock_can_be_interrupted(shell: Shell) -> None:
    first = holding(shell)
    second = shell.start("apply", "plan.yaml", "--yes", preexec_fn=hear_signals)
    assert second.stderr is not None
    assert "waiting" in second.stderr.readline()
    second.send_signal(signal.SIGINT)
    stopped = ended(second)
    assert stopped.code == 130 and "everything is as it was before" in stopped.out
    assert let_go(shell, first).code == 0


def test_a_signal_before_anything_runs_is_a_plain_interruption(shell: Shell) -> None:
    pipe = shell.home / "plan.yaml"
    os.mkfifo(pipe)
    process = shell.start("apply", "plan.yaml", "--yes", preexec_fn=hear_signals)
    writer = shell.until(lambda: _reader_of(pipe))
    assert writer is not None
    interrupt(process)
    stopped = ended(process)
    os.close(writer)
    assert (stopped.code, stopped.err) == (130, "interrupted\n")


def test_a_program_gets_a_document_when_it_is_interrupted_before_anything_ran(shell: Shell) -> None:
    os.mkfifo(pipe := shell.home / "plan.yaml")
    process = shell.start("apply", "plan.yaml", "--yes", "--json", preexec_fn=hear_signals)
    writer = shell.until(lambda: _reader_of(pipe))
    assert writer is not None
    interrupt(process)
    stopped = ended(process)
    os.close(writer)
    assert (stopped.code, stopped.document["error"]["code"], stopped.err) == (130, "cancelled", "")


def test_who_is_interrupted_while_it_finishes_what_a_dead_process_left_begins_nothing_else(shell: Shell) -> None:
    undo = f"command: [touch, done]\nundo: [sh, -c, '{WAIT}']\nid: a\ncwd: {shell.home}"
    hold = "command: [sleep, '60']\nundo: 'true'\nneeds: [a]\nid: b"
    process = shell.start("apply", shell.steps(undo, hold), "--yes")
    shell.until(lambda: states(shell) == ["applied", "applying"])
    process.kill()
    process.communicate()
    other = shell.steps("file: other\ncontent: x", name="other.yaml", plan="other")
    finishing = shell.start("apply", other, "--yes", preexec_fn=hear_signals)
    shell.until(lambda: (shell.home / "held").exists())
    finishing.send_signal(signal.SIGINT)
    assert finishing.stderr is not None
    shell.until(lambda: "stopping" in finishing.stderr.readline())
    stopped = let_go(shell, finishing)
    assert (stopped.code, stopped.out) == (130, "")
    assert not (shell.home / "other").exists()
    assert [run["ending"] for run in shell.json("runs")["runs"]] == ["rolled_back"]


def test_who_takes_a_run_up_and_is_interrupted_exits_130(shell: Shell) -> None:
    second = f"command: [sh, -c, '[ -e ok ] || exit 1; {WAIT}']\nundo: 'true'\ncwd: {shell.home}\nneeds: [a]"
    assert shell.run("apply", shell.steps("file: a\ncontent: x\nid: a", second), "--yes").code == 1
    (shell.home / "ok").touch()
    retrying = shell.start("retry", "last", preexec_fn=hear_signals)
    shell.until(lambda: (shell.home / "held").exists())
    retrying.send_signal(signal.SIGINT)
    shell.until(lambda: shell.json("show", "last")["state"] == "cancelling")
    assert let_go(shell, retrying).code == 130
    assert not (shell.home / "a").exists()


def states(shell: Shell) -> list[str]:
    """Of the steps of the last run, as far as there is one."""
    tasks = shell.json("show", "last").get("tasks", ())
    return [step["state"] for task in tasks for stage in task["stages"] for step in stage["steps"]]


def _reader_of(pipe: Path) -> int | None:
    """A descriptor to write to who reads the pipe; None as long as nobody does."""
    try:
        return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


def killed(shell: Shell) -> None:
    process = holding(shell)
    process.kill()
    process.communicate()
    (shell.home / "go").touch()


@pytest.mark.parametrize("verb", ["cancel", "rollback"])
def test_a_run_whose_process_was_killed_can_be_undone_by_name(shell: Shell, verb: str) -> None:
    killed(shell)
    asked = shell.run(verb, "last", "--json", *(["--yes"] if verb == "rollback" else []))
    assert (asked.code, asked.document["ending"]) == (0, "rolled_back")
    assert not (shell.home / "a").exists()


def test_a_run_whose_process_was_killed_can_be_resumed_by_name(shell: Shell) -> None:
    shell.write(
        "plan.yaml",
        """
        holdfast: 1
        name: staged
        stages:
          - name: one
            steps: [{file: a, content: x}]
          - name: two
            steps: [{command: [sh, -c, "until [ -e go ]; do sleep 0.02; done"], check: [test, -e, go]}]
        """,
    )
    process = shell.start("apply", "plan.yaml", "--yes")
    shell.until(lambda: (shell.home / "a").exists())
    process.kill()
    process.communicate()
    (shell.home / "go").touch()
    assert shell.json("pause", "last")["error"]["code"] == "wrong_state"
    resumed = shell.run("resume", "last", "--json")
    assert (resumed.code, resumed.document["ending"]) == (0, "committed")
    events = [event["type"] for event in shell.json("events", "last")["events"]]
    assert "run.interrupted" in events and events.count("stage.completed") == 2
