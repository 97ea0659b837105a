"""Actions: what may be fired, what is done then, and what the journal says of it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.app.triggering.firing import Rejected
from holdfast.core.errors import Refused
from holdfast.triggers.actions import chosen, filled, script_of
from holdfast.triggers.definitions import Command, Rule, Rules

from .conftest import HOUR, MINUTE, NOON, Scene, on_loop

PLAN = "holdfast: 1\nname: {name}\nvars: {{text: hello}}\nsteps:\n  - {{file: out, content: '${{vars.text}}'}}\n"
ECHO = "actions:\n  note: {command: [./note, '${source}'], cooldown: 10m}\n"


@on_loop
async def test_an_action_that_executes_is_not_fired_again_from_wherever(scene: Scene) -> None:
    """A01"""
    os.mkfifo(scene.folder / "gate")
    text = "actions:\n  slow: {command: [cat, gate]}\n"
    with scene.opened(text) as life, scene.opened(text) as other:
        first = asyncio.create_task(life.fire("slow"))
        await asyncio.sleep(0)
        for each in (life, other):
            with pytest.raises(Rejected, match="already executing") as rejection:
                await each.fire("slow")
            assert rejection.value.remaining_s is None
        await asyncio.to_thread((scene.folder / "gate").write_text, "on")
        assert (await first).output == "on"
        assert [event["why"] for event in life.events("action.rejected")] == ["`slow` is already executing"] * 2


@pytest.mark.parametrize(("code", "success"), [(0, True), (1, False)])
@on_loop
async def test_after_success_or_failure_an_action_cools_down_and_says_for_how_long(
    scene: Scene, code: int, success: bool
) -> None:
    """A02"""
    scene.program("note", f"exit {code}")
    with scene.opened(ECHO) as life:
        assert (await life.fire("note")).success is success
        scene.clock.pause(4 * MINUTE)
        with pytest.raises(Rejected, match=r"another 360\.0 s") as rejection:
            await life.fire("note")
        assert rejection.value.plain()["remaining_s"] == 360
        assert life.events("action.rejected")[0]["remaining_s"] == 360


@on_loop
async def test_an_action_that_has_cooled_down_executes_again(scene: Scene) -> None:
    """A03"""
    scene.program("note", "echo fine")
    with scene.opened(ECHO) as life:
        await life.fire("note")
        scene.clock.pause(10 * MINUTE)
        assert (await life.fire("note")).output == "fine\n"
        assert life.engine.journal.stats("note")[0]["total_executions"] == 2


@on_loop
async def test_a_restart_does_not_shorten_a_cooldown(scene: Scene) -> None:
    """A04"""
    scene.program("note", "true")
    with scene.opened(ECHO) as life:
        await life.fire("note")
    scene.clock.pause(9 * MINUTE)
    with scene.opened(ECHO) as life:
        with pytest.raises(Rejected) as rejection:
            await life.fire("note")
        assert rejection.value.remaining_s == 60
        assert life.triggers.actions()[0]["remaining_s"] == 60


@on_loop
async def test_a_command_that_ends_with_another_code_than_zero_failed(scene: Scene) -> None:
    """A05"""
    scene.program("note", "echo trouble >&2; exit 3")
    with scene.opened(ECHO) as life:
        execution = await life.fire("note")
        assert (execution.success, execution.output) == (False, "trouble\n")
        assert "exit code 3: trouble" in execution.error
        assert life.types() == ["action.started", "action.completed"]


@on_loop
async def test_a_command_that_takes_too_long_is_ended_with_everything_it_started(scene: Scene) -> None:
    scene.program("note", "sleep 60 & echo $! > child; wait")
    with scene.opened("actions:\n  note: {command: ./note, timeout: 1s}\n") as life:
        execution = await life.fire("note")
    assert not execution.success
    assert "took longer than 1 s" in execution.error
    assert not is_running(int(scene.lines("child")[0]))


def is_running(pid: int) -> bool:
    """A zombie that nobody collects does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@on_loop
async def test_a_program_that_is_not_there_is_a_failure_like_any_other(scene: Scene) -> None:
    with scene.opened("actions:\n  note: {command: ./nowhere}\n") as life:
        execution = await life.fire("note")
    assert not execution.success
    assert "was not found" in execution.error


# -- rules


@pytest.mark.parametrize(
    ("now", "source", "expected"),
    [
        (NOON - 7 * HOUR, "manual:alice", "night"),
        (NOON, "cron:hourly", "timed"),
        (NOON, "manual:alice", "other"),
    ],
)
def test_the_first_rule_that_applies_chooses(now: float, source: str, expected: str) -> None:
    """A06"""
    rules = Rules(
        [Rule({"hour": {"below": 6}}, "night"), Rule({"source": {"matches": "cron:"}}, "timed"), Rule({}, "other")], "UTC"
    )
    assert chosen(rules, {"source": source}, now) == expected


@pytest.mark.parametrize(
    ("test", "facts", "applies"),
    [
        ({"weekday": ["thu", "fri"]}, {}, True),
        ({"weekday": "fri"}, {}, False),
        ({"hour": {"exceeds": 11, "below": 13}}, {}, True),
        ({"hour": {"exceeds": 12}}, {}, False),
        ({"value": {"exceeds": 10}}, {"value": "10.5"}, True),
        ({"value": {"exceeds": 10}}, {"value": "text"}, False),
        ({"value": {"exceeds": 10}}, {}, False),
        ({"level": "high", "hour": 12}, {"level": "high"}, True),
        ({"level": "high", "hour": 13}, {"level": "high"}, False),
    ],
)
def test_a_rule_applies_when_all_its_tests_pass(test: dict[str, object], facts: dict[str, object], applies: bool) -> None:
    """A06"""
    assert (chosen(Rules([Rule(test, "then")], "UTC"), facts, NOON) == "then") is applies


def test_the_hour_of_a_rule_is_that_of_its_time_zone() -> None:
    assert chosen(Rules([Rule({"hour": 21}, "evening")], "Asia/Tokyo"), {}, NOON) == "evening"


@on_loop
async def test_rules_without_a_match_fail_and_a_match_is_fired_with_the_same_source(scene: Scene) -> None:
    """A06"""
    scene.program("note", 'echo "$1"')
    text = ECHO + "  choose: {rules: [{if: {hour: {below: 6}}, then: note}]}\n"
    with scene.opened(text) as life:
        failed = await life.fire("choose")
        assert (failed.success, failed.error) == (False, "no rule applies, and there is no `else`")
        scene.clock.pause(13 * HOUR)
        assert (await life.fire("choose")).output == "chose note"
        assert life.history() == [
            ("choose", "manual:alice", False),
            ("choose", "manual:alice", True),
            ("note", "manual:alice", True),
        ]


# -- variables

NASTY = [
    "a b",
    "$(touch made)",
    "`touch made`",
    "; touch made",
    "'; touch made; '",
    '"; touch made; "',
    "${source}",
    "-rf",
    "\n",
    "*",
]


@pytest.mark.parametrize("value", NASTY)
@on_loop
async def test_a_variable_stays_inside_its_word_and_is_never_code(scene: Scene, value: str) -> None:
    """A07"""
    scene.program("words", 'for word in "$@"; do printf "[%s]" "$word"; done')
    text = """\
actions:
  words: {command: [./words, 'x${v}y', '${ v }']}
  split: {command: './words a ${v} "b c"'}
  shell: {command: [sh, -c, 'printf "[%s]" "${v}"']}
  spliced: {command: [bash, -euc, 'printf [%s] ${v}>/dev/null; echo done']}
"""
    with scene.opened(text) as life:
        assert (await life.fire("words", v=value)).output == f"[x{value}y][{value}]"
        assert (await life.fire("split", v=value)).output == f"[a][{value}][b c]"
        assert (await life.fire("shell", v=value)).output == f"[{value}]"
        assert (await life.fire("spliced", v=value)).output == "done\n"
    assert not (scene.folder / "made").exists()


@on_loop
async def test_a_variable_that_nobody_gave_is_refused_before_anything_runs(scene: Scene) -> None:
    with scene.opened("actions:\n  note: {command: [touch, '${name}']}\n") as life:
        with pytest.raises(Refused, match="`name`") as refusal:
            await life.fire("note")
        assert refusal.value.code == "undefined_variable"
        assert life.types() == ["action.rejected"]


@on_loop
async def test_a_variable_may_have_a_value_in_the_file_and_another_for_once(scene: Scene) -> None:
    with scene.opened("actions:\n  note: {command: [echo, '${who} $${literal} ${action}'], vars: {who: me}}\n") as life:
        assert (await life.fire("note")).output == "me ${literal} note\n"
        assert (await life.fire("note", who="you")).output == "you ${literal} note\n"


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (["sh", "-c", "script"], 2),
        (["/bin/bash", "-e", "-uc", "script", "x"], 3),
        (["bash", "--norc", "-c", "script"], 3),
        (["sh", "file", "-c", "word"], None),
        (["echo", "-c", "word"], None),
        (["sh", "-c"], None),
    ],
)
def test_the_word_that_a_shell_reads_is_found(argv: list[str], word: int | None) -> None:
    assert script_of(argv) == word


def test_only_variables_that_the_script_names_come_into_its_environment() -> None:
    command = filled(Command(("sh", "-c", "echo ${a} ${HOME}"), "/"), {"a": "1", "PATH": "/evil", "LD_PRELOAD": "x"})
    assert dict(command.env) == {"a": "1"}


@on_loop
async def test_a_secret_never_shows_in_what_is_kept(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_TEST", "s3cr3t-value")
    text = "actions:\n  note: {command: [sh, -c, 'echo $TOKEN; exit 1'], env: {TOKEN: {secret: 'env:TOKEN_OF_TEST'}}}\n"
    with scene.opened(text) as life:
        execution = await life.fire("note")
        assert "s3cr3t-value" not in repr((execution, life.events()))
        assert "***" in execution.output


# -- plans


@on_loop
async def test_a_plan_that_is_fired_is_an_ordinary_run_with_its_source(scene: Scene) -> None:
    scene.write("backup.yaml", PLAN.format(name="nightly-backup"))
    with scene.opened("actions:\n  backup: {plan: backup.yaml}\n") as life:
        execution = await life.fire("backup", text="given ${vars.x}")
        row = life.engine.journal.runs()[0]
        assert (row.source, row.ending, row.plan) == ("manual:alice", "committed", "nightly-backup")
        assert (execution.run, execution.execution_type, execution.success) == (row.id, "plan", True)
        assert scene.lines("out") == ["given ${vars.x}"]
        await life.engine.rollback(row.id)
        assert not (scene.folder / "out").exists()


@on_loop
async def test_a_plan_with_the_name_of_its_action_is_counted_once(scene: Scene) -> None:
    scene.write("backup.yaml", PLAN.format(name="backup"))
    with scene.opened("actions:\n  backup: {plan: backup.yaml, cooldown: 1m}\n") as life:
        execution = await life.fire("backup")
        assert execution.run == execution.id
        assert life.engine.journal.stats("backup")[0]["total_executions"] == 1
        assert life.types() == ["action.started", "action.completed"]
        with pytest.raises(Rejected):
            await life.fire("backup")


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (None, "cannot be read"),
        ("holdfast: 1\nname: x\nstepz: []\n", "did you mean `steps`"),
        ("holdfast: 1\nname: x\nsteps:\n  - {command: 'false'}\n", "rolled_back"),
        ("holdfast: 1\nname: x\nsteps:\n  - {remove: nothing-here}\n", "refused"),
    ],
)
@on_loop
async def test_a_plan_that_cannot_be_applied_is_a_failure_with_its_reason(scene: Scene, plan: str | None, words: str) -> None:
    if plan is not None:
        scene.write("backup.yaml", plan)
    with scene.opened("actions:\n  backup: {plan: backup.yaml}\n") as life:
        execution = await life.fire("backup")
        assert not execution.success
        assert words in execution.error


@on_loop
async def test_a_variable_that_the_plan_does_not_declare_is_a_failure_that_names_it(scene: Scene) -> None:
    scene.write("backup.yaml", PLAN.format(name="backup"))
    with scene.opened("actions:\n  backup: {plan: backup.yaml}\n") as life:
        execution = await life.fire("backup", txt="x")
        assert "no variable `txt`" in execution.error
        assert "did you mean `text`?" in execution.error


# -- processes that die

KILLED = """
import asyncio, os, sys
from holdfast.app.engine import Engine
from holdfast.app.triggering.triggers import Triggers
engine = Engine.open(sys.argv[1])
asyncio.run(Triggers.load(engine, sys.argv[2]).fire("slow", source="manual:alice"))
"""


@on_loop
async def test_an_execution_whose_process_was_killed_is_interrupted_and_can_be_fired_again(scene: Scene) -> None:
    """H12, A01"""
    text = "actions:\n  slow: {command: [./slow]}\n"
    scene.program("slow", "echo $$ > pid; [ -e again ] || sleep 60")
    scene.write("triggers.yaml", "holdfast: 1\n" + text)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, scene.home.path, scene.folder / "triggers.yaml"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    )
    while not scene.lines("pid"):
        await asyncio.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    os.killpg(int(scene.lines("pid")[0]), signal.SIGKILL)
    scene.write("again", "")
    with scene.opened(text) as life:
        assert (await life.fire("slow")).success
        rows = life.engine.journal.executions()
        assert [(row["interrupted"], row["success"]) for row in rows] == [(False, True), (True, False)]


@on_loop
async def test_an_unknown_action_is_not_found(scene: Scene) -> None:
    with scene.opened("") as life:
        with pytest.raises(Refused) as refusal:
            await life.fire("nothing")
        assert refusal.value.code == "not_found"
