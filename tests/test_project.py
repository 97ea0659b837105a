"""The repository itself: what a newcomer finds, and what must never slip in."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import holdfast

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
WORKER = "holdfast.drivers.remote.worker"
START = "import sys; from holdfast.cli import main; sys.exit(main())"


def tracked() -> Iterator[tuple[str, str]]:
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in listed.split("\0"):
        if name and (ROOT / name).is_file():
            yield name, (ROOT / name).read_text(errors="replace")


def dev(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, ROOT / "dev", *arguments], capture_output=True, text=True, check=False)


def test_dev_alone_lists_its_commands() -> None:
    answer = dev()
    listed = {line.split()[0] for line in answer.stdout.splitlines() if line.startswith("  ")}
    assert answer.returncode == 0
    assert listed >= {"demo", "test", "lint", "types", "bench", "crash", "docs"}


def test_dev_refuses_a_command_it_does_not_know() -> None:
    answer = dev("tset")
    assert answer.returncode == 2
    assert "tset" in answer.stderr


def test_dev_can_still_be_read_by_an_older_python_that_looks_for_a_newer_one() -> None:
    ast.parse((ROOT / "dev").read_text(), feature_version=(3, 8))


def test_ci_does_nothing_that_dev_does_not() -> None:
    lines = (ROOT / ".ci/run").read_text().splitlines()
    commands = [line for line in lines if line and not line.startswith(("#", "set ", "cd "))]
    assert commands
    assert all(line.startswith("./dev ") for line in commands)
    assert commands[-1].startswith("./dev test")


def test_no_tracked_file_names_a_place_to_install_from() -> None:
    forbidden = re.compile(r"(?:extra-)?index-url\s*[=: ]\s*\S|find-links|--trusted-host|://[^/\s]*(?:pypi|pythonhosted|npmjs)")
    allowed = {"tests/test_project.py"}
    assert [name for name, text in tracked() if name not in allowed and forbidden.search(text)] == []


def test_every_requirement_is_pinned_by_hash() -> None:
    for file in (ROOT / "requirements").glob("*.txt"):
        pinned = [block for block in re.split(r"\n(?=\S)", file.read_text().strip()) if not block.startswith("#")]
        assert pinned
        assert [block for block in pinned if "==" not in block or "--hash=sha256:" not in block] == []


def test_the_version_is_said_once() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert settings["project"]["dynamic"] == ["version"]
    assert Path(holdfast.__file__) == ROOT / settings["tool"]["hatch"]["version"]["path"]
    assert f"## {holdfast.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_licence_is_there_and_named() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"] == "Apache-2.0"


def test_what_travels_to_other_hosts_is_python_3_8_and_needs_nothing_installed() -> None:
    reached, waiting = {WORKER}, [WORKER]
    while waiting:
        tree = ast.parse(source_of(waiting.pop()).read_text(), feature_version=(3, 8))
        assert {name.partition(".")[0] for name in imports(tree)} <= sys.stdlib_module_names | {"holdfast"}
        found = {name for name in imports(tree) if name.startswith("holdfast.") and source_of(name).exists()} - reached
        reached |= found
        waiting += found
    assert not any(name.startswith(("holdfast.core", "holdfast.runtime", "holdfast.app")) for name in reached)


def test_core_knows_the_standard_library_only() -> None:
    roots = {
        name.partition(".")[0] for file in SOURCES if "core" in file.parts for name in imports(ast.parse(file.read_text()))
    }
    assert roots <= sys.stdlib_module_names | {"holdfast"}


def test_functions_and_modules_stay_short() -> None:
    long = [
        f"{file.name}: {len(file.read_text().splitlines())} lines" for file in SOURCES if file.read_text().count("\n") >= 500
    ]
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno >= 60:
                long.append(f"{file.name}: {node.name}")
    assert long == []


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["plan", "--help"]])
def test_starting_does_not_load_what_only_some_commands_need(arguments: list[str]) -> None:
    command = [sys.executable, "-X", "importtime", "-c", START, *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in answer.stderr.splitlines()}
    assert "holdfast" in loaded
    assert loaded & {"asyncio", "rich", "opentelemetry", "asyncssh", "httpx2", "jinja2", "sqlite3"} == set()


def source_of(module: str) -> Path:
    return ROOT / "src" / f"{module.replace('.', '/')}.py"


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names))
