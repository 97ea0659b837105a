"""`holdfast mcp` as a process: what it writes where, how it stops, what it costs."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Shell

HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


class Wire:
    """The protocol by hand, one line at a time."""

    def __init__(self, shell: Shell, *words: str) -> None:
        self.process = shell.start("mcp", *words, stdin=subprocess.PIPE)
        self._number = 0
        self.ask("initialize", HELLO)
        self.say({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def say(self, message: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write((message if isinstance(message, str) else json.dumps(message)) + "\n")
        self.process.stdin.flush()

    def hear(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def ask(self, method: str, params: Any) -> Any:
        self._number += 1
        self.say({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params})
        while (found := self.hear()).get("id") != self._number:
            pass
        return found

    def call(self, tool: str, **arguments: Any) -> Any:
        return self.ask("tools/call", {"name": tool, "arguments": arguments})["result"]["structuredContent"]

    def end(self) -> tuple[int, str, str]:
        """Close its input, and wait."""
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@pytest.fixture
def wire(shell: Shell) -> Wire:
    return Wire(shell, "--allow-apply")


def begin(wire: Wire, home: Path) -> str:
    """A run of two stages whose first waits for a file, at most for a while."""
    wait = f"touch {home}/held; for i in $(seq 3000); do [ -e {home}/go ] && exit; sleep 0.02; done"
    hold = {"command": wait, "shell": True, "undo": "true"}
    stages = [{"name": "one", "steps": [hold]}, {"name": "two", "steps": [{"file": f"{home}/b", "content": "late"}]}]
    planned = wire.call("plan_deployment", plan={"holdfast": 1, "name": "held", "stages": stages})
    run = wire.call("apply_deployment", id=planned["id"], digest=planned["digest"], wait_s=0)["run"]
    while not (home / "held").exists():
        time.sleep(0.01)
    return str(run)


def test_nothing_but_the_protocol_is_written_to_standard_output(wire: Wire, shell: Shell) -> None:
    loud = {"command": ["sh", "-c", "echo loud; echo LOUD >&2; cat"], "undo": ["echo", "undone"]}
    planned = wire.call("plan_deployment", plan={"holdfast": 1, "name": "loud", "steps": [loud]})
    assert wire.call("apply_deployment", id=planned["id"], digest=planned["digest"], wait_s=30)["ending"] == "committed"
    wire.say("this is no JSON")
    wire.say('{"jsonrpc": "2.0", "id": 99, "method": "no/such"}')
    wire.say("\x00\xff")
    assert wire.call("list_runs")["runs"][0]["ending"] == "committed"
    code, out, _ = wire.end()
    assert (code, [json.loads(text)["jsonrpc"] for text in out.splitlines()]) == (0, ["2.0"] * len(out.splitlines()))


def test_when_the_input_ends_what_runs_comes_to_rest_and_can_be_gone_on_with(wire: Wire, shell: Shell) -> None:
    run = begin(wire, shell.home)
    assert wire.process.stdin is not None
    wire.process.stdin.close()
    shell.until(lambda: shell.json("show", run)["state"] == "pausing")
    (shell.home / "go").touch()
    assert wire.process.wait(60) == 0
    assert f"holdfast resume {run}" in (wire.process.stderr.read() if wire.process.stderr else "")
    assert (shell.json("show", run)["state"], (shell.home / "b").exists()) == ("paused", False)
    assert shell.run("resume", run).code == 0
    assert (shell.json("show", run)["ending"], (shell.home / "b").read_text()) == ("committed", "late")


def test_a_signal_does_the_same_while_the_input_stays_open(wire: Wire, shell: Shell) -> None:
    run = begin(wire, shell.home)
    wire.process.send_signal(signal.SIGTERM)
    shell.until(lambda: shell.json("show", run)["state"] == "pausing")
    (shell.home / "go").touch()
    assert wire.process.wait(60) == 0
    assert shell.json("show", run)["state"] == "paused"


def test_a_server_that_is_killed_leaves_runs_that_are_recovered(wire: Wire, shell: Shell) -> None:
    run = begin(wire, shell.home)
    wire.process.kill()
    wire.process.wait()
    (shell.home / "go").touch()
    assert shell.json("recover")["recovered"] == [{"run": run, "ending": "rolled_back"}]


def test_idle_it_ends_with_its_input(wire: Wire) -> None:
    code, out, err = wire.end()
    assert (code, out, err) == (0, "", "")


def test_a_client_that_went_without_reading_is_no_reason_to_complain(wire: Wire) -> None:
    assert wire.process.stdout is not None
    wire.say({"jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": {}})
    wire.process.stdout.close()
    wire.process.send_signal(signal.SIGTERM)
    assert wire.process.wait(60) in (0, 1)


def test_the_state_directory_is_looked_at_before_an_agent_is_there(shell: Shell) -> None:
    (shell.home / "file").write_text("")
    ended = shell.process("--state", "file", "mcp", "--json")
    assert ended.code != 0 and ended.document["error"]["code"]


@pytest.mark.parametrize("limits", ["steps", "steps=-1", "planets=3", ""])
def test_a_limit_that_makes_no_sense_is_bad_usage(shell: Shell, limits: str) -> None:
    ended = shell.run("mcp", "--blast-radius", limits)
    assert ended.code == 2 and "hosts=3" in ended.err


def test_a_root_that_is_not_there_is_bad_usage(shell: Shell) -> None:
    assert shell.run("mcp", "--root", str(shell.home / "no-such")).code == 2


def test_only_this_command_pays_for_the_protocol(shell: Shell) -> None:
    assert "mcp" not in shell.imported("runs") | shell.imported("--help") | shell.imported("mcp", "--help")
    plan = shell.steps("file: a\ncontent: x")
    assert not {"mcp", "mcp_types", "pydantic", "anyio", "starlette"} & shell.imported("plan", plan)
