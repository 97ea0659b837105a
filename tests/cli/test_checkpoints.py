"""Checkpoints, drift and rehearsals on the command line."""

from __future__ import annotations

from tests.cli.conftest import Shell

FILE = "file: a\ncontent: |\n  one\nid: a"


def _applied(shell: Shell) -> str:
    plan = shell.steps(FILE)
    shell.run("apply", plan, "--yes")
    return plan


def test_no_drift_right_after_a_run(shell: Shell) -> None:
    _applied(shell)
    assert (shell.run("drift").code, shell.json("drift")) == (0, {"drift": []})


def test_drift_exits_2_and_shows_both_states(shell: Shell) -> None:
    _applied(shell)
    (shell.home / "a").write_text("somebody else")
    ended = shell.run("drift")
    assert ended.code == 2
    assert "recorded" in ended.out and "found" in ended.out and "1 resource drifted" in ended.out
    (drift,) = shell.json("drift")["drift"]
    assert set(drift) == {"resource", "recorded", "found"}
    assert drift["resource"] == f"local:{shell.home}/a"
    assert shell.run("drift", "--plan", "demo").code == 2


def test_drift_of_an_unknown_plan_is_not_found(shell: Shell) -> None:
    _applied(shell)
    assert shell.run("drift", "--plan", "ghost", "--json").document["error"]["code"] == "not_found"


def test_looking_for_drift_makes_no_state_directory(shell: Shell) -> None:
    assert shell.run("drift").code == 0
    assert not shell.state.exists()


def test_a_checkpoint_is_gone_back_to_by_a_run_of_its_own(shell: Shell) -> None:
    _applied(shell)
    assert "1 resource kept as good" in shell.run("checkpoint", "create", "good").out
    (shell.home / "a").write_text("broken\n")

    diff = shell.run("checkpoint", "diff", "good")
    assert diff.code == 0 and "-broken" in diff.out and "+one" in diff.out
    assert shell.run("checkpoint", "restore", "good").code == 4, "it asks first"
    restored = shell.run("checkpoint", "restore", "good", "--yes", "--json")
    assert (restored.code, restored.document["ending"]) == (0, "committed")
    assert (shell.home / "a").read_text() == "one\n"

    assert shell.run("rollback", "last", "--yes").code == 0
    assert (shell.home / "a").read_text() == "broken\n"


def test_checkpoints_are_listed_shown_and_forgotten(shell: Shell) -> None:
    _applied(shell)
    shell.run("checkpoint", "create", "good", "--plan", "demo")
    (listed,) = shell.json("checkpoint", "list")["checkpoints"]
    assert set(listed) == {"name", "created_at", "plan", "resources"}
    assert (listed["name"], listed["plan"], listed["resources"]) == ("good", "demo", [f"local:{shell.home}/a"])
    assert "good" in shell.run("checkpoint", "list").out
    assert f"local:{shell.home}/a" in shell.run("checkpoint", "show", "good").out
    assert shell.json("checkpoint", "show", "good")["states"]
    assert shell.json("checkpoint", "diff", "good")["changes"] == []
    assert shell.run("checkpoint", "delete", "good").code == 0
    assert shell.json("checkpoint", "list") == {"checkpoints": []}


def test_names_of_checkpoints_are_checked(shell: Shell) -> None:
    _applied(shell)
    shell.run("checkpoint", "create", "good")
    assert shell.run("checkpoint", "create", "good", "--json").document["error"]["code"] == "conflict"
    ended = shell.run("checkpoint", "create", "no name", "--json")
    assert (ended.code, ended.document["error"]["code"]) == (2, "invalid_value")
    for words in (("show",), ("diff",), ("delete",), ("restore", "--yes")):
        ended = shell.run("checkpoint", words[0], "ghost", *words[1:], "--json")
        assert (ended.code, ended.document["error"]["code"]) == (4, "not_found")


def test_a_rehearsal_covers_everything_when_everything_can_be_undone(shell: Shell) -> None:
    plan = shell.steps(FILE, "command: touch x\nundo: rm x\nid: c")
    ended = shell.run("rehearse", plan)
    assert ended.code == 0 and "100 %" in ended.out
    document = shell.json("rehearse", plan)
    assert {"coverage", "points", "residue", "irreversible"} <= set(document)
    assert (document["coverage"], document["residue"]) == (100, [])
    assert not (shell.home / "a").exists() and not (shell.home / "x").exists() and not shell.state.exists()


def test_a_rehearsal_names_what_would_be_left_behind(shell: Shell) -> None:
    plan = shell.steps("command: touch x\nirreversible: true\nid: c", "file: a\ncontent: x\nneeds: [c]")
    ended = shell.run("rehearse", plan, "--json")
    assert ended.code == 1
    assert ended.document["irreversible"] == ["c"]
    assert {row["step"] for row in ended.document["residue"]} == {"c"}
    assert "would be left behind" in shell.run("rehearse", plan).out


def test_a_plan_whose_preconditions_fail_cannot_be_rehearsed(shell: Shell) -> None:
    ended = shell.run("rehearse", shell.steps("link: l\nto: /nowhere/x"))
    assert ended.code == 4 and "source_not_found" in ended.out
