"""Two processes and one state directory."""

from __future__ import annotations

import json

from tests.cli.conftest import Shell, ended, holding, let_go

FILE = "file: a\ncontent: x\nid: a"


def test_a_second_run_waits_for_the_first_and_says_for_whom(shell: Shell) -> None:
    first = holding(shell, "--json")
    plan = shell.steps("file: a\ncontent: y", name="second.yaml", plan="second")
    second = shell.start("apply", plan, "--yes")
    assert second.stderr is not None
    waiting = second.stderr.readline()
    run = shell.json("show", "last")["run"]
    assert "waiting" in waiting and "a" in waiting
    assert let_go(shell, first).document["ending"] == "committed"
    assert ended(second).code == 0
    assert (shell.home / "a").read_text() == "y"
    assert shell.json("show", run)["ending"] == "committed"


def test_who_does_not_want_to_wait_is_refused_with_the_holder(shell: Shell) -> None:
    first = holding(shell, "--json")
    holder = shell.json("locks")["locks"][0]
    plan = shell.steps("file: a\ncontent: y", name="second.yaml", plan="second")
    refused = shell.run("apply", plan, "--yes", "--no-wait", "--json")
    (error,) = refused.document["errors"]
    assert (refused.code, error["code"], error["retryable"]) == (4, "locked", True)
    assert holder["run"] in error["message"]
    assert set(holder) == {"id", "key", "run", "owner", "since", "fence"}
    assert holder["key"] == f"local:{shell.home}/a"
    let_go(shell, first)
    assert shell.json("locks") == {"locks": []}


def test_runs_on_different_resources_do_not_wait_for_each_other(shell: Shell) -> None:
    first = holding(shell, "--json")
    plan = shell.steps("file: b\ncontent: y", name="second.yaml", plan="second")
    assert shell.run("apply", plan, "--yes", "--no-wait").code == 0
    let_go(shell, first)


def test_a_run_that_lives_is_never_recovered(shell: Shell) -> None:
    first = holding(shell, "--json")
    assert shell.json("recover") == {"recovered": []}
    assert let_go(shell, first).document["ending"] == "committed"


def test_whoever_loses_a_lock_by_force_is_refused_from_then_on(shell: Shell) -> None:
    first = holding(shell, "--json")
    lock = shell.json("locks")["locks"][0]["id"]
    assert shell.json("locks", "break", lock[:-1])["error"]["code"] == "not_found", "only its exact id is meant"
    broken = shell.json("locks", "break", lock)
    assert broken["locks"][0]["id"] == lock
    (shell.home / "go").touch()
    lost = ended(first)
    assert lost.code != 0
    assert lost.document["error"]["code"] == "wrong_state"


def test_a_run_is_kept_when_somebody_confirms_it(shell: Shell) -> None:
    process = shell.start("apply", shell.steps(FILE), "--yes", "--confirm-within", "30s")
    assert process.stderr is not None
    lines = iter(process.stderr.readline, "")
    asked = next(line for line in lines if "to confirm" in line)
    run = asked.split()[-1]
    assert shell.json("show", run)["state"] == "confirming"
    assert shell.run("confirm", run).code == 0
    assert ended(process).code == 0


def test_a_run_that_nobody_confirms_is_rolled_back(shell: Shell) -> None:
    ended_ = shell.run("apply", shell.steps(FILE), "--yes", "--confirm-within", "50ms", "--json")
    assert (ended_.code, ended_.document["ending"], ended_.document["errors"][0]["code"]) == (1, "rolled_back", "unconfirmed")
    assert not (shell.home / "a").exists()


def test_following_sees_events_of_another_process_until_the_run_is_over(shell: Shell) -> None:
    first = holding(shell, "--json")
    follower = shell.start("events", "last", "--follow", "--json")
    assert follower.stdout is not None
    assert json.loads(follower.stdout.readline())["type"] == "run.created"
    let_go(shell, first)
    types = [json.loads(line)["type"] for line in ended(follower).out.splitlines()]
    assert "run.committed" in types
