"""Several runs want the same things: they get them in the order in which they came, over all processes."""

from __future__ import annotations

import subprocess

from tests.cli.conftest import Shell, ended, holding, let_go


def queued(shell: Shell, name: str) -> tuple[subprocess.Popen[str], str]:
    """A run of a plan of this name, in a process of its own, that waits; and its id."""
    plan = shell.steps(
        f"file: a\ncontent: {name}", f"command: echo {name} >> order\nshell: true\nundo: 'true'", name=f"{name}.yaml", plan=name
    )
    process = shell.start("apply", plan, "--yes", "--json")
    rows = shell.until(lambda: [row for row in waiting(shell) if row["plan"] == name])
    return process, rows[0]["run"]


def waiting(shell: Shell) -> list[dict[str, str]]:
    found = shell.json("locks").get("waiting", [])
    plans = {row["run"]: row["plan"]["name"] for row in shell.json("runs")["runs"]}
    return [{**row, "plan": plans[row["run"]]} for row in found]


def test_whoever_came_first_goes_first(shell: Shell) -> None:
    first = holding(shell, "--json")
    others = [queued(shell, name) for name in ("one", "two", "three")]
    assert [row["plan"] for row in waiting(shell)] == ["one", "two", "three"]
    let_go(shell, first)
    assert [ended(process).document["ending"] for process, _ in others] == ["committed"] * 3
    assert (shell.home / "order").read_text().split() == ["one", "two", "three"]
    assert shell.json("locks") == {"locks": []}


def test_a_waiting_run_tells_behind_whom(shell: Shell) -> None:
    first = holding(shell, "--json")
    holder = shell.json("locks")["locks"][0]["run"]
    (one, run), (two, second) = queued(shell, "one"), queued(shell, "two")
    document = shell.json("show", run)
    assert (document["ending"], document["state"], document["waits"]["behind"]) == (None, "queued", holder)
    assert f"local:{shell.home}/a" in document["waits"]["keys"]
    assert shell.json("show", second)["waits"]["behind"] == run
    assert run in shell.run("show", second).out
    assert run in shell.run("locks").out
    let_go(shell, first)
    ended(one), ended(two)
    assert "waits" not in shell.json("show", run)


def test_nobody_slips_past_those_who_wait(shell: Shell) -> None:
    first = holding(shell, "--json")
    wide = shell.steps("file: a\ncontent: w", "file: b\ncontent: w", name="wide.yaml", plan="wide")
    process = shell.start("apply", wide, "--yes", "--json")
    run = shell.until(lambda: waiting(shell))[0]["run"]
    narrow = shell.steps("file: b\ncontent: n", name="narrow.yaml", plan="narrow")
    refused = shell.run("apply", narrow, "--yes", "--no-wait", "--json")
    assert (refused.code, refused.document["errors"][0]["code"]) == (4, "locked")
    assert run in refused.document["errors"][0]["message"]
    let_go(shell, first)
    assert ended(process).code == 0
    assert shell.run("apply", narrow, "--yes", "--no-wait").code == 0


def test_the_place_of_whoever_dies_is_free(shell: Shell) -> None:
    first = holding(shell, "--json")
    (dead, _), (lives, _) = queued(shell, "one"), queued(shell, "two")
    dead.kill()
    dead.wait()
    assert [row["plan"] for row in waiting(shell)] == ["two"]
    let_go(shell, first)
    assert ended(lives).document["ending"] == "committed"
    shell.run("recover")
    assert (shell.home / "order").read_text().split() == ["two"]


def test_a_run_that_waits_can_be_cancelled_from_elsewhere(shell: Shell) -> None:
    first = holding(shell, "--json")
    (one, run), (two, _) = queued(shell, "one"), queued(shell, "two")
    assert shell.run("cancel", run).code == 0
    cancelled = ended(one)
    assert (cancelled.code, cancelled.document["ending"]) == (1, "rolled_back")
    assert cancelled.document["errors"][0]["code"] == "cancelled"
    assert [row["plan"] for row in waiting(shell)] == ["two"]
    let_go(shell, first)
    assert ended(two).code == 0


def test_what_the_dead_holder_left_is_finished_before_the_next_one_begins(shell: Shell) -> None:
    """Else it would build on what is half-done, and the dead run could never be taken back."""
    (shell.home / "a").write_text("old")
    first = holding(shell, "--json")
    holder = shell.json("locks")["locks"][0]["run"]
    process, run = queued(shell, "next")
    first.kill()
    first.wait()
    assert ended(process).document["ending"] == "committed"
    left = shell.json("show", holder)
    assert (left["ending"], left["residue"]) == ("rolled_back", [])
    taken_back = max(event["seq"] for event in shell.json("events", holder)["events"] if event["type"] == "run.rolled_back")
    begun = min(event["seq"] for event in shell.json("events", run)["events"] if event["type"] == "run.started")
    assert taken_back < begun
