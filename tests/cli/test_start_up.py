"""Looking must be quick: what a command does not need, it does not import."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Shell

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


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_looking_imports_nothing_slow(shell: Shell, words: tuple[str, ...]) -> None:
    shell.run("apply", shell.steps("file: a\ncontent: x"), "--yes")
    assert shell.imported(*words) & (SLOW | HEAVY) == set()


def test_help_imports_no_command_and_no_engine(shell: Shell) -> None:
    imported = {name for name in shell.imported("--help") if name.startswith("holdfast")}
    assert not {name for name in imported if name.startswith(("holdfast.cli.commands", "holdfast.app", "holdfast.journal"))}


def test_planning_files_needs_no_event_loop_no_terminal_library_and_no_list_of_packages(shell: Shell) -> None:
    imported = shell.imported("plan", shell.steps("file: a\ncontent: x"))
    assert imported & {*HEAVY, "zipfile"} == set()  # importlib.metadata loads it


@pytest.mark.parametrize("words", COMPARING, ids=" ".join)
def test_comparing_local_things_needs_no_event_loop_and_no_server(shell: Shell, words: tuple[str, ...]) -> None:
    shell.run("apply", shell.steps("file: a\ncontent: x"), "--yes")
    assert shell.imported(*words) & HEAVY == set()
