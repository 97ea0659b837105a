"""The journal in a SQLite database: the default. docs/journal-format.md says what lies in its directory."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import Any, Final

from holdfast.collecting import undisturbed
from holdfast.core.errors import Refused, WorldError
from holdfast.core.events import Event
from holdfast.journal import opening, place
from holdfast.journal.chain import KEY_BYTES, Chain, Gap, corrupt
from holdfast.journal.compaction import MARKER, PLANS, droppable, leaving, mark, merge, plans_of
from holdfast.journal.contract import Record, Verification
from holdfast.journal.database import LOG_BYTES_LIMIT, LOG_BYTES_MAX, Writer, translated
from holdfast.journal.folds import VERSION, fold
from holdfast.journal.ledger import EXECUTIONS_MAX, Ledger
from holdfast.journal.reading import all_records, gaps_of, run_records, start, walk
from holdfast.journal.records import encode, encode_events
from holdfast.journal.rows import SqliteRows, Where
from holdfast.journal.sheets import Sheets
from holdfast.journal.snapshot import SNAPSHOT, pack, restored

CHUNK: Final = 256  # records read at once
PATIENCE_S: Final = 10.0  # how long another writer is waited for


class SqliteJournal(Ledger):
    def __init__(self, directory: str, *, read_only: bool, patience_s: float) -> None:
        self.damage: str | None = None
        self._remembered: str | None = None  # damage that an earlier opening came upon
        self._entered = False
        self._directory = directory
        self._database = opening.path_in(directory, place.DATABASE)
        self._read_only = read_only
        self._patience_s = patience_s
        self._chain = Chain(bytes(KEY_BYTES))
        self._anchor: place.Anchor | None = None
        self._anchored = 0  # the last write that the anchor knows of
        self._reader: sqlite3.Connection | None = None
        self._writer: Writer | None = None
        self._known: Mapping[Where, Any] = {}  # rows of the last write, and
        self._version: object = None  # the state of the database in which they are all there is to know
        self._lock = RLock()
        self._closed = False

    @classmethod
    def open(
        cls,
        directory: str | os.PathLike[str],
        *,
        key: bytes | None = None,
        read_only: bool = False,
        executions_max: int = EXECUTIONS_MAX,
        patience_s: float = PATIENCE_S,
    ) -> SqliteJournal:
        """A journal that is damaged opens all the same, says so in `damage`, and can only be read where it is sound.

        `executions_max` counts when the journal is made. Who only reads finds no journal to be an empty one.
        """
        journal = cls(os.fspath(directory), read_only=read_only, patience_s=patience_s)
        try:
            journal._enter(key, executions_max)
        except WorldError as error:
            if error.code != "corrupt_journal":
                journal.close()
                raise
            journal.damage = error.message
        return journal

    def _enter(self, key: bytes | None, ring: int) -> None:
        if self._read_only and opening.is_blank(self._directory, key):
            self._reader = opening.nothing(self._chain, ring)
            return
        if not self._read_only:
            place.make_directory(self._directory)
        place.check(self._directory)
        if not self._read_only:
            opening.found(self._directory, key, ring, self._patience_s)
        self._chain = opening.chain_of(self._directory, key)
        self._anchor = place.Anchor(opening.path_in(self._directory, place.ANCHOR), self._chain)
        self._reader = opening.reader_of(self._database, self._patience_s)
        anchored = self._anchor.read()  # before the tip: a write between the two moves the journal ahead, never back
        with self._reading() as rows:
            self.ring = rows.need("@ring", "size")
            opening.check_end(rows, anchored)
            behind = opening.is_behind(rows)
        self.damage = self._remembered = place.remembered_damage(self._directory)
        self._entered = True
        if behind and not self._read_only and self.damage is None:
            self.replay()

    # -- the store

    @contextmanager
    def _reading(self) -> Iterator[SqliteRows]:
        with self._lock, self._noting(), translated():
            reader = self._readable()
            nested = reader.in_transaction
            if not nested:
                reader.execute("BEGIN")
            try:
                yield SqliteRows(reader, self._chain)
            finally:
                if not nested:
                    reader.execute("COMMIT")

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """Whoever comes upon damage makes the journal read-only: nothing is built on what is not sound."""
        try:
            yield
        except WorldError as error:
            if error.code == "corrupt_journal":
                self._note(error.message)
            raise

    def _note(self, damage: str) -> None:
        """For this opening, and for every later one; but what an opening finds, the next one finds by itself."""
        if self.damage is None:
            self.damage = damage
            if self._entered:
                place.remember_damage(self._directory, damage)

    def _readable(self) -> sqlite3.Connection:
        if self._closed:
            raise WorldError("the journal is closed", code="wrong_state", hint="open it again")
        if self._reader is None:
            raise WorldError(self.damage or "the journal is damaged", code="corrupt_journal")
        return self._reader

    @contextmanager
    def _writing(self, durable: bool) -> Iterator[SqliteRows]:
        with self._lock, self._noting(), translated():
            writer = self._writable()
            with writer.transaction() as connection:
                version = connection.execute("PRAGMA data_version").fetchone()  # ours alone: no commit of its own changes it
                rows = SqliteRows(connection, self._chain, self._known if version == self._version else {})
                self._version = None  # should this write fail, the rows it had are not to be believed
                yield rows
                reached = _advance(rows)
                rows.flush()
            self._known, self._version = rows.known, version
            writer.fold_log(LOG_BYTES_MAX if durable else LOG_BYTES_LIMIT)
        if durable:
            writer.sync()
            self._let_anchor(reached)

    def _writable(self) -> Writer:
        if self._closed:
            raise WorldError("the journal is closed", code="wrong_state", hint="open it again")
        if self.damage is not None:
            raise WorldError(f"{self.damage}; nothing more is written to it", code="corrupt_journal")
        if self._read_only:
            raise Refused("the journal was opened for reading only", code="wrong_state", hint="open it for writing")
        if self._writer is None:
            self._writer = Writer(self._database, self._patience_s)
        return self._writer

    def _let_anchor(self, reached: place.Mark) -> None:
        with self._lock:
            if self._anchor is not None and reached.writes > self._anchored:
                self._anchor.write(reached)
                self._anchored = reached.writes

    def _last(self, sheets: Sheets) -> int:
        tip = sheets.get("@tip", "tip")
        if tip is None:
            raise corrupt("its end is not marked")
        last: int = tip["last"]
        return last

    def _encoded(self, events: Sequence[Event]) -> bytes:
        return encode_events(events)

    def _keep(self, sheets: Sheets, record: Record, encoded: bytes) -> None:
        assert isinstance(sheets, SqliteRows)
        tip = sheets.need("@tip", "tip")
        prev, body, last = bytes.fromhex(tip["mac"]), encode(record, encoded), record.seq + record.count - 1
        mac = self._chain.mac(prev, record.seq, body)
        sheets.connection.execute(
            "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)", (record.seq, last, record.run, prev, body, mac)
        )
        sheets.put("@tip", "tip", {**tip, "last": last, "mac": mac.hex()})

    def records(self, run: str | None = None, *, after: int = 0, limit: int | None = None) -> Iterator[Record]:
        """In chunks, each a transaction of its own: whoever reads slowly keeps nobody from writing."""
        where = start(after)
        left = limit
        while left is None or left > 0:
            wanted = CHUNK if left is None else min(CHUNK, left)
            with self._reading() as rows:
                found, where = all_records(rows, where, wanted) if run is None else run_records(rows, run, where, wanted)
            yield from found
            if len(found) < wanted:
                return
            left = None if left is None else left - wanted

    def changed(self) -> int:
        with self._lock, translated():
            version: int = self._readable().execute("PRAGMA data_version").fetchone()[0]
            return version

    # -- documents

    def keep_plan(self, digest: str, document: bytes) -> None:
        """Durable with the run that needs it."""
        with self._writing(False) as rows:
            if rows.digest(PLANS, digest) is None:
                rows.put_document(PLANS, digest, document)

    def plan(self, digest: str) -> bytes | None:
        return self.get(PLANS, digest)

    def put(self, shelf: str, name: str, document: bytes) -> None:
        with self._writing(True) as rows:
            rows.put_document(shelf, name, document)

    def get(self, shelf: str, name: str) -> bytes | None:
        with self._reading() as rows:
            return rows.document(shelf, name)

    def names(self, shelf: str) -> Sequence[str]:
        with self._reading() as rows:
            return rows.names(shelf)

    def drop(self, shelf: str, name: str) -> bool:
        with self._writing(True) as rows:
            return rows.drop_document(shelf, name)

    # -- care

    def verify(self) -> Verification:
        from holdfast.journal.audit import Audit  # only here: `runs` must start quickly

        try:
            with undisturbed(), self._reading() as rows:
                found = Audit(rows, self.ring).run()
        except WorldError as error:
            return Verification(False, 0, (error.message,))
        if not found.ok:
            self._note(found.problems[0])
        elif self.damage is not None and self.damage == self._remembered:  # a sound copy was put back
            place.forget_damage(self._directory)
            self.damage = None
        if self.damage is None or self.damage in (self._remembered or "", *found.problems):
            return found
        return Verification(False, found.records, (self.damage, *found.problems))

    def replay(self) -> None:
        with undisturbed(), self._writing(True) as rows:
            marker = rows.get("@gaps", "marker") or 0
            again = restored(rows.document(*SNAPSHOT) or b"" if marker else None)
            for record in walk(rows, marker):
                fold(again, record, self.ring)
            rows.become(again.derived())
            rows.put("@folds", "version", VERSION)

    def compact(self, *, keep_runs: int, at: float) -> Mapping[str, int]:
        """Nothing is dropped from a journal that is not sound: what is damaged must stay as it was found."""
        checked = self.verify()
        if not checked.ok:
            raise WorldError(f"it is not compacted: {checked.problems[0]}", code="corrupt_journal")
        size = self._bytes()
        with self._writing(True) as rows:
            runs = droppable(rows, keep_runs)
            gone = self._going(rows, runs)
            if gone:
                self._shrink(rows, runs, gone, at)
            kept: int = rows.connection.execute("SELECT count(*) FROM records").fetchone()[0]
        if gone:
            self._give_back()
        return {"removed": len(gone), "kept": kept, "runs": len(runs), "bytes_reclaimed": max(0, size - self._bytes())}

    def _going(self, rows: SqliteRows, runs: Mapping[str, int]) -> list[Gap]:
        filed = rows.connection.execute("SELECT seq, last, mac, run FROM records ORDER BY seq").fetchall()
        goes = leaving(((seq, run) for seq, _, _, run in filed), runs, rows.get("@gaps", "marker"))
        return [Gap(seq, last, mac) for (seq, last, mac, _), going in zip(filed, goes, strict=True) if going]

    def _shrink(self, rows: SqliteRows, runs: Mapping[str, int], gone: Sequence[Gap], at: float) -> None:
        mark(rows, runs)
        for digest in plans_of(rows, runs):
            rows.drop_document(PLANS, digest)
        gaps = [[gap.first, gap.last, gap.mac.hex()] for gap in merge([*gaps_of(rows), *gone])]
        rows.put_document(*SNAPSHOT, pack(rows.entries()))
        rows.put("@gaps", "all", gaps)
        rows.put("@gaps", "marker", self._last(rows) + 1)
        rows.connection.executemany("DELETE FROM records WHERE seq = ?", [(gap.first,) for gap in gone])
        data = {"runs": len(runs), "records": len(gone), "gaps": gaps, "snapshot": rows.digest(*SNAPSHOT)}
        events = (Event(MARKER, data),)
        self._add(rows, None, events, at, self._encoded(events))

    def _give_back(self) -> None:
        with self._lock, translated():
            self._writable().give_back()

    def _bytes(self) -> int:
        paths = (self._database, f"{self._database}-wal")
        return sum(os.path.getsize(path) for path in paths if os.path.exists(path))

    def close(self) -> None:
        """The reader last: it may not fold the log, so leaving costs no sync."""
        with self._lock:
            self._closed = True
            if self._writer is not None:
                self._writer.close()
            if self._reader is not None:
                self._reader.close()
            if self._anchor is not None:
                self._anchor.close()


def _advance(rows: SqliteRows) -> place.Mark:
    tip = rows.need("@tip", "tip")
    writes = tip["writes"] + 1
    rows.put("@tip", "tip", {**tip, "writes": writes})
    return place.Mark(writes, tip["last"], bytes.fromhex(tip["mac"]))
