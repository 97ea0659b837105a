"""What bad input gets: a place, a word, a hint, exit code 2, and nothing touched."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Shell

HEAD = "holdfast: 1\nname: demo\n"

# what is wrong -> the plan file, the line that is named, the word for it
BAD = {
    "broken YAML": (f"{HEAD}steps: [x\n", 4, "syntax"),
    "a duplicate key": (f"{HEAD}steps:\n  - dir: /a\n    dir: /b\n", 5, "duplicate_key"),
    "an unknown key": (f"{HEAD}steps:\n  - dir: /a\n    modus: '0755'\n", 5, "unknown_key"),
    "an unknown kind": (f"{HEAD}steps:\n  - fil: /a\n", 4, "unknown_kind"),
    "a wrong type": (f"{HEAD}steps:\n  - dir: /a\n    mode: [1]\n", 5, "invalid_value"),
    "a cycle": (f"{HEAD}steps:\n  - {{dir: /a, id: a, needs: [b]}}\n  - {{dir: /b, id: b, needs: [a]}}\n", 4, "cycle"),
    "an unknown need": (f"{HEAD}steps:\n  - {{dir: /a, needs: [ghost]}}\n", 4, "unknown_step"),
    "a duplicate id": (f"{HEAD}steps:\n  - {{dir: /a, id: a}}\n  - {{dir: /b, id: a}}\n", 5, "duplicate_id"),
    "two writers": (f"{HEAD}steps:\n  - {{file: /a, content: x}}\n  - {{file: /a, content: y}}\n", 5, "two_writers"),
    "a NUL byte": (f'{HEAD}steps:\n  - dir: "/a\\0b"\n', 4, "invalid_value"),
    "an undefined variable": (f'{HEAD}steps:\n  - dir: "/${{vars.nope}}"\n', 4, "undefined_variable"),
    "a literal secret": (f"{HEAD}steps:\n  - command: x\n    stdin: {{secret: hunter2}}\n", 5, "literal_secret"),
    "a missing key": ("holdfast: 1\nsteps: []\n", 1, "missing_key"),
    "another version": ("holdfast: 99\nname: demo\nsteps: []\n", 1, "invalid_value"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_plan_file_is_refused_with_its_place(shell: Shell, what: str) -> None:
    text, line, code = BAD[what]
    plan = shell.write("plan.yaml", text)
    for command in (("plan", plan), ("apply", plan, "--yes")):
        problems = shell.json(*command)["error"]["problems"]
        assert code in [problem["code"] for problem in problems], problems
        found = next(problem for problem in problems if problem["code"] == code)
        assert found["where"].startswith(f"plan.yaml:{line}:"), found
        assert found["hint"]
        for_people = shell.run(*command)
        assert for_people.code == 2
        assert f"plan.yaml:{line}:" in for_people.err and "hint" in for_people.err and for_people.out == ""
    assert not shell.state.exists()


def test_a_cycle_is_named_by_its_path(shell: Shell) -> None:
    plan = shell.write("plan.yaml", BAD["a cycle"][0])
    assert "`a` needs `b` needs `a`" in shell.run("plan", plan).err


def test_every_problem_is_listed_not_only_the_first(shell: Shell) -> None:
    plan = shell.steps("dir: /a\nbogus: 1", "fil: /b", "dir: /c\nmode: x")
    assert len(shell.json("plan", plan)["error"]["problems"]) == 3


def test_a_missing_plan_file_is_a_clean_error(shell: Shell) -> None:
    ended = shell.run("apply", "nowhere.yaml", "--yes")
    assert ended.code == 2
    assert "nowhere.yaml" in ended.err and "Traceback" not in ended.err


@pytest.mark.parametrize(
    "words", [("apply",), ("applyy",), ("runs", "--limit", "x"), ("apply", "p", "--on-failure", "pray"), ("--nope",)]
)
def test_bad_arguments_exit_2_and_say_where_help_is(shell: Shell, words: tuple[str, ...]) -> None:
    ended = shell.run(*words)
    assert ended.code == 2
    assert "--help" in ended.err and ended.out == ""
    assert shell.json(*words)["error"]["code"] == "invalid_value"


def test_a_wrong_command_is_answered_with_a_guess(shell: Shell) -> None:
    assert "did you mean `apply`?" in shell.run("aply", "x.yaml").err
    assert "did you mean `verify`?" in shell.run("journal", "verfy").err


def test_bytes_that_are_no_text_are_a_clean_problem(shell: Shell) -> None:
    (shell.home / "plan.yaml").write_bytes(b"\xff\xfe\x00")
    assert shell.run("plan", "plan.yaml").code == 2


def test_a_saved_plan_that_was_cut_off_is_a_clean_problem(shell: Shell) -> None:
    plan = shell.write("cut.json", '{"holdfast_saved_plan": 1, "digest"')
    assert "plan again" in shell.run("apply", plan, "--yes").err


def test_the_root_of_a_file_system_is_never_removed(shell: Shell) -> None:
    ended = shell.run("plan", shell.steps("remove: /\nrecursive: true"), "--json")
    assert (ended.code, ended.document["error"]["code"]) == (2, "invalid_value")


def test_the_error_is_a_document_wherever_json_was_asked_for(shell: Shell) -> None:
    for words in (
        ["--json", "runs", "--limit"],
        ["--json", "--state"],
        ["plan", "--json", "--out"],
        ["--json", "plan", "--bogus"],
    ):
        ended = shell.run(*words)
        assert (ended.code, ended.document["error"]["code"], ended.err) == (2, "invalid_value", "")


def test_a_name_that_is_no_text_names_nothing(shell: Shell) -> None:
    shell.run("apply", shell.steps("file: a\ncontent: x"), "--yes")
    for words in (["show", "\udcff"], ["runs", "--plan", "\udcff"], ["checkpoint", "show", "\udcff"]):
        ended = shell.run(*words, "--json")
        assert (ended.code, ended.document["error"]["code"]) == (4, "not_found")


def test_a_directory_is_no_plan_file(shell: Shell) -> None:
    ended = shell.run("plan", ".")
    assert ended.code == 2 and "Is a directory" in ended.err and "name a file in it" in ended.err


def test_the_events_of_a_refused_run_say_why_in_words(shell: Shell) -> None:
    assert shell.run("apply", shell.steps("link: a\nto: /nowhere/b"), "--yes").code == 4
    told = shell.run("events", "last").out
    assert "problems=`/nowhere/b`, where the link is to lead" in told
    assert "policy=on_failure: rollback, scope: plan" in told
