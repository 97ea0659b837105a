"""Care for the journal: what is wrong with it is said, what is old goes, and nothing goes by accident."""

from __future__ import annotations

import os

from tests.cli.conftest import Shell

FILE = "file: a\ncontent: x\nid: a"


def _damage(shell: Shell) -> None:
    for path in (shell.state / "journal").iterdir():
        if path.stat().st_size > 4096:
            data = bytearray(path.read_bytes())
            data[4096:] = os.urandom(len(data) - 4096)
            path.write_bytes(data)


def test_a_sound_journal_is_verified(shell: Shell) -> None:
    shell.run("apply", shell.steps(FILE), "--yes")
    ended = shell.run("journal", "verify")
    assert ended.code == 0 and "sound" in ended.out
    assert shell.json("journal", "verify")["records"] > 0


def test_damage_exits_3_and_stops_everything_that_would_write(shell: Shell) -> None:
    plan = shell.steps(FILE)
    shell.run("apply", plan, "--yes")
    (shell.home / "a").unlink()
    _damage(shell)
    ended = shell.run("journal", "verify", "--json")
    assert (ended.code, ended.document["ok"]) == (3, False)
    assert ended.document["problems"]
    refused = shell.run("apply", plan, "--yes", "--json")
    assert (refused.code, refused.document["error"]["code"]) == (3, "corrupt_journal")
    assert not (shell.home / "a").exists()


def test_old_runs_are_dropped_when_asked_and_counts_stay(shell: Shell) -> None:
    for content in "abc":
        shell.run("apply", shell.steps(f"file: a\ncontent: {content}"), "--yes")
    found = shell.json("journal", "compact", "--keep-runs", "1")
    assert {"runs", "removed", "kept", "bytes_reclaimed"} <= set(found)
    assert shell.json("stats")["runs"]["total"] == 3
    assert shell.json("journal", "verify")["ok"]
    assert shell.run("rollback", "last", "--yes").code == 0
    assert (shell.home / "a").read_text() == "b"


def test_a_run_whose_records_are_gone_says_so(shell: Shell) -> None:
    first = shell.json("apply", shell.steps(FILE), "--yes")["run"]
    shell.run("rollback", first, "--yes")
    shell.run("apply", shell.steps(FILE), "--yes")
    shell.run("journal", "compact", "--keep-runs", "1")
    ended = shell.run("show", first, "--json")
    assert ended.code == 4 and ended.document["error"]["code"] == "not_found"
