"""Cases of the journal by their ids, as far as no other test is about them: opening again, tails, compaction."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.core.events import Event
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
