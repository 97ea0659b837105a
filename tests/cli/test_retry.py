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


def test_from_scratch_what_stands_is_kept_and_remembered(shell: Shell) -> None:
    plan = shell.write("plan.yaml", STOPPED.replace("GOOD", "9"))
    assert shell.run("apply", plan, "--yes", "--json").code == 3
    again = shell.run("retry", "last", "--from", "scratch", "--json").document
    assert (again["ending"], again["executed"]) == ("partial", ["main/one/1-file"])
    assert shell.run("rollback", "last", "--yes", "--json").document["ending"] == "rolled_back"
    assert not (shell.home / "kept").exists()


def test_a_retry_that_gets_through_has_no_errors_left(shell: Shell) -> None:
    plan = shell.write("plan.yaml", STOPPED.replace("GOOD", "2").replace("stop", "rollback"))
    assert shell.run("apply", plan, "--yes", "--json").code == 1
    again = shell.run("retry", "last", "--json").document
    assert (again["ending"], again["errors"]) == ("committed", [])
    assert shell.run("show", "last", "--json").document["errors"] == []
