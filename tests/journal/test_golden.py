"""Journals of every released format, as they were written then, are read, verified and continued by this program."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from holdfast.journal.contract import Journal
from holdfast.journal.sqlite import SqliteJournal
from holdfast.testing.journal_suite.builders import begin, plain, state_of

GOLDEN = Path(__file__).parent / "golden"
FORMATS = sorted(path.name for path in GOLDEN.iterdir())


def told(journal: Journal) -> Any:
    """What a journal answers, as plain JSON."""
    document = {
        "records": plain(journal.records()),
        "runs": [asdict(row) for row in journal.runs(limit=1000)],
        "executions": journal.executions(limit=1000),
        "cleanups": journal.cleanups(),
        "stats": journal.stats(),
        "locks": [asdict(lock) for lock in journal.locks()],
        "endings": journal.endings(),
        "last": journal.last_seq(),
    }
    return json.loads(json.dumps(document, default=repr))


@pytest.mark.parametrize("version", FORMATS)
def test_a_journal_of_an_earlier_format_is_read_and_goes_on(version: str, tmp_path: Path) -> None:
    """J50"""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    for name in ("journal.db", "journal.key", "journal.anchor"):
        shutil.copyfile(GOLDEN / version / name, state / name)
        (state / name).chmod(0o600)
    journal = SqliteJournal.open(state)
    assert journal.damage is None
    expected = json.loads((GOLDEN / version / "expected.json").read_text())
    expected["runs"] = [{"questions": [], **row} for row in expected["runs"]]  # what came later has its default
    assert told(journal) == expected
    assert journal.verify().ok
    before = state_of(journal)
    journal.replay()
    assert state_of(journal) == before
    begin(journal, "new")
    assert journal.verify().ok
    journal.close()
