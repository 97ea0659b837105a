"""What is sent to a host: it has to be understood by every Python that is young enough, and to find that one."""

from __future__ import annotations

import ast
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from holdfast.drivers.remote.parcel import NO_PYTHON, OLDEST, START, command, modules, shell
from holdfast.drivers.remote.shell.words import library


@pytest.mark.parametrize("name", modules())
def test_every_module_that_travels_is_written_for_the_oldest_python(name):
    spec = find_spec(name)
    source = Path(spec.origin).read_text()
    ast.parse(source, feature_version=OLDEST)


@pytest.mark.parametrize("name", modules())
def test_nothing_that_travels_asks_the_standard_library_for_what_came_later(name):
    """`removeprefix`, `zip(strict=)`, parenthesised context managers and such are no syntax errors, so they are looked for."""
    tree = ast.parse(Path(find_spec(name).origin).read_text())
    later = {"removeprefix", "removesuffix", "pairwise", "bit_count", "cache", "is_relative_to", "readlink_to", "randbytes"}
    assert not later & {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not any(word.arg == "strict" for word in ast.walk(tree) if isinstance(word, ast.keyword))
    assert not any(word.arg in ("slots", "kw_only") for word in ast.walk(tree) if isinstance(word, ast.keyword))
    assert any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)


def fake(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def found(folder: Path, candidates: str) -> subprocess.CompletedProcess:
    environment = {"PATH": f"{folder}:/bin:/usr/bin", "HOLDFAST_PYTHON": candidates}
    return subprocess.run(command(), env=environment, stdin=subprocess.DEVNULL, capture_output=True)


def test_one_that_is_too_old_or_does_not_know_the_words_is_passed_over(tmp_path):
    fake(tmp_path, "old", f"exit {NO_PYTHON}")
    fake(tmp_path, "ancient", "echo Unknown option: -I >&2; exit 2")
    fake(tmp_path, "good", "exit 7")
    assert found(tmp_path, "missing old ancient good").returncode == 7
    assert found(tmp_path, "missing old ancient").returncode == NO_PYTHON


def test_what_starts_a_worker_is_understood_by_an_old_python_as_well():
    boot = command("python3")[-1]
    ast.parse(boot, feature_version=(3, 4))


def test_a_password_that_sudo_did_not_ask_for_is_never_run_as_a_command():
    said = b"s3cret\n" + START + b"echo begun\n"
    for name in ("dash", "busybox"):
        words = ["busybox", *shell()] if name == "busybox" else ["dash", *shell()[1:]]
        ended = subprocess.run(words, input=said, capture_output=True)
        assert (ended.stdout, ended.stderr) == (b"begun\n", b"")


@pytest.mark.parametrize("shells", [["dash"], ["busybox", "sh"], ["bash", "--posix"]], ids=" ".join)
def test_every_shell_can_read_what_is_sent_to_a_host_without_python(shells):
    subprocess.run([*shells, "-n"], input=library(), check=True)
