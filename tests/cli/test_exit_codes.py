"""Every exit code of the table, by what leads to it."""

from __future__ import annotations

import os

import pytest

from holdfast.cli import codes
from holdfast.core.errors import CODES
from tests.cli.conftest import Shell

FILE = "file: a\ncontent: x\nid: a"
BOOM = "command: 'false'\nundo: 'true'\nneeds: [a]\nid: boom"


def test_0_committed_and_unchanged(shell: Shell) -> None:
    plan = shell.steps(FILE)
    assert [shell.run("apply", plan, "--yes").code for _ in range(2)] == [0, 0]


def test_1_when_everything_was_rolled_back(shell: Shell) -> None:
    assert shell.run("apply", shell.steps(FILE, BOOM), "--yes").code == 1


def test_1_for_an_error_before_anything_was_touched(shell: Shell) -> None:
    (shell.home / "flat").write_text("")
    assert shell.run("--state", str(shell.home / "flat" / "below"), "apply", shell.steps(FILE), "--yes").code == 1


def test_3_partial_where_the_plan_allows_it(shell: Shell) -> None:
    ended = shell.run("apply", shell.steps(FILE, BOOM), "--yes", "--on-failure", "stop", "--json")
    assert (ended.code, ended.document["ending"]) == (3, "partial")


def test_3_stuck_with_what_is_left_and_what_to_do(shell: Shell) -> None:
    plan = shell.steps("command: touch seen\nid: a", BOOM)
    ended = shell.run("apply", plan, "--yes")
    assert ended.code == 3
    assert "left behind" in ended.out and "why" in ended.out and "do " in ended.out


def test_0_when_one_task_is_taken_back_though_the_run_is_partial_then(shell: Shell) -> None:
    tasks = "tasks: [{name: t, each: [{i: 1}, {i: 2}], steps: [{dir: 'd${each.i}'}]}]"
    shell.run("apply", shell.write("plan.yaml", f"holdfast: 1\nname: demo\n{tasks}\n"), "--yes")
    ended = shell.run("rollback", "last", "--task", "t@1", "--yes", "--json")
    assert (ended.code, ended.document["ending"]) == (0, "partial")
    (shell.home / "d2" / "own").mkdir()
    stuck = shell.run("rollback", "last", "--task", "t@2", "--yes", "--json")
    assert (stuck.code, stuck.document["residue"][0]["what_to_do"]) == (3, "move away what is in it, then try again")


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        (("link: l\nto: /nowhere/x",), "source_not_found"),
        (("file: no/such/file\ncontent: x",), "parent_not_found"),
        (("remove: full",), "not_empty"),
        (("dir: flat/d",), "conflict"),
        ((), "empty_plan"),
    ],
)
def test_4_when_a_precondition_does_not_hold(shell: Shell, steps: tuple[str, ...], code: str) -> None:
    (shell.home / "full").mkdir()
    (shell.home / "full" / "x").write_text("")
    (shell.home / "flat").write_text("")
    plan = shell.steps(*steps)
    planned = shell.run("plan", plan, "--json")
    assert planned.code == 4
    assert [problem["code"] for problem in planned.document["problems"]] == [code]
    applied = shell.run("apply", plan, "--yes", "--json")
    assert (applied.code, applied.document["ending"]) == (4, "refused")
    assert [error["code"] for error in applied.document["errors"]] == [code]
    assert applied.document["executed"] == []


@pytest.mark.parametrize(
    "words", [("show", "last"), ("show", "nope"), ("events", "01"), ("cancel", "x"), ("locks", "break", "L9", "-y")]
)
def test_4_for_what_does_not_exist(shell: Shell, words: tuple[str, ...]) -> None:
    ended = shell.run(*words, "--json")
    assert (ended.code, ended.document["error"]["code"]) == (4, "not_found")


def test_4_for_a_command_in_the_wrong_state(shell: Shell) -> None:
    shell.run("apply", shell.steps(FILE), "--yes")
    for verb in ("cancel", "confirm"):
        ended = shell.run(verb, "last", "--json")
        assert (ended.code, ended.document["error"]["code"]) == (4, "wrong_state")
    shell.run("rollback", "last", "--yes")
    for answer in (["--yes"], []):  # nobody is asked first what cannot be done anyway
        ended = shell.run("rollback", "last", "--json", *answer)
        assert (ended.code, ended.document["error"]["code"]) == (4, "wrong_state")


def test_1_when_the_state_directory_cannot_be_looked_into(shell: Shell) -> None:
    shell.state.write_text("")
    ended = shell.run("runs", "--json")
    assert ended.code == 1 and str(shell.state) in ended.document["error"]["message"]


def test_4_when_nobody_can_be_asked(shell: Shell) -> None:
    plan = shell.steps(FILE)
    ended = shell.run("apply", plan, "--json")
    assert (ended.code, ended.document["error"]["code"]) == (4, "missing_confirmation")
    assert not (shell.home / "a").exists() and not shell.state.exists()
    shell.run("apply", plan, "--yes")
    assert shell.run("rollback", "last").code == 4


def test_detailed_exit_codes_are_those_of_terraform(shell: Shell) -> None:
    plan = shell.steps(FILE)
    assert shell.run("plan", plan, "--detailed-exitcode").code == 2
    shell.run("apply", plan, "--yes")
    assert shell.run("plan", plan, "--detailed-exitcode").code == 0
    assert shell.run("plan", shell.steps("fil: x"), "--detailed-exitcode").code == 1
    assert shell.run("plan", shell.steps("link: l\nto: /nowhere/x"), "--detailed-exitcode").code == 1


def test_every_ending_and_every_word_of_an_error_has_a_code() -> None:
    assert set(codes.ENDINGS) == {None, "committed", "unchanged", "rolled_back", "refused", "partial", "stuck"}
    assert set(codes.ERRORS) <= set(CODES)
    assert set(codes.ENDINGS.values()) | set(codes.ERRORS.values()) <= set(codes.MEANINGS)


def test_130_only_for_ones_own_signal() -> None:
    assert codes.of_ending("rolled_back", interrupted=True) == 130
    assert codes.of_ending("rolled_back") == 1
    assert codes.of_ending("committed", interrupted=True) == 0, "the signal came too late"
    assert codes.of_ending("stuck", interrupted=True) == 3, "a person is needed all the same"


def test_a_full_disk_under_the_answer_never_looks_like_nothing_happened(shell: Shell) -> None:
    plan = shell.steps(FILE)
    with open("/dev/full", "w") as full:
        process = shell.start("apply", plan, "--yes", stdout=full)
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "No space left" in complaint
    assert os.path.exists(shell.home / "a")


def test_1_when_all_is_rolled_back_but_what_the_plan_accepted_as_irreversible(shell: Shell) -> None:
    plan = shell.steps("command: touch seen\nirreversible: true\nid: a", BOOM)
    ended = shell.run("apply", plan, "--yes", "--json")
    assert ended.code == 1
    assert ended.document["ending"] == "rolled_back"
    assert [row["step"] for row in ended.document["residue"]] == ["a"]
