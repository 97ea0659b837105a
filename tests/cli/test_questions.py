"""A run that waits for a person says for whose yes, and how it is said; it can be stopped all the same."""

from __future__ import annotations

import subprocess

import pytest

from tests.cli.conftest import Shell, ended

STEP = "steps: [{file: a, content: x, id: a}, {approve: Really?, id: ask, needs: [a]}]"
GATE = """
policy: {scope: task, batches: [1, 100%], gate: approve}
tasks: [{name: t, each: [{i: 1}, {i: 2}], steps: [{file: "a${each.i}", content: x}]}]
"""


def asking(shell: Shell, text: str) -> tuple[subprocess.Popen[str], list[str]]:
    """A run that waits, and the command that it says would let it go on."""
    run = shell.start("apply", shell.write("plan.yaml", f"holdfast: 1\nname: demo\n{text}\n"), "--yes")
    assert run.stderr is not None
    said = next(line for line in run.stderr if line.startswith("to approve"))
    return run, said.split("holdfast ")[1].split()


@pytest.mark.parametrize(("text", "name"), [(STEP, "ask"), (GATE, "gate")])
def test_what_to_say_is_said_where_it_waits_and_where_it_is_looked_at(shell: Shell, text: str, name: str) -> None:
    run, words = asking(shell, text)
    shown = shell.json("show", "last")
    assert (shown["ending"], shown["questions"]) == (None, [name])
    assert words == ["approve", shown["run"], name]
    assert " ".join(words) in shell.run("show", "last").out
    (listed,) = shell.json("runs")["runs"]
    assert (listed["state"], listed["questions"]) == (shown["state"], [name])
    assert "waiting" in shell.run("runs").out and "waiting" in shell.run("show", "last").out
    assert shell.run(*words).code == 0
    assert ended(run).code == 0
    assert "questions" not in shell.json("show", "last")
    assert shell.json("runs")["runs"][0]["questions"] == []


def test_a_run_that_waits_for_a_yes_is_taken_back_when_it_is_cancelled(shell: Shell) -> None:
    run, _ = asking(shell, STEP)
    assert shell.run("cancel", "last").code == 0
    over = ended(run)
    assert over.code == 1 and "rolled back" in over.out
    assert not (shell.home / "a").exists()


def test_a_run_that_nobody_says_yes_to_in_time_is_taken_back(shell: Shell) -> None:
    plan = shell.write("plan.yaml", f"holdfast: 1\nname: demo\npolicy: {{timeout: 10ms}}\n{STEP}\n")
    over = shell.run("apply", plan, "--yes", "--json")
    assert (over.code, over.document["ending"], over.document["errors"][0]["code"]) == (1, "rolled_back", "timeout")


def test_a_question_has_the_time_of_its_step(shell: Shell) -> None:
    step = STEP.replace("needs: [a]", "needs: [a], timeout: 10ms, retry: {attempts: 2, delay: 10ms}")
    plan = shell.write("plan.yaml", f"holdfast: 1\nname: demo\n{step}\n")
    over = shell.process("apply", plan, "--yes", "--json")
    assert (over.code, over.document["ending"], over.document["failed"]) == (1, "rolled_back", ["ask"])
    assert over.document["errors"][0]["code"] == "timeout"
    events = [(each["type"], each.get("step"), each.get("attempt")) for each in shell.json("events", "last")["events"]]
    assert ("step.applying", "ask", 1) in events and ("step.applying", "ask", 2) in events


BESIDE = """
policy: {{scope: task{policy}}}
tasks:
  - {{name: asks, steps: [{{approve: Really?, id: ask}}{step}]}}
  - {{name: other, steps: [{{file: a, content: x}}]}}
"""


@pytest.mark.parametrize("policy", ["", ", on_failure: stop"])
def test_nobody_is_asked_for_a_task_that_failed_meanwhile(shell: Shell, policy: str) -> None:
    text = BESIDE.format(policy=policy, step=", {command: 'false', undo: 'true'}")
    over = shell.process("apply", shell.write("plan.yaml", f"holdfast: 1\nname: demo\n{text}"), "--yes", "--json")
    assert (over.code, over.document["ending"], over.document.get("questions")) == (3, "partial", None)


def test_nobody_is_asked_for_a_task_that_somebody_cancelled(shell: Shell) -> None:
    run, words = asking(shell, BESIDE.format(policy="", step=""))
    shell.until(lambda: (shell.home / "a").exists())
    assert shell.run("cancel", "last", "--task", "asks").code == 0
    assert ended(run).code == 3
    assert shell.run(*words).code == 4
