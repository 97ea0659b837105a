"""`holdfast doctor` tells what an installation stands on, what it can do, and what is wrong with it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from holdfast.app import doctor
from tests.cli.conftest import Shell


def _checks(shell: Shell) -> dict[str, dict[str, object]]:
    return {check["name"]: check for check in shell.run("doctor", "--json").document["checks"]}


def test_a_sound_installation_passes_every_check(shell: Shell) -> None:
    ended = shell.run("doctor")
    assert ended.code == 0, ended.out
    assert "✗" not in ended.out
    assert {
        "python",
        "sqlite",
        "state directory",
        "file system",
        "durable writes",
        "exchange of names",
        "journal",
        "clock",
    } <= set(_checks(shell))
    assert not shell.state.exists(), "examining changes nothing"


def test_a_state_directory_that_others_can_read_is_wrong(shell: Shell) -> None:
    shell.run("apply", shell.steps("file: a\ncontent: x"), "--yes")
    shell.state.chmod(0o755)
    ended = shell.run("doctor", "--json")
    check = next(check for check in ended.document["checks"] if check["name"] == "state directory")
    assert (ended.code, check["ok"]) == (1, False)
    assert f"chmod 700 {shell.state}" in check["hint"]


def test_a_damaged_journal_is_wrong(shell: Shell) -> None:
    shell.run("apply", shell.steps("file: a\ncontent: x"), "--yes")
    for path in (shell.state / "journal").iterdir():
        if path.stat().st_size > 4096:
            data = bytearray(path.read_bytes())
            data[4096:] = os.urandom(len(data) - 4096)
            path.write_bytes(data)
    ended = shell.run("doctor", "--json")
    check = next(check for check in ended.document["checks"] if check["name"] == "journal")
    assert (ended.code, check["ok"]) == (1, False)
    assert check["hint"]


def test_a_run_from_the_future_is_a_clock_that_is_wrong() -> None:
    assert not doctor.clock(time.time() + 3600).ok
    assert doctor.clock(time.time()).ok


def test_kinds_and_drivers_of_other_packages_are_found(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    _package(shell.home / "site", monkeypatch, "[holdfast.kinds]\nteapot = teapot:Teapot\nbroken = nowhere:Gone\n")
    (shell.home / "site" / "teapot.py").write_text("class Teapot: pass\n")
    checks = _checks(shell)
    assert checks["kind teapot"] == {"name": "kind teapot", "ok": True, "message": "from teapots 1.2", "hint": ""}
    assert not checks["kind broken"]["ok"] and "nowhere" in str(checks["kind broken"]["message"])


def _package(site: Path, monkeypatch: pytest.MonkeyPatch, points: str) -> None:
    info = site / "teapots-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: teapots\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(site))
