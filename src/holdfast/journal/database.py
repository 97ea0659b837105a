"""The one door to sqlite3: connections, transactions, syncs, and what SQLite's errors mean here.

Durability is ours: SQLite commits to its write-ahead log without a sync, then `sync` makes the log durable with one
fdatasync, which threads that wait together share. The log stays when the last process leaves, because a read-only
connection is closed last; when it has grown it is folded into the database, and then written over from its beginning:
to overwrite costs a sync less than to grow.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

from holdfast.core.errors import StorageFailed, WorldError
from holdfast.journal.chain import corrupt

FORMAT: Final = 1
LOG_BYTES_MAX: Final = 1 << 20  # opening reads the whole log, so it is kept small: a durable write folds it from here on,
LOG_BYTES_LIMIT: Final = 1 << 24  # any write from here on
FOLD_PATIENCE_MS: Final = 50
LOG_HEAD_BYTES: Final = 32  # then frames, each with a head and one page; https://sqlite.org/fileformat2.html#walformat
FRAME_HEAD_BYTES: Final = 24
fdatasync: Final = getattr(os, "fdatasync", os.fsync)

# `rows` holds every sheet; `documents` the bodies whose names and digests are rows of a sheet.
SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS records (seq INTEGER PRIMARY KEY, last INTEGER, run TEXT, prev BLOB, body BLOB, mac BLOB)",
    "CREATE INDEX IF NOT EXISTS records_of_run ON records (run, seq) WHERE run IS NOT NULL",
    "CREATE TABLE IF NOT EXISTS rows (sheet TEXT, key, body BLOB, seal BLOB, PRIMARY KEY (sheet, key)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS documents (shelf TEXT, name TEXT, body BLOB, PRIMARY KEY (shelf, name))",
    f"PRAGMA user_version={FORMAT}",
)

_LOCKED: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_ERROR})


def connect(path: str, mode: str, patience_s: float) -> sqlite3.Connection:
    name = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return sqlite3.connect(
        f"file:{name}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=patience_s,
        check_same_thread=False,
        cached_statements=64,
    )


def make(connection: sqlite3.Connection, fill: Callable[[sqlite3.Connection], None]) -> None:
    """A new journal; one that was begun and not finished is begun anew."""
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("BEGIN IMMEDIATE")
    for statement in SCHEMA:
        connection.execute(statement)
    fill(connection)
    connection.execute("COMMIT")


def is_made(path: str) -> bool:
    """Does the header of the database say that it was finished? (The last bytes of a new one may be in its log only.)"""
    try:
        with open(path, "rb") as file:
            return file.read(64)[60:] not in (b"", bytes(4))
    except FileNotFoundError:
        return False
    except PermissionError:
        return True  # whoever opens it says so


@contextmanager
def translated() -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise meaning(error) from error


def meaning(error: sqlite3.Error) -> WorldError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in _LOCKED:
        return WorldError("another process keeps the journal locked", code="locked", hint="try again; see who is writing")
    if code in _DAMAGED:
        return corrupt(str(error))
    if code == sqlite3.SQLITE_FULL:
        return StorageFailed(f"the journal cannot grow: {error}", hint="free some space; nothing of this write was kept")
    return StorageFailed(f"the journal could not be written or read: {error}")


def sync_directory(path: str) -> None:
    """Of this file: its name is durable then."""
    fd = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class Log:
    """How far the log reaches. Beyond its end may lie what it held before it was folded, under another salt."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._head = b""
        self._end = 0

    def size(self) -> int:
        """In bytes; what was written since the last call is looked through for its end."""
        head = os.pread(self.fd, LOG_HEAD_BYTES, 0)
        if not head:
            return 0
        if head != self._head:
            self._head, self._end = head, LOG_HEAD_BYTES
        frame, salt = FRAME_HEAD_BYTES + int.from_bytes(head[8:12], "big"), head[16:24]
        while os.pread(self.fd, 8, self._end + 8) == salt:
            self._end += frame
        return self._end

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Writer:
    """The connection that writes, and the log that it makes durable."""

    def __init__(self, path: str, patience_s: float) -> None:
        self._connection = connect(path, "rw", patience_s)
        self._patience_s = patience_s
        self._log_kept = 0  # size of a log that could not be folded
        self._commits = 0
        self._synced = 0
        self._syncing = Lock()
        self._failed = ""
        self.run("PRAGMA wal_autocheckpoint=0")
        self.run("PRAGMA schema_version")  # looks at the database, which opens its log
        self._log = Log(path + "-wal")
        self._log_is_new = not self._log.size()  # then its name may not be durable yet

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        self._check()
        # NORMAL syncs when a log begins anew over its old frames, which must not come to life again; an empty one has none.
        self.run(f"PRAGMA synchronous={'NORMAL' if self._log.size() else 'OFF'}")
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self._commits += 1

    def run(self, statement: str) -> None:
        self._connection.execute(statement).fetchall()

    def give_back(self) -> None:
        """Shrink the file by what is free in it. A script runs to its end; a single statement would stop after one page."""
        self._connection.executescript("PRAGMA incremental_vacuum")
        self.fold_log(0, "TRUNCATE")

    def sync(self) -> None:
        """What was committed before this call is durable when it returns. A sync that fails is never tried again."""
        wanted = self._commits
        with self._syncing:
            if self._synced >= wanted:
                return
            self._check()
            reached = self._commits
            try:
                if self._log_is_new:
                    sync_directory(self._log.path)
                    self._log_is_new = False
                fdatasync(self._log.fd)
            except OSError as error:
                self._failed = str(error)
                raise StorageFailed(f"a write could not be made durable: {error}") from error
            self._synced = reached

    def _check(self) -> None:
        if self._failed:
            raise StorageFailed(f"an earlier write could not be made durable: {self._failed}")

    def fold_log(self, enough: int = LOG_BYTES_MAX, mode: str = "RESTART") -> None:
        """Bring a log of this size into the database; everything committed is durable then, and the log begins anew.

        Where a reader still needs the log, or the disk is full, it stays: it is tried again when it has grown as much
        once more.
        """
        size = self._log.size()
        if size < enough + self._log_kept:
            return
        self.run(f"PRAGMA busy_timeout={FOLD_PATIENCE_MS}")
        self.run("PRAGMA synchronous=FULL")
        done = self._fold(mode)
        self.run(f"PRAGMA busy_timeout={int(self._patience_s * 1000)}")
        self._log_kept = 0 if done else size
        if done:
            self._synced = self._commits

    def _fold(self, mode: str) -> bool:
        try:
            return not self._connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()[0]
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL:
                return False
            self._failed = str(error)
            raise

    def close(self) -> None:
        self._connection.close()
        self._log.close()
