"""`holdfast action` and `holdfast trigger`: documents, exit codes, and loops in processes of their own."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from holdfast.app.looking.reading import Reading

from .conftest import Shell, ended, hear_signals

FILE = """\
holdfast: 1
actions:
  backup: {plan: backup.yaml}
  note: {command: [sh, -c, 'echo "${source} ${extra}" >> notes'], vars: {extra: none}, cooldown: 10m}
  bad: {command: 'false'}
  stuck: {plan: stuck.yaml}
cron:
  nightly: {schedule: "0 3 * * *", action: backup}
watchers:
  hot: {source: {file: level}, condition: {exceeds: 100}, interval: 1h, respond: [note]}
scanners:
  spool: {source: {files: "spool/*"}, condition: {stale: 1d}, cleanup: delete, interval: 1h}
"""
TICK = """\
holdfast: 1
actions:
  tick: {command: [sh, -c, 'echo $$ >> ticks']}
cron:
  often: {schedule: "* * * * * *", action: tick, enabled: true}
"""


@pytest.fixture
def home(shell: Shell) -> Path:
    """A home directory with the file of triggers where it is looked for."""
    (shell.home / ".config/holdfast").mkdir(parents=True)
    for name in ("level", "notes"):
        (shell.home / ".config/holdfast" / name).write_text("5\n" if name == "level" else "")
    write(shell, FILE)
    return shell.home / ".config/holdfast"


def write(shell: Shell, text: str) -> None:
    (shell.home / ".config/holdfast/triggers.yaml").write_text(text)


def plan(home: Path, name: str, *steps: str) -> None:
    lines = "".join(f"  - {step}\n" for step in steps)
    (home / f"{name}.yaml").write_text(f"holdfast: 1\nname: {name}\nsteps:\n{lines}")


def test_actions_are_listed_with_what_they_are_and_whether_they_are_ready(shell: Shell, home: Path) -> None:
    shell.run("action", "fire", "note")
    document = shell.json("action", "list")
    assert [(each["name"], each["type"]) for each in document["actions"]][:2] == [("backup", "plan"), ("note", "command")]
    note = document["actions"][1]
    assert (note["cooldown_s"], note["executing"], note["last_success"]) == (600.0, False, True)
    assert 500 < note["remaining_s"] <= 600
    assert "cools down for" in shell.run("action", "list").out


def test_firing_an_action_answers_with_its_execution(shell: Shell, home: Path) -> None:
    document = shell.json("action", "fire", "note", "--var", "extra=x y")
    assert (home / "notes").read_text() == "manual:alice x y\n"
    assert (document["action_id"], document["source"], document["execution_type"]) == ("note", "manual:alice", "command")
    assert document["success"] is True
    (entry,) = shell.json("history")["executions"]
    assert (entry["id"], entry["source"]) == (document["id"], "manual:alice")


def test_an_action_that_fails_exits_1_one_that_cools_down_4_and_an_unknown_one_4(shell: Shell, home: Path) -> None:
    failed = shell.run("action", "fire", "bad", "--json")
    assert (failed.code, failed.document["success"]) == (1, False)
    assert shell.run("action", "fire", "note").code == 0
    rejected = shell.run("action", "fire", "note", "--json")
    assert (rejected.code, rejected.document["error"]["code"]) == (4, "wrong_state")
    assert 500 < rejected.document["error"]["remaining_s"] <= 600
    assert "cools down for another" in rejected.document["error"]["message"]
    unknown = shell.run("action", "fire", "nothing", "--json")
    assert (unknown.code, unknown.document["error"]["code"]) == (4, "not_found")


def test_a_plan_that_is_fired_is_a_run_and_one_that_fails_is_rolled_back(shell: Shell, home: Path) -> None:
    plan(home, "backup", "file: out\n    content: x")
    document = shell.json("action", "fire", "backup")
    (run,) = shell.json("runs")["runs"]
    assert (document["run"], document["ending"]) == (run["run"], "committed")
    assert (run["source"], run["ending"]) == ("manual:alice", "committed")
    plan(home, "backup", "file: out2\n    content: x\n    id: a", "command: 'false'\n    needs: [a]")
    failed = shell.run("action", "fire", "backup", "--json")
    assert (failed.code, failed.document["ending"]) == (1, "rolled_back")
    assert not (home / "out2").exists()


def test_a_plan_that_gets_stuck_exits_3(shell: Shell, home: Path) -> None:
    plan(home, "stuck", "command: 'true'\n    undo: 'false'\n    id: a", "command: 'false'\n    needs: [a]")
    assert shell.run("action", "fire", "stuck").code == 3


@pytest.mark.parametrize("words", [("--var", "x"), ("--var", "=x"), ("--var", "a b=x")])
def test_a_variable_that_is_none_is_a_usage_error(shell: Shell, home: Path, words: tuple[str, ...]) -> None:
    assert shell.run("action", "fire", "note", *words).code == 2


def test_a_bad_file_is_told_with_its_places(shell: Shell, home: Path) -> None:
    write(shell, FILE.replace("action: backup", "action: bakup").replace("stale: 1d", "stale: soon"))
    for words in (("action", "list"), ("action", "fire", "note"), ("trigger", "list"), ("trigger", "run", "--once")):
        answer = shell.run(*words)
        assert answer.code == 2
        assert "triggers.yaml:8:" in answer.err
        assert "did you mean `backup`?" in answer.err
        assert "triggers.yaml:12:" in answer.err


def test_without_a_file_it_is_said_where_one_was_looked_for(shell: Shell) -> None:
    answer = shell.run("trigger", "list")
    assert answer.code == 2
    assert f"{shell.home}/.config/holdfast/triggers.yaml" in answer.err


def test_triggers_are_listed_switched_and_named_when_unknown(shell: Shell, home: Path) -> None:
    (nightly, hot, spool) = shell.json("trigger", "list")["triggers"]
    assert {"name", "type", "enabled", "next_at", "last_at", "state"} <= set(nightly)
    assert [(each["type"], each["enabled"]) for each in (nightly, hot, spool)] == [
        ("cron", False),
        ("watcher", True),
        ("scanner", True),
    ]
    (enabled,) = shell.json("trigger", "enable", "nightly")["triggers"]
    assert enabled["enabled"]
    assert enabled["next_at"].endswith("T03:00:00.000Z")
    assert shell.json("trigger", "disable", "hot")["triggers"][0]["state"] == "disabled"
    assert [each["enabled"] for each in shell.json("trigger", "list")["triggers"]] == [True, False, True]
    unknown = shell.run("trigger", "enable", "nothing", "--json")
    assert (unknown.code, unknown.document["error"]["code"]) == (4, "not_found")


def test_a_dry_check_lists_matches_and_a_check_acts(shell: Shell, home: Path) -> None:
    assert shell.json("trigger", "check", "hot") == {"matches": [], "fired": [], "error": None}
    (home / "level").write_text("150")
    assert shell.json("trigger", "check", "hot", "--dry-run")["matches"][0]["value"] == "150"
    assert (home / "notes").read_text() == ""
    assert shell.json("trigger", "check", "hot")["fired"] == ["note"]
    assert (home / "notes").read_text() == "watcher:hot none\n"


def test_a_check_of_a_scanner_cleans_up_and_history_shows_it(shell: Shell, home: Path) -> None:
    (home / "spool").mkdir()
    (home / "spool/old").write_text("x")
    os.utime(home / "spool/old", (0, 0))
    dry = shell.json("trigger", "check", "spool", "--dry-run")
    assert [each["resource_id"] for each in dry["matches"]] == [f"file:{home}/spool/old"]
    assert shell.json("history", "--cleanups")["cleanups"] == []
    assert shell.json("trigger", "check", "spool")["cleaned"] == 1
    (cleanup,) = shell.json("history", "--cleanups")["cleanups"]
    assert (cleanup["scanner_id"], cleanup["action"], cleanup["success"]) == ("spool", "delete", True)
    assert not (home / "spool/old").exists()


def test_a_check_whose_source_fails_exits_1(shell: Shell, home: Path) -> None:
    (home / "level").unlink()
    answer = shell.run("trigger", "check", "hot", "--json")
    assert (answer.code, answer.document["matches"]) == (1, [])
    assert "No such file" in answer.document["error"]


def test_run_once_lets_everything_look_and_ends(shell: Shell, home: Path) -> None:
    (home / "level").write_text("150")
    answer = shell.run("trigger", "run", "--once", "--json")
    assert answer.code == 0
    assert next(each for each in answer.document["triggers"] if each["name"] == "hot")["state"] == "triggered"
    assert "watcher:hot" in (home / "notes").read_text()


@pytest.mark.parametrize("module", ["cronsim", "watchfiles"])
def test_without_the_extra_it_is_said_which_one_is_missing(shell: Shell, home: Path, module: str) -> None:
    (shell.home / "without").mkdir()
    (shell.home / f"without/{module}.py").write_text("raise ImportError\n")
    shell.environment["PYTHONPATH"] = f"{shell.home}/without:{shell.environment['PYTHONPATH']}"
    write(shell, TICK)
    answer = shell.process("trigger", "run")
    assert answer.code == 1
    assert "holdfast[triggers]" in answer.err
    assert shell.process("action", "fire", "tick").code == 0


# -- loops


def ticks(home: Path) -> list[str]:
    return (home / "ticks").read_text().split() if (home / "ticks").exists() else []


def due(shell: Shell) -> list[float]:
    """The times for which a cron was fired."""
    with Reading.of(environment=shell.environment) as desk:
        events = [event for record in desk.journal.records() for event in record.events]
    return [event.data["due"] for event in events if event.type == "trigger.fired"]


def test_two_loops_never_fire_twice_and_one_takes_over_when_the_other_is_killed(shell: Shell, home: Path) -> None:
    write(shell, TICK)
    one, other = shell.start("trigger", "run"), shell.start("trigger", "run")
    shell.until(lambda: len(ticks(home)) >= 3)
    one.send_signal(signal.SIGKILL)
    one.wait()
    known = len(ticks(home))
    shell.until(lambda: len(ticks(home)) >= known + 2)
    other.send_signal(signal.SIGTERM)
    assert ended(other).code == 0
    times = due(shell)
    assert len(times) == len(set(times)) >= 5
    assert shell.json("journal", "verify")["ok"]


def test_a_loop_that_is_told_to_stop_lets_what_it_began_go_on_to_its_end(shell: Shell, home: Path) -> None:
    write(shell, TICK.replace("'echo $$ >> ticks'", "'touch began; until [ -e go ]; do sleep 0.02; done; echo end >> ticks'"))
    loop = shell.start("trigger", "run")
    shell.until(lambda: (home / "began").exists())
    loop.send_signal(signal.SIGTERM)
    assert loop.stderr is not None
    assert any("stopping" in said for said in iter(loop.stderr.readline, ""))
    (home / "go").touch()
    answer = ended(loop)
    assert answer.code == 0
    assert ticks(home) == ["end"]
    assert [each["success"] for each in shell.json("history")["executions"]] == [True]


def test_a_loop_hears_of_files_events_and_switches_at_once(shell: Shell, home: Path) -> None:
    write(shell, TICK.replace(", enabled: true", "") + FILE[FILE.index("watchers:") :].replace("note", "tick"))
    loop = shell.start("trigger", "run")
    shell.until((shell.home / "state/watch").exists)
    shell.until(lambda: (home / "level").write_text("150") and ticks(home))
    known = len(ticks(home))
    shell.run("trigger", "enable", "often")
    shell.until(lambda: len(ticks(home)) > known + 1)
    loop.send_signal(signal.SIGTERM)
    told = ended(loop).err
    assert "enabled" in told
    assert "fired" in told


def test_an_execution_that_a_killed_loop_left_is_interrupted(shell: Shell, home: Path) -> None:
    write(shell, TICK.replace("'echo $$ >> ticks'", "'echo $$ > pid; sleep 60'"))
    loop = shell.start("trigger", "run")
    pid = int(shell.until(lambda: (home / "pid").exists() and (home / "pid").read_text().strip()))
    loop.send_signal(signal.SIGKILL)
    loop.wait()
    os.killpg(pid, signal.SIGKILL)
    seen = shell.json("history")["executions"][0]
    assert (seen["interrupted"], seen["success"], seen["completed_at"]) == (True, False, None)
    assert [(row["total_executions"], row["interrupted"]) for row in shell.json("stats")["actions"]] == [(1, 1)]
    assert shell.json("action", "list")["actions"][0]["executing"] is False
    write(shell, TICK)
    assert shell.run("action", "fire", "tick").code == 0
    assert [(each["success"], each["interrupted"]) for each in shell.json("history")["executions"]] == [
        (True, False),
        (False, True),
    ]
    assert shell.json("stats", "tick")["actions"][0]["interrupted"] == 1


def test_who_is_interrupted_ends_what_he_fired_and_says_so_in_the_journal(shell: Shell, home: Path) -> None:
    write(shell, TICK.replace("'echo $$ >> ticks'", "'echo $$ > pid; sleep 60'"))
    process = shell.start("action", "fire", "tick", preexec_fn=hear_signals)
    pid = int(shell.until(lambda: (home / "pid").exists() and (home / "pid").read_text().strip()))
    process.send_signal(signal.SIGINT)
    assert ended(process).code == 130
    assert not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_text()
    (execution,) = shell.json("history")["executions"]
    assert (execution["success"], execution["error"]) == (False, "it was cancelled while it ran")


def test_a_plan_that_is_interrupted_while_it_is_fired_is_rolled_back(shell: Shell, home: Path) -> None:
    wait = f"touch {home}/begun; while [ ! -e {home}/go ]; do sleep 0.02; done"
    waiting = f"command: [sh, -c, '{wait}']\n    needs: [a]\n    undo: 'true'"
    plan(home, "backup", "file: out\n    content: x\n    id: a", waiting)
    process = shell.start("action", "fire", "backup", "--json", preexec_fn=hear_signals)
    shell.until((home / "begun").exists)
    process.send_signal(signal.SIGINT)
    shell.until(lambda: [run["state"] for run in shell.json("runs")["runs"]] == ["cancelling"])
    (home / "go").touch()
    answer = ended(process)
    assert (answer.code, answer.document["ending"]) == (130, "rolled_back")
    assert not (home / "out").exists()
