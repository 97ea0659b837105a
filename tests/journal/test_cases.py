"""Cases of the journal by their ids, as far as no other test is about them: opening again, tails, compaction."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from holdfast.core.errors import WorldError
from holdfast.core.events import Event
from holdfast.journal.snapshot import SNAPSHOT
from holdfast.journal.sqlite import SqliteJournal
from holdfast.runtime.owner import is_alive
from holdfast.testing.journal_suite.builders import begin, end

FACT = Event("plan.approved", {"digest": "sha256:0", "by": "me"})


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def add(state: Path, count: int) -> list[int]:
    """The numbers that so many appends get from a journal that is opened for them."""
    journal = SqliteJournal.open(state)
    try:
        return [journal.append(None, [FACT], at=float(number)).first for number in range(count)]
    finally:
        journal.close()


def runs(state: Path, count: int, *, first: int = 0) -> None:
    journal = SqliteJournal.open(state)
    for number in range(first, first + count):
        begin(journal, f"R{number}", at=float(number))
        end(journal, f"R{number}", at=number + 0.5)
    journal.close()


def compacted(state: Path, keep_runs: int) -> dict[str, int]:
    journal = SqliteJournal.open(state)
    try:
        return dict(journal.compact(keep_runs=keep_runs, at=100.0))
    finally:
        journal.close()


def test_j10_j12_numbers_go_on_after_reopening_and_each_append_is_one_record(state: Path) -> None:
    first, second = add(state, 2), add(state, 3)
    assert second == [first[-1] + 1, first[-1] + 2, first[-1] + 3]
    journal = SqliteJournal.open(state)
    assert [record.seq for record in journal.records()] == first + second
    journal.close()


def test_j23_j24_a_sound_journal_has_no_problems(state: Path) -> None:
    add(state, 5)
    journal = SqliteJournal.open(state)
    found = journal.verify()
    assert (found.ok, found.records, found.problems) == (True, 5, ())
    journal.close()


def test_j26_j27_what_was_torn_off_behind_the_end_is_passed_over_and_writing_goes_on(state: Path) -> None:
    add(state, 10)
    with open(state / "journal.db-wal", "ab") as log:
        log.write(b"CORRUPT" * 100)
    add(state, 5)
    journal = SqliteJournal.open(state)
    assert (journal.damage, len(list(journal.records())), journal.verify().ok) == (None, 15, True)
    journal.close()


def test_j34_a_lock_file_that_a_dead_process_left_is_no_sign_of_life(tmp_path: Path) -> None:
    left = tmp_path / "OWNER"
    left.write_text('{"pid": 1}')
    assert not is_alive(str(tmp_path), "OWNER")
    assert left.read_text() == '{"pid": 1}', "whoever looks changes nothing"


def test_j44_there_is_something_to_compact_only_beyond_what_is_kept(state: Path) -> None:
    runs(state, 3)
    assert compacted(state, 3)["removed"] == 0
    assert compacted(state, 1)["runs"] == 2


def test_j43_j46_after_a_compaction_every_run_is_still_listed_and_numbers_go_on(state: Path) -> None:
    runs(state, 3)
    journal = SqliteJournal.open(state)
    listed, last = journal.runs(), journal.last_seq()
    journal.close()
    compacted(state, 0)
    assert min(add(state, 1)) > last
    journal = SqliteJournal.open(state)
    assert [(row.id, row.ending) for row in journal.runs()] == [(row.id, row.ending) for row in listed]
    journal.close()


def test_j52_a_compaction_right_after_another_one_counts_right(state: Path) -> None:
    runs(state, 2)
    first = compacted(state, 0)
    again = compacted(state, 0)
    assert (first["runs"], again["runs"], again["removed"]) == (2, 0, 0)
    assert again["kept"] == first["kept"]


def test_j30_however_often_a_damaged_journal_is_opened_it_stays_as_it_was_found(state: Path) -> None:
    """Nothing is rotated away, so no copies need be kept: beside it lies one sentence, of what was found first."""
    runs(state, 2)
    (state / "journal.db").write_bytes(garbage := bytes(range(256)) * 64)
    for suffix in ("-wal", "-shm"):
        (state / f"journal.db{suffix}").unlink(missing_ok=True)
    found = []
    for _ in range(4):
        journal = SqliteJournal.open(state)
        found.append(journal.damage)
        with pytest.raises(WorldError, match="damaged"):
            journal.append(None, [FACT], at=1.0)
        journal.close()
    assert (state / "journal.db").read_bytes() == garbage
    assert None not in found and len(set(found)) == 1
    left = {path.name for path in state.iterdir()}
    assert left <= {"journal.db", "journal.key", "journal.anchor", "journal.damage"}


def test_j41_the_rows_are_a_snapshot_that_is_never_behind(state: Path) -> None:
    """No interval: each append brings them up to date, in its own transaction, so that opening replays nothing."""
    for number in range(3):
        runs(state, 1, first=number)
        database = sqlite3.connect(state / "journal.db")
        database.execute("UPDATE records SET body = CAST('gone' AS BLOB) WHERE seq < (SELECT max(seq) FROM records)")
        database.commit()
        database.close()
        journal = SqliteJournal.open(state)
        assert [row.id for row in journal.runs()] == [f"R{before}" for before in range(number, -1, -1)]
        assert journal.endings() == {"committed": number + 1}
        journal.close()


def test_j45_there_is_one_snapshot_however_often_it_is_compacted(state: Path) -> None:
    """Each holds all that the one before it held, and replaces it in the transaction that drops the records."""
    for number in range(3):
        runs(state, 2, first=2 * number)
        assert compacted(state, keep_runs=0)["removed"]
        journal = SqliteJournal.open(state)
        assert list(journal.names(SNAPSHOT[0])) == [SNAPSHOT[1]]
        assert journal.verify().ok
        before = journal.runs()
        journal.replay()
        assert journal.runs() == before and len(before) == 2 * number + 2
        journal.close()
