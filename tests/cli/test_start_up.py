"""Looking must be quick: what a command does not need, it does not import."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.conftest import SOURCE, Shell

SLOW = {"asyncio", "rich", "opentelemetry", "asyncssh", "httpx2", "yaml", "jinja2", "msgspec", "logging", "subprocess"}
HEAVY = {"asyncio", "rich", "opentelemetry", "asyncssh", "httpx2", "jinja2", "starlette", "uvicorn", "mcp"}
LOOKING = [
    ("--help",),
    ("--version",),
    ("runs",),
    ("runs", "--json"),
    ("show", "last"),
    ("history",),
    ("stats",),
    ("locks",),
    ("events", "last"),
    ("journal", "verify"),
    ("completion", "zsh"),
    ("apply", "--help"),
    ("serve", "--help"),
    ("mcp", "--help"),
    ("ssh", "exec", "--help"),
    ("trigger", "run", "--help"),
]
COMPARING = [("tenants",), ("checkpoint", "list"), ("drift",), ("recover",), ("token", "list"), ("schema",)]


def _imported(shell: Shell, *words: str) -> set[str]:
    program = f"import sys; sys.path.insert(0, {SOURCE!r}); from holdfast.cli import main; sys.exit(main())"
    command = [sys.executable, "-I", "-X", "importtime", "-c", program, *words]  # -I: nothing a shell might have set up
    ended = subprocess.run(command, env=shell.environment, cwd=shell.home, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    lines = (text.rpartition("|")[2].strip() for text in ended.stderr.splitlines() if text.startswith("import time:"))
    return {name.partition(".")[0] if not name.startswith("holdfast") else name for name in lines}


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_looking_imports_nothing_slow(shell: Shell, words: tuple[str, ...]) -> None:
    shell.run("apply", shell.steps("file: a\ncontent: x"), "--yes")
    assert _imported(shell, *words) & (SLOW | HEAVY) == set()


def test_help_imports_no_command_and_no_engine(shell: Shell) -> None:
    imported = {name for name in _imported(shell, "--help") if name.startswith("holdfast")}
    assert not {name for name in imported if name.startswith(("holdfast.cli.commands", "holdfast.app", "holdfast.journal"))}


def test_planning_files_needs_no_event_loop_and_no_terminal_library(shell: Shell) -> None:
    imported = _imported(shell, "plan", shell.steps("file: a\ncontent: x"))
    assert imported & HEAVY == set()


@pytest.mark.parametrize("words", COMPARING, ids=" ".join)
def test_comparing_local_things_needs_no_event_loop_and_no_server(shell: Shell, words: tuple[str, ...]) -> None:
    shell.run("apply", shell.steps("file: a\ncontent: x"), "--yes")
    assert _imported(shell, *words) & HEAVY == set()
