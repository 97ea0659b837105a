"""Trying again, from another process."""

from __future__ import annotations

from tests.cli.conftest import Shell

STOPPED = """
    holdfast: 1
    name: twice
    policy: {on_failure: stop}
    stages:
      - name: one
        steps: [{file: kept, content: a}]
      - name: two
        steps: [{command: "echo x >> tries; test $(wc -l < tries) -ge GOOD", shell: true, irreversible: true}]
"""


def test_x05_from_scratch_what_stands_is_undone_and_every_stage_is_run_again(shell: Shell) -> None:
    plan = shell.write("plan.yaml", STOPPED.replace("GOOD", "9"))
    assert shell.run("apply", plan, "--yes", "--json").code == 3
    again = shell.run("retry", "last", "--from", "scratch", "--json").document
    assert (again["ending"], again["executed"]) == ("partial", ["main/one/1-file"])
    types = [(event["type"], event.get("stage")) for event in shell.run("events", "last", "--json").document["events"]]
    assert types.count(("stage.started", "one")) == 2
    assert types.index(("step.undone", "one")) < types.index(("task.retry_started", None))
    assert shell.run("rollback", "last", "--yes", "--json").document["ending"] == "rolled_back"
    assert not (shell.home / "kept").exists()


def test_a_retry_that_gets_through_has_no_errors_left(shell: Shell) -> None:
    plan = shell.write("plan.yaml", STOPPED.replace("GOOD", "2").replace("stop", "rollback"))
    assert shell.run("apply", plan, "--yes", "--json").code == 1
    again = shell.run("retry", "last", "--json").document
    assert (again["ending"], again["errors"]) == ("committed", [])
    assert shell.run("show", "last", "--json").document["errors"] == []


def test_from_scratch_the_same_content_is_written_anew(shell: Shell) -> None:
    """What the plan needs is read again from the world that was taken back."""
    (shell.home / "kept").write_text("before")
    plan = shell.write("plan.yaml", STOPPED.replace("GOOD", "2"))
    assert shell.run("apply", plan, "--yes", "--json").code == 3
    assert shell.run("retry", "last", "--from", "scratch", "--json").document["ending"] == "committed"
    assert (shell.home / "kept").read_text() == "a"
    assert shell.run("rollback", "last", "--yes", "--json").code == 0
    assert (shell.home / "kept").read_text() == "before"


def test_who_asks_for_a_retry_is_told_how_it_ended(shell: Shell) -> None:
    plan = shell.write("plan.yaml", STOPPED.replace("GOOD", "9"))
    shell.run("apply", plan, "--yes")
    again = shell.run("retry", "last")
    assert again.code == 0
    assert "partial  twice" in again.out and "command_failed" in again.out
