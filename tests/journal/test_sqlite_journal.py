"""The SQLite journal where it meets the world: its directory, other processes, crashes, full disks, damage."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.errors import HoldfastError, StorageFailed, WorldError
from holdfast.core.events import EVENTS, Event
from holdfast.journal import database, opening
from holdfast.journal.database import LOG_BYTES_MAX, Log
from holdfast.journal.sqlite import SqliteJournal
from holdfast.testing.journal_suite.builders import begin, created, end, executed, fill, state_of

STEPS = Event("step.applied", task=0, stage=0, steps=range(10))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def written(state: Path, runs: int = 3) -> None:
    """A journal with a few runs, closed."""
    journal = SqliteJournal.open(state)
    for number in range(runs):
        begin(journal, f"R{number}", at=float(number))
        end(journal, f"R{number}", at=number + 0.5)
    journal.close()


def folded(state: Path) -> None:
    """Everything in the database file, no log: what any program leaves that closes it last."""
    with sqlite3.connect(state / "journal.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def log_bytes(state: Path) -> int:
    """As far as the log counts."""
    log = Log(str(state / "journal.db-wal"))
    found = log.size()
    log.close()
    return found


def change(state: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(state / "journal.db")
    with connection:
        connection.execute(statement, values)
    connection.close()


def failure(call: Callable[[], object]) -> HoldfastError:
    with pytest.raises(HoldfastError) as caught:
        call()
    return caught.value


class TestPlace:
    def test_a_new_journal_is_for_its_owner_only_whatever_the_umask(self, tmp_path: Path) -> None:
        """J09"""
        before = os.umask(0)
        try:
            journal = SqliteJournal.open(tmp_path / "a" / "b" / "state")
            begin(journal, "A")
            found = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "a" / "b" / "state").iterdir()}
            journal.close()
        finally:
            os.umask(before)
        assert (tmp_path / "a" / "b" / "state").stat().st_mode & 0o777 == 0o700
        assert set(found.values()) == {0o600}
        assert {"journal.db", "journal.key", "journal.anchor"} <= found.keys()
        assert (tmp_path / "a" / "b" / "state" / "journal.key").stat().st_size == 32

    @pytest.mark.parametrize(("name", "mode"), [(".", 0o770), ("journal.db", 0o620), ("journal.key", 0o640)])
    def test_what_others_may_have_written_is_refused_with_a_hint(self, state: Path, name: str, mode: int) -> None:
        written(state)
        (state / name).chmod(mode)
        error = failure(lambda: SqliteJournal.open(state))
        assert error.code == "permission_denied" and "chmod" in error.hint

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
    def test_a_directory_of_another_user_is_refused(self, state: Path) -> None:
        written(state)
        os.chown(state, 12345, 12345)
        error = failure(lambda: SqliteJournal.open(state))
        assert error.code == "permission_denied" and "12345" in error.message

    def test_a_reader_finds_no_journal_to_be_an_empty_one_and_makes_none(self, state: Path) -> None:
        journal = SqliteJournal.open(state, read_only=True)
        assert (journal.runs(), list(journal.records()), journal.last_seq(), journal.verify().ok) == ([], [], 0, True)
        assert failure(lambda: begin(journal, "A")).code == "wrong_state"
        journal.close()
        assert not state.exists()

    def test_a_reader_cannot_write_to_a_journal_that_is_there(self, state: Path) -> None:
        written(state)
        journal = SqliteJournal.open(state, read_only=True)
        assert len(journal.runs()) == 3
        assert failure(lambda: begin(journal, "A")).code == "wrong_state"
        journal.close()

    def test_an_empty_database_file_becomes_a_journal(self, state: Path) -> None:
        """J11"""
        state.mkdir(mode=0o700)
        (state / "journal.db").touch(mode=0o600)
        journal = SqliteJournal.open(state)
        assert begin(journal, "A") and journal.last_seq() == 2
        journal.close()

    @pytest.mark.parametrize("left", [["journal.key"], ["journal.key", "journal.anchor"], ["journal.key.new"]])
    def test_a_journal_that_was_begun_and_not_finished_is_finished(self, state: Path, left: list[str]) -> None:
        """J47: what a crash while making it leaves behind"""
        SqliteJournal.open(state).close()
        for path in list(state.iterdir()):
            if path.name not in left:
                path.unlink()
        if left == ["journal.key.new"]:
            (state / "journal.key.new").touch(mode=0o600)
        journal = SqliteJournal.open(state)
        begin(journal, "A")
        assert (journal.damage, journal.verify().ok) == (None, True)
        journal.close()

    def test_a_key_may_be_kept_elsewhere(self, state: Path) -> None:
        journal = SqliteJournal.open(state, key=b"k" * 32)
        begin(journal, "A")
        journal.close()
        assert not (state / "journal.key").exists()
        journal = SqliteJournal.open(state, key=b"k" * 32)
        assert (journal.damage, journal.verify().ok) == (None, True)
        journal.close()
        journal = SqliteJournal.open(state, key=b"x" * 32)
        assert journal.damage is not None
        journal.close()

    def test_a_format_of_a_later_version_is_refused(self, state: Path) -> None:
        """J49, J50"""
        written(state)
        change(state, "PRAGMA user_version=2")
        error = failure(lambda: SqliteJournal.open(state))
        assert error.code == "unsupported" and "format 2" in error.message


class TestSyncs:
    """A sync is counted where it happens: the process is run under strace."""

    SCRIPT = """
import sys
from holdfast.journal.sqlite import SqliteJournal
from holdfast.core.events import Event
from holdfast.testing.journal_suite.builders import created
run = sys.argv[2]
journal = SqliteJournal.open(sys.argv[1])
journal.keep_plan("sha256:" + run, b"x" * 4000)
journal.append(run, [created(sizes=(60,))], at=1.0, durable=False)
journal.lock(run, "me", [f"local:/srv/{i}" for i in range(60)], at=1.1)
journal.append(run, [Event("run.started"), Event("step.applying", {"attempt": 1}, task=0, stage=0, steps=range(60))], at=1.2)
done = Event("step.applied", {"duration_s[]": [0.1] * 60}, task=0, stage=0, steps=range(60))
journal.append(run, [done, Event("run.committed", {"ending": "committed"})], at=1.3)
journal.unlock(run, at=1.4)
journal.close()
"""

    @pytest.mark.skipif(shutil.which("strace") is None, reason="strace counts the syncs")
    def test_a_local_plan_costs_at_most_four(self, state: Path) -> None:
        SqliteJournal.open(state).close()
        counts = []
        for number in range(8):
            command = ["strace", "-f", "-qq", "-e", "trace=fsync,fdatasync,syncfs,sync", sys.executable, "-c", self.SCRIPT]
            found = subprocess.run([*command, str(state), f"R{number}"], capture_output=True, text=True, check=True)
            counts.append(len(re.findall(r"sync\w*\(", found.stderr)))
        assert max(counts) <= 4
        assert sorted(counts)[len(counts) // 2] == 2
        assert (state / "journal.db-wal").stat().st_size <= 2 * LOG_BYTES_MAX

    def test_a_log_that_was_folded_is_written_over_from_its_beginning(self, state: Path) -> None:
        journal = SqliteJournal.open(state)
        begin(journal, "A")
        for _ in range(40):
            journal.append("A", [Event("run.cancelling", {"why": "x" * 200_000})], at=1.0)
        assert (state / "journal.db-wal").stat().st_size <= 2 * LOG_BYTES_MAX
        assert log_bytes(state) < (state / "journal.db-wal").stat().st_size
        journal.close()
        journal = SqliteJournal.open(state)
        assert (journal.damage, len(list(journal.records())), journal.verify().ok) == (None, 41, True)
        journal.close()

    def test_a_durable_append_syncs_once_and_another_does_not(self, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        journal = SqliteJournal.open(state)
        begin(journal, "A")
        synced: list[int] = []
        monkeypatch.setattr(database, "fdatasync", synced.append)
        journal.append("A", [STEPS], at=1.0)
        assert len(synced) == 1
        journal.append("A", [STEPS], at=1.0, durable=False)
        assert len(synced) == 1
        journal.close()
        assert len(synced) == 1

    def test_a_new_journal_is_durable_name_by_name(self, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        synced: list[str] = []
        fsync = os.fsync

        def noted(fd: int) -> None:
            synced.append(Path(os.readlink(f"/proc/self/fd/{fd}")).name)
            fsync(fd)

        monkeypatch.setattr(os, "fsync", noted)
        journal = SqliteJournal.open(state)
        assert synced == ["journal.key.new", "journal.anchor.new", "journal.db.new", "state"]
        begin(journal, "A")  # the first write into a log that may be new
        assert synced[4:] == ["state"]
        begin(journal, "B")
        assert len(synced) == 5
        journal.close()

    def test_after_a_failed_sync_nothing_more_is_believed(self, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(fd: int) -> None:
            raise OSError(5, "Input/output error")

        journal = SqliteJournal.open(state)
        begin(journal, "A")
        monkeypatch.setattr(database, "fdatasync", broken)
        assert isinstance(failure(lambda: journal.append("A", [STEPS], at=1.0)), StorageFailed)
        monkeypatch.undo()
        assert isinstance(failure(lambda: journal.append("A", [STEPS], at=1.0)), StorageFailed)
        journal.close()

    def test_a_log_that_cannot_be_folded_stays_and_nothing_is_lost(self, state: Path) -> None:
        journal = SqliteJournal.open(state)
        begin(journal, "A")
        reader = sqlite3.connect(state / "journal.db", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM records").fetchone()
        for _ in range(12):
            journal.append("A", [Event("run.cancelling", {"why": "x" * 200_000})], at=1.0)
        assert log_bytes(state) > 2 * LOG_BYTES_MAX
        reader.execute("COMMIT")
        reader.close()
        for _ in range(12):
            journal.append("A", [Event("run.cancelling", {"why": "x" * 200_000})], at=1.0)
        assert log_bytes(state) < 2 * LOG_BYTES_MAX
        assert journal.verify().ok
        journal.close()

    def test_threads_that_wait_for_the_disk_share_its_syncs(self, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        journal = SqliteJournal.open(state)
        begin(journal, "A")
        syncing, go_on, synced = threading.Event(), threading.Event(), []

        def slow(fd: int) -> None:
            synced.append(fd)
            syncing.set()
            go_on.wait(10)

        monkeypatch.setattr(database, "fdatasync", slow)
        threads = [threading.Thread(target=journal.append, args=("A", [STEPS]), kwargs={"at": 1.0}) for _ in range(8)]
        threads[0].start()
        syncing.wait(10)
        for thread in threads[1:]:
            thread.start()
        while journal.last_seq() < 82:  # all have committed, and wait
            pass
        go_on.set()
        for thread in threads:
            thread.join()
        assert len(synced) <= 3
        journal.close()


class TestCrashes:
    WRITER = """
import sys
from holdfast.journal.sqlite import SqliteJournal
from holdfast.testing.journal_suite.builders import begin
journal = SqliteJournal.open(sys.argv[1])
for number in range(1000):
    begin(journal, f"R{number}")
    sys.stdout.write(f"{journal.last_seq()}\\n")
    sys.stdout.flush()
"""

    def test_what_append_returned_for_survives_a_kill(self, state: Path) -> None:
        """J13"""
        with subprocess.Popen([sys.executable, "-c", self.WRITER, str(state)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            told = [int(process.stdout.readline()) for _ in range(20)]
            process.send_signal(signal.SIGKILL)
            told += [int(line) for line in process.stdout.read().split()]
        journal = SqliteJournal.open(state)
        found = journal.verify()
        assert (journal.damage, found.ok, found.problems) == (None, True, ())
        assert journal.last_seq() >= told[-1]
        journal.close()

    def test_a_torn_end_of_the_log_that_was_never_acknowledged_is_no_damage(self, state: Path) -> None:
        """J25: power failed within the last write, before its sync"""
        journal = SqliteJournal.open(state)
        begin(journal, "A")
        sound = state.joinpath("journal.anchor").read_bytes()
        journal.append("A", [STEPS], at=2.0)
        journal.close()
        (state / "journal.anchor").write_bytes(sound)
        log = state / "journal.db-wal"
        os.truncate(log, log.stat().st_size - 10)
        journal = SqliteJournal.open(state)
        assert (journal.damage, journal.last_seq(), journal.verify().ok) == (None, 2, True)
        assert journal.append("A", [STEPS], at=3.0).first == 3
        journal.close()

    def test_a_crash_between_a_write_and_its_anchor_is_no_damage(self, state: Path) -> None:
        written(state)
        anchor = (state / "journal.anchor").read_bytes()
        written_again = SqliteJournal.open(state)
        begin(written_again, "later")
        written_again.close()
        (state / "journal.anchor").write_bytes(anchor)
        journal = SqliteJournal.open(state)
        assert (journal.damage, journal.verify().ok) == (None, True)
        journal.close()

    def test_a_write_that_fails_half_way_leaves_nothing(self, state: Path) -> None:
        """J14, J51: the disk is full"""
        journal = SqliteJournal.open(state)
        begin(journal, "A")
        before = state_of(journal)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, ((state / "journal.db-wal").stat().st_size + 5000, limits[1]))
        try:
            error = failure(lambda: journal.append("A", [Event("run.cancelling", {"why": "x" * 50_000})], at=2.0))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, ignored)
        assert isinstance(error, StorageFailed)
        assert state_of(journal) == before
        assert journal.append("A", [STEPS], at=3.0).first == 3
        assert journal.verify().ok
        journal.close()

    def test_a_compaction_that_fails_drops_nothing(self, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """J51"""
        journal = SqliteJournal.open(state)
        fill(journal)
        before = state_of(journal)

        def broken(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(journal, "_add", broken)
        with pytest.raises(OSError, match="space"):
            journal.compact(keep_runs=0, at=9.0)
        monkeypatch.undo()
        assert state_of(journal) == before
        assert journal.verify().ok
        journal.close()

    def test_compaction_gives_its_space_back(self, state: Path) -> None:
        """J42, J53"""
        journal = SqliteJournal.open(state)
        for number in range(100):
            begin(journal, f"R{number}", sizes=(200,))
            end(journal, f"R{number}")
        done = journal.compact(keep_runs=5, at=9.0)
        assert done["runs"] == 95 and done["bytes_reclaimed"] > 300_000
        assert (state / "journal.db").stat().st_size < 400_000
        assert journal.verify().ok
        journal.close()


class TestBirth:
    def test_who_looks_while_a_journal_is_made_waits_until_it_is(self, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Half of one looks like damage, and who looks at it would stop who makes it."""
        seen: list[SqliteJournal] = []
        looking = threading.Thread(target=lambda: seen.append(SqliteJournal.open(state, read_only=True)))
        make = opening.make

        def looked_at(*given: Any) -> None:
            looking.start()
            looking.join(0.1)
            assert looking.is_alive()
            make(*given)

        monkeypatch.setattr(opening, "make", looked_at)
        SqliteJournal.open(state).close()
        looking.join()
        assert (seen[0].damage, seen[0].last_seq(), os.listdir(state).count("journal.damage")) == (None, 0, 0)
        seen[0].close()

    @pytest.mark.parametrize("there", [("key",), ("key", "anchor"), ("key", "anchor", "db")])
    def test_one_whose_maker_died_is_empty_for_who_looks(self, state: Path, there: tuple[str, ...]) -> None:
        SqliteJournal.open(state).close()
        for file in state.iterdir():
            if file.suffix[1:] not in there:
                file.unlink()
        if "db" in there:
            (state / "journal.db").write_bytes(b"")
        journal = SqliteJournal.open(state, read_only=True)
        assert (journal.damage, journal.runs()) == (None, [])
        journal.close()
        journal = SqliteJournal.open(state)
        assert (begin(journal, "A"), journal.verify().ok) == ("A", True)
        journal.close()


class TestManyProcesses:
    WRITER = """
import sys
from holdfast.journal.sqlite import SqliteJournal
from holdfast.core.events import Event
from holdfast.testing.journal_suite.builders import begin, end, executed
journal = SqliteJournal.open(sys.argv[1])
for number in range(30):
    run = begin(journal, f"{sys.argv[2]}{number}")
    journal.lock(run, sys.argv[2], ["shared"], at=1.0)
    journal.append(None, [executed("a", number)], at=1.0, durable=False)
    journal.unlock(run, at=1.0)
    end(journal, run)
journal.close()
"""

    def test_several_write_one_journal(self, state: Path) -> None:
        """J33: one state directory, many processes: each waits for the other's write"""
        processes = [subprocess.Popen([sys.executable, "-c", self.WRITER, str(state), name]) for name in "ABC"]
        assert [process.wait(60) for process in processes] == [0, 0, 0]
        journal = SqliteJournal.open(state)
        found = journal.verify()
        assert (found.ok, found.problems) == (True, ())
        assert (len(journal.runs(limit=1000)), journal.locks()) == (90, [])
        journal.close()

    def test_two_who_write_of_one_run_in_turns_number_its_facts_without_gaps(self, state: Path) -> None:
        """What one knows of the run from its last write is out of date when the other has written."""
        one, other = SqliteJournal.open(state), SqliteJournal.open(state)
        begin(one, "A")
        for journal in (one, other, one, one, other, one):
            journal.append("A", [STEPS], at=1.0)
        numbers = [(record.plan_seq, record.count) for record in one.records("A")]
        assert [number for number, _ in numbers] == [1 + sum(count for _, count in numbers[:at]) for at in range(len(numbers))]
        live = state_of(one)
        one.replay()
        assert (one.verify().ok, state_of(one)) == (True, live)
        one.close()
        other.close()

    def test_who_waits_too_long_for_another_writer_is_told(self, state: Path) -> None:
        """J33"""
        journal = SqliteJournal.open(state, patience_s=0.05)
        begin(journal, "A")
        other = sqlite3.connect(state / "journal.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        error = failure(lambda: begin(journal, "B"))
        assert (error.code, isinstance(error, WorldError) and error.retryable) == ("locked", True)
        assert len(journal.runs()) == 1
        other.execute("ROLLBACK")
        other.close()
        begin(journal, "B")
        journal.close()

    def test_a_reader_sees_what_another_process_writes(self, state: Path) -> None:
        journal, reader = SqliteJournal.open(state), SqliteJournal.open(state, read_only=True)
        before = reader.changed()
        begin(journal, "A")
        assert reader.changed() != before
        assert [row.id for row in reader.runs()] == ["A"]
        journal.close()
        reader.close()

    def test_a_slow_reader_keeps_nobody_from_writing_or_compacting(self, state: Path) -> None:
        journal, reader = SqliteJournal.open(state), SqliteJournal.open(state)
        for number in range(300):
            journal.append(None, [executed("a", number)], at=1.0, durable=False)
        begin(journal, "A")
        records = reader.records()
        assert next(records).seq == 1
        assert journal.compact(keep_runs=0, at=2.0)["removed"] == 300
        assert [record.seq for record in records][-2:] == [301, 303]
        journal.close()
        reader.close()


CHANGES = {
    "a changed body": "UPDATE records SET body = CAST(replace(CAST(body AS TEXT), 'alice', 'mallo') AS BLOB) WHERE seq = 5",
    "a changed number": "UPDATE records SET seq = 400, last = 401 WHERE seq = 5",
    "another run": "UPDATE records SET run = 'R2' WHERE seq = 5",
    "a changed mac": "UPDATE records SET mac = zeroblob(16) WHERE seq = 5",
    "a dropped record": "DELETE FROM records WHERE seq = 5",
    "the first one dropped": "DELETE FROM records WHERE seq = 1",
    "the last one dropped": "DELETE FROM records WHERE seq = (SELECT max(seq) FROM records)",
    "all of them dropped": "DELETE FROM records",
    "one record in place of another": "UPDATE records SET (body, prev, mac) = "
    "(SELECT body, prev, mac FROM records WHERE seq = 1) WHERE seq = 5",
    "a run's row": "UPDATE rows SET body = CAST(replace(CAST(body AS TEXT), 'committed', 'refused  ') AS BLOB) "
    "WHERE sheet = 'run' AND key = 2",
    "a run's row gone": "DELETE FROM rows WHERE sheet = 'run' AND key = 2",
    "a run's row moved": "UPDATE rows SET key = 20 WHERE sheet = 'run' AND key = 2",
    "a document": "UPDATE documents SET body = CAST('evil' AS BLOB)",
    "a document gone": "DELETE FROM documents",
    "a count": "DELETE FROM rows WHERE sheet = 'count' AND key = 'runs'",
    "the tip": "DELETE FROM rows WHERE sheet = '@tip'",
}


class TestTampering:
    """J02, J21, J22, J32: what a person with an editor for databases can do."""

    @pytest.mark.parametrize("name", CHANGES)
    def test_is_found(self, state: Path, name: str) -> None:
        written(state)
        journal = SqliteJournal.open(state)
        journal.put("shelf", "name", b"good")
        journal.close()
        change(state, CHANGES[name])
        journal = SqliteJournal.open(state)
        found = journal.verify()
        assert not found.ok and found.problems
        journal.close()

    def test_a_changed_record_is_never_read_as_if_it_were_sound(self, state: Path) -> None:
        """J20, J22: what is before it is read, then comes the error"""
        written(state, runs=5)
        change(state, "UPDATE records SET body = CAST(replace(CAST(body AS TEXT), 'alice', 'mallo') AS BLOB) WHERE seq = 9")
        journal = SqliteJournal.open(state)
        assert [record.seq for record in journal.records(limit=4)] == [1, 3, 5, 7]
        assert failure(lambda: list(journal.records())).code == "corrupt_journal"
        assert failure(lambda: list(journal.records("R2"))).code == "corrupt_journal"
        assert len(list(journal.records("R1"))) == 2
        found = journal.verify()
        assert (found.records, "record 9" in found.problems[0]) == (4, True)
        assert "behind that lie 5 records that are sound" in found.problems[1]
        journal.close()

    def test_a_journal_cut_by_k_records_is_found_through_its_anchor(self, state: Path) -> None:
        """J32: an older copy of the database, put back"""
        written(state)
        folded(state)
        kept = (state / "journal.db").read_bytes()
        journal = SqliteJournal.open(state)
        begin(journal, "later")
        journal.close()
        folded(state)
        (state / "journal.db").write_bytes(kept)
        journal = SqliteJournal.open(state)
        assert journal.damage is not None and "cut" in journal.damage
        assert not journal.verify().ok
        journal.close()


class TestDamage:
    """J04, J28, J31, J48: never silently started empty, never silently dropped."""

    def test_a_database_that_is_gone_is_told_and_not_begun_anew(self, state: Path) -> None:
        written(state)
        for suffix in ("", "-wal", "-shm"):
            (state / f"journal.db{suffix}").unlink(missing_ok=True)
        journal = SqliteJournal.open(state)
        assert journal.damage is not None and "gone" in journal.damage
        assert failure(journal.runs).code == "corrupt_journal"
        assert failure(lambda: begin(journal, "A")).code == "corrupt_journal"
        assert not journal.verify().ok
        journal.close()
        assert not (state / "journal.db").exists()

    @pytest.mark.parametrize("name", ["journal.key", "journal.anchor"])
    def test_a_key_or_an_anchor_that_is_gone_is_told(self, state: Path, name: str) -> None:
        written(state)
        (state / name).unlink()
        journal = SqliteJournal.open(state)
        assert journal.damage is not None and name.split(".")[1] in journal.damage
        assert failure(lambda: begin(journal, "A")).code == "corrupt_journal"
        assert not journal.verify().ok
        journal.close()
        assert not (state / name).exists()

    def test_binary_garbage_is_told_and_kept(self, state: Path) -> None:
        """J28"""
        written(state)
        folded(state)
        (state / "journal.db").write_bytes(bytes(range(256)) * 64)
        journal = SqliteJournal.open(state)
        assert journal.damage is not None
        assert failure(journal.runs).code == "corrupt_journal"
        assert failure(lambda: begin(journal, "A")).hint != ""
        journal.close()
        assert (state / "journal.db").read_bytes() == bytes(range(256)) * 64

    def test_what_was_once_found_is_remembered_until_everything_is_sound_again(self, state: Path) -> None:
        """J31: an opening reads only the end, so whoever finds damage in the middle tells all who come later"""
        written(state, runs=5)
        folded(state)
        sound = (state / "journal.db").read_bytes()
        change(state, "UPDATE records SET body = CAST(replace(CAST(body AS TEXT), 'alice', 'mallo') AS BLOB) WHERE seq = 9")
        reader = SqliteJournal.open(state, read_only=True)
        assert reader.damage is None
        assert failure(lambda: list(reader.records("R2"))).code == "corrupt_journal"
        reader.close()
        journal = SqliteJournal.open(state)
        assert journal.damage is not None and "record 9" in journal.damage
        assert failure(lambda: begin(journal, "later")).code == "corrupt_journal"
        assert len(journal.runs()) == 5
        journal.close()
        folded(state)
        (state / "journal.db").write_bytes(sound)
        journal = SqliteJournal.open(state, read_only=True)
        assert journal.damage is not None
        assert journal.verify().ok and journal.damage is None
        journal.close()
        journal = SqliteJournal.open(state)
        begin(journal, "later")
        journal.close()

    def test_a_page_destroyed_in_the_middle_leaves_the_rest_readable(self, state: Path) -> None:
        """J29, J31"""
        journal = SqliteJournal.open(state)
        for number in range(200):
            begin(journal, f"R{number:03}", sizes=(50,))
        journal.close()
        folded(state)
        data = bytearray((state / "journal.db").read_bytes())
        victim = data.find(b'"run":"R100","plan_seq"') // 4096 * 4096
        data[victim : victim + 4096] = os.urandom(4096)
        (state / "journal.db").write_bytes(data)
        journal = SqliteJournal.open(state)
        assert not journal.verify().ok
        assert len(journal.runs(limit=5)) == 5
        with pytest.raises(WorldError, match="damaged"):
            list(journal.records())
        journal.close()

    def test_a_damaged_snapshot_is_an_error_not_an_empty_state(self, state: Path) -> None:
        """J48"""
        journal = SqliteJournal.open(state)
        fill(journal)
        journal.compact(keep_runs=0, at=9.0)
        journal.close()
        change(state, "UPDATE documents SET body = CAST('garbage' AS BLOB) WHERE name = 'snapshot'")
        journal = SqliteJournal.open(state)
        assert failure(journal.replay).code == "corrupt_journal"
        assert len(journal.runs()) == 8
        assert not journal.verify().ok
        journal.close()


class TestFormat:
    def test_a_record_is_one_line_that_leaves_out_what_is_not_set(self, state: Path) -> None:
        """J03, J06"""
        journal = SqliteJournal.open(state)
        journal.append("A", [created(), Event("run.pausing", {"why": "line\nbreak"})], at=1.5)
        journal.append(None, [Event("trigger.fired", {"name": "n", "action_id": "a"})], at=2.0)
        journal.close()
        connection = sqlite3.connect(state / "journal.db")
        bodies = [body for (body,) in connection.execute("SELECT body FROM records ORDER BY seq")]
        connection.close()
        assert all(b"\n" not in body for body in bodies)
        assert bodies[1] == b'{"at":2.0,"count":1,"events":[{"type":"trigger.fired","data":{"name":"n","action_id":"a"}}]}'

    def test_equal_facts_at_different_places_have_different_macs(self, state: Path) -> None:
        """J08"""
        journal = SqliteJournal.open(state)
        for _ in range(2):
            journal.append(None, [Event("trigger.fired", {"name": "n"})], at=2.0)
        journal.close()
        connection = sqlite3.connect(state / "journal.db")
        rows = connection.execute("SELECT body, mac FROM records").fetchall()
        connection.close()
        assert rows[0][0] == rows[1][0] and rows[0][1] != rows[1][1]

    def test_types_of_events_are_stable_words(self) -> None:
        """J05"""
        golden = (Path(__file__).parent / "golden" / "v1" / "types.txt").read_text().split()
        assert all(re.fullmatch(r"[a-z]+\.[a-z_]+", name) for name in EVENTS)
        assert set(golden) <= EVENTS.keys()
