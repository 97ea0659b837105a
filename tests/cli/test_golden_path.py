"""From a plan to a run and back, as real processes."""

from __future__ import annotations

from tests.cli.conftest import Shell

CONF = "file: app/app.conf\ncontent: |\n  release=1\nmode: '0640'\nid: conf"
LINK = "link: app/current\nto: app.conf\nid: current"


def test_plan_then_apply_then_look_then_undo(shell: Shell) -> None:
    plan = shell.steps("dir: app\nid: app", CONF, LINK)
    app = shell.home / "app"

    planned = shell.process("plan", plan)
    assert planned.code == 0
    assert "+ local:" in planned.out and "+release=1" in planned.out and "3 to create" in planned.out
    assert not app.exists()
    assert not shell.state.exists(), "planning writes nothing"

    applied = shell.process("apply", plan, "--yes")
    assert applied.code == 0
    assert applied.out.startswith("committed  demo  3 executed")
    assert "applied" in applied.err
    assert (app / "current").read_text() == "release=1\n"

    assert "committed" in shell.process("runs").out
    shown = shell.process("show", "last")
    assert "conf" in shown.out and "└─" in shown.out
    assert "step.applied" in shell.process("events", "last").out

    undone = shell.process("rollback", "last", "--yes")
    assert undone.code == 0
    assert undone.out.startswith("rolled back")
    assert not app.exists()


def test_applying_again_changes_nothing(shell: Shell) -> None:
    plan = shell.steps(CONF.replace("app/", ""))
    shell.run("apply", plan, "--yes")
    again = shell.run("apply", plan, "--yes", "--json")
    assert (again.code, again.document["ending"], again.document["unchanged"]) == (0, "unchanged", ["conf"])


def test_a_failing_step_takes_everything_back(shell: Shell) -> None:
    plan = shell.steps("file: a\ncontent: x\nid: a", "command: 'false'\nneeds: [a]\nundo: 'true'\nid: boom")
    failed = shell.run("apply", plan, "--yes")
    assert failed.code == 1
    assert "everything is as it was before" in failed.out
    assert "command_failed" in failed.out
    assert not (shell.home / "a").exists()


def test_a_plan_from_standard_input(shell: Shell) -> None:
    text = "holdfast: 1\nname: piped\nsteps:\n  - file: here\n    content: x\n"
    assert shell.process("plan", "-", text=text).code == 0
    assert shell.process("apply", "-", "--yes", text=text).code == 0
    assert (shell.home / "here").read_text() == "x"


def test_the_source_of_a_run_is_who_started_it_or_what_it_says(shell: Shell) -> None:
    plan = shell.steps("file: a\ncontent: x")
    assert shell.json("apply", plan, "--yes")["source"] == "manual:alice"
    assert shell.json("apply", plan, "--yes", "--source", "ci:42")["source"] == "ci:42"


def test_a_dry_run_shows_the_plan_and_touches_nothing(shell: Shell) -> None:
    plan = shell.steps("file: a\ncontent: x")
    dry = shell.run("apply", plan, "--dry-run")
    assert dry.code == 0 and "1 to create" in dry.out
    assert not (shell.home / "a").exists() and not shell.state.exists()


def test_the_reverse_of_a_plan_shows_what_undoing_it_would_do(shell: Shell) -> None:
    plan = shell.steps("dir: app\nid: app", CONF)
    reverse = shell.json("plan", plan, "--show", "reverse")["changes"]
    assert [(change["step"], change["action"]) for change in reverse] == [("conf", "delete"), ("app", "delete")]


def test_history_and_stats_count_what_ran(shell: Shell) -> None:
    good, bad = shell.steps("file: a\ncontent: x"), shell.steps("command: 'false'\nundo: 'true'", name="bad.yaml", plan="bad")
    shell.run("apply", good, "--yes")
    shell.run("apply", bad, "--yes")
    history = shell.json("history")["executions"]
    assert [(each["action_id"], each["success"]) for each in history] == [("bad", False), ("demo", True)]
    assert all(each["started_at"].endswith("Z") and each["execution_type"] == "plan" for each in history)
    stats = shell.json("stats")
    assert {each["action_id"]: (each["successes"], each["failures"]) for each in stats["actions"]} == {
        "bad": (0, 1),
        "demo": (1, 0),
    }
    assert stats["runs"] == {"total": 2, "by_ending": {"committed": 1, "rolled_back": 1}}
    assert "bad" in shell.run("history").out and "█" in shell.run("stats").out
    assert shell.run("stats", "nothing").code == 4


def test_runs_are_listed_by_ending_and_plan(shell: Shell) -> None:
    plan = shell.steps("file: a\ncontent: x")
    for _ in range(2):
        shell.run("apply", plan, "--yes")
    assert [run["ending"] for run in shell.json("runs")["runs"]] == ["unchanged", "committed"]
    assert len(shell.json("runs", "--ending", "committed")["runs"]) == 1
    assert len(shell.json("runs", "--limit", "1")["runs"]) == 1
    assert shell.json("runs", "--plan", "other") == {"runs": []}
