"""With `--json` standard output holds exactly one document, of the promised shape."""

from __future__ import annotations

import json
import re

import pytest

from tests.cli.conftest import Shell

FILE = "file: a\ncontent: x\nid: a"
LISTS = {"executed", "unchanged", "failed", "rolled_back", "skipped", "residue", "errors", "tasks"}
RUN = {"run", "plan", "ending", "source", "started_at", "duration_s", *LISTS}
STEP = {"id", "kind", "state", "guarantee", "attempts", "duration_s"}
CHANGE = {"step", "resource", "action", "before", "after", "diff", "guarantee"}


def test_a_run_is_told_in_full(shell: Shell) -> None:
    applied = shell.process("apply", shell.steps(FILE), "--yes", "--json")
    document = applied.document
    assert set(document) >= RUN and applied.err == ""
    assert document["plan"]["name"] == "demo" and document["plan"]["digest"].startswith("sha256:")
    (task,) = document["tasks"]
    (stage,) = task["stages"]
    assert (task["name"], task["target"], task["state"], stage["state"]) == ("main", "local", "completed", "committed")
    assert set(stage["steps"][0]) >= STEP
    assert document["started_at"].endswith("Z") and len(document["started_at"]) == 24
    assert shell.json("show", document["run"][:12]) == document


def test_a_failed_run_names_step_code_message_and_hint(shell: Shell) -> None:
    document = shell.json("apply", shell.steps(FILE, "command: 'false'\nundo: 'true'\nneeds: [a]\nid: boom"), "--yes")
    assert document["failed"] == ["boom"] and document["rolled_back"] == ["a"]
    (error,) = document["errors"]
    assert set(error) >= {"step", "code", "message", "hint", "retryable"}
    assert (error["step"], error["code"]) == ("boom", "command_failed")


def test_a_plan_lists_its_changes(shell: Shell) -> None:
    document = shell.json("plan", shell.steps(FILE, "command: 'true'\nid: c"))
    assert set(document) == {"plan", "digest", "changes", "problems", "irreversible", "warnings"}
    first, second = document["changes"]
    assert set(first) == set(second) == CHANGE
    assert (first["resource"], first["action"], first["before"]) == (f"local:{shell.home}/a", "create", None)
    assert (second["action"], document["irreversible"]) == ("run", ["c"])


def test_problems_of_a_plan_have_a_step_a_word_and_a_hint(shell: Shell) -> None:
    (problem,) = shell.json("plan", shell.steps("link: l\nto: /nowhere/x\nid: l"))["problems"]
    assert set(problem) == {"step", "code", "message", "hint", "where"}
    assert (problem["step"], problem["code"]) == ("l", "source_not_found")


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("runs",), {"runs"}),
        (("events", "last"), {"events"}),
        (("locks",), {"locks"}),
        (("locks", "list"), {"locks"}),
        (("history",), {"executions", "cleanups"}),
        (("history", "--cleanups"), {"executions", "cleanups"}),
        (("stats",), {"actions", "runs"}),
        (("recover",), {"recovered"}),
        (("doctor",), {"checks"}),
        (("journal", "verify"), {"ok", "records", "problems"}),
        (("journal", "export"), {"events"}),
        (("--version",), {"version"}),
    ],
)
def test_other_documents_are_named_after_what_they_hold(shell: Shell, words: tuple[str, ...], names: set[str]) -> None:
    shell.run("apply", shell.steps(FILE), "--yes")
    before, after = shell.run("--json", *words), shell.run(*words, "--json") if words != ("--version",) else None
    assert set(before.document) == names
    assert before.err == ""
    assert after is None or set(after.document) == names


def test_an_event_has_its_numbers_and_its_place(shell: Shell) -> None:
    shell.run("apply", shell.steps(FILE), "--yes")
    events = shell.json("events", "last")["events"]
    assert [event["plan_seq"] for event in events] == list(range(1, len(events) + 1))
    applied = next(event for event in events if event["type"] == "step.applied")
    assert (applied["task"], applied["stage"], applied["step"]) == ("main", "main", "a")
    assert {"seq", "at", "run", "task_seq", "data"} <= set(applied)
    later = shell.json("events", "last", "--since", str(events[-2]["seq"]))["events"]
    assert later == events[-1:]


def test_every_task_is_told_with_the_run_and_begins_its_own_count(shell: Shell) -> None:
    shell.write("two.yaml", "holdfast: 1\nname: two\ntasks: [{name: a, steps: [{dir: d1}]}, {name: b, steps: [{dir: d2}]}]\n")
    shell.run("apply", "two.yaml", "--yes")
    events = shell.json("events", "last")["events"]
    assert [(event["type"], event.get("task"), event.get("task_seq")) for event in events[:3]] == [
        ("run.created", None, None),
        ("task.created", "a", 1),
        ("task.created", "b", 1),
    ]
    assert [event["plan_seq"] for event in events] == list(range(1, len(events) + 1))


def test_following_prints_one_event_per_line_and_ends_with_the_run(shell: Shell) -> None:
    shell.run("apply", shell.steps(FILE), "--yes")
    lines = shell.run("events", "last", "--follow", "--json").out.splitlines()
    assert [json.loads(line) for line in lines] == shell.json("events", "last")["events"]


def test_an_export_is_one_event_per_line(shell: Shell) -> None:
    shell.run("apply", shell.steps(FILE), "--yes")
    lines = [json.loads(line) for line in shell.run("journal", "export").out.splitlines()]
    assert lines == shell.json("journal", "export")["events"]
    assert lines[0]["type"] == "run.created"


def test_control_commands_print_the_document_of_the_run(shell: Shell) -> None:
    run = shell.json("apply", shell.steps(FILE), "--yes")["run"]
    document = shell.json("rollback", run[:14].lower(), "--yes")
    assert (document["run"], document["ending"], document["rolled_back"]) == (run, "rolled_back", ["a"])


def test_an_error_is_a_document_as_well(shell: Shell) -> None:
    for words in (("show", "nope"), ("apply", "nowhere.yaml"), ("frobnicate",), ("runs", "--limit")):
        ended = shell.run("--json", *words)
        assert set(ended.document["error"]) >= {"code", "message", "hint"}
        assert ended.err == ""


def test_names_that_are_no_text_still_make_a_document(shell: Shell) -> None:
    odd = b"caf\xe9 \x1b[31m"
    (shell.home / "tree").mkdir()
    with open(bytes(shell.home / "tree") + b"/" + odd, "w") as file:
        file.write("x")
    ended = shell.process("plan", shell.steps("tree: copy\nsource: tree"), "--json")
    assert ended.code == 0, ended
    assert ended.out.isascii() and "\x1b" not in ended.out
    assert ended.document["changes"]


def test_times_within_events_are_written_like_all_times(shell: Shell) -> None:
    shell.run("apply", shell.steps("file: a\ncontent: x"), "--yes", "--confirm-within", "10ms")
    events = {event["type"]: event for event in shell.json("events", "last")["events"]}
    moments = events["run.started"]["data"]["at"], events["run.confirming"]["data"]["until"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", moment) for moment in moments)
