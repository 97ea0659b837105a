"""Making a SQLite journal where there is none, and looking at one before it is believed."""

from __future__ import annotations

import os
import sqlite3
from typing import Final

from holdfast.core.errors import WorldError
from holdfast.journal import place
from holdfast.journal.chain import KEY_BYTES, ORIGIN, Chain, Link, corrupt
from holdfast.journal.database import FORMAT, connect, is_made, make, translated
from holdfast.journal.folds import VERSION, begin
from holdfast.journal.reading import LINKS
from holdfast.journal.rows import SqliteRows

TIP: Final = {"writes": 0, "last": 0, "mac": ORIGIN.hex()}


def path_in(directory: str, name: str) -> str:
    return os.path.join(directory, name)


def is_empty(directory: str) -> bool:
    """Nothing was ever journaled here."""
    return _is_gone(path_in(directory, place.DATABASE)) and not os.path.exists(path_in(directory, place.ANCHOR))


def is_blank(directory: str, key: bytes | None) -> bool:
    """The same, for who only reads. One that is just being made is waited for: half of it looks like damage, and who makes it
    must be alone with it. One that was begun by a process that died holds nothing.
    """
    if is_empty(directory):
        return True
    database = path_in(directory, place.DATABASE)
    if is_made(database):
        return False
    with place.alone(directory):
        anchor = place.Anchor(path_in(directory, place.ANCHOR), chain_of(directory, key))
        return not is_made(database) and not anchor.read().writes


def found(directory: str, key: bytes | None, ring: int, patience_s: float) -> None:
    """Make a journal where there is none: key, anchor, database, in this order, so that a crash leaves no riddle."""
    database = path_in(directory, place.DATABASE)
    if is_made(database):
        return
    with place.alone(directory):
        if key is None and is_empty(directory):
            place.create(path_in(directory, place.KEY), os.urandom(KEY_BYTES))
        chain = chain_of(directory, key)
        anchor = place.Anchor(path_in(directory, place.ANCHOR), chain)
        place.create(anchor.path, anchor.body(place.NOWHERE))
        if _is_gone(database) and anchor.read().writes:
            raise corrupt(f"its database is gone; it held {anchor.read().last} events")
        place.create(database, b"")
        with translated():
            connection = connect(database, "rw", patience_s)
            try:
                make(connection, lambda opened: fill(SqliteRows(opened, chain), ring))
            finally:
                connection.close()


def _is_gone(database: str) -> bool:
    """What cannot be looked at is not gone."""
    try:
        return not os.stat(database).st_size
    except FileNotFoundError:
        return True


def fill(rows: SqliteRows, ring: int) -> None:
    """The rows that every journal has from its birth, so that a missing one is damage."""
    if rows.get("@tip", "tip") is None:
        rows.put("@tip", "tip", TIP)
        rows.put("@ring", "size", ring)
        rows.put("@folds", "version", VERSION)
        begin(rows)
        rows.flush()


def nothing(chain: Chain, ring: int) -> sqlite3.Connection:
    """A journal that holds nothing, for who reads where there is none."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    make(connection, lambda opened: fill(SqliteRows(opened, chain), ring))
    return connection


def chain_of(directory: str, key: bytes | None) -> Chain:
    return Chain(place.read_key(path_in(directory, place.KEY)) if key is None else key)


def reader_of(database: str, patience_s: float) -> sqlite3.Connection:
    if _is_gone(database):
        raise corrupt("its database is gone")
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(database + suffix):
            place.check(database + suffix)
    with translated():
        reader = connect(database, "ro", patience_s)
        try:
            reader.execute("PRAGMA cell_size_check=ON")
            (version,) = reader.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error:
            reader.close()
            raise
    if version > FORMAT:
        reader.close()
        hint = "use the version of holdfast that wrote it, or a newer one"
        raise WorldError(f"the journal has format {version}; this program reads up to {FORMAT}", code="unsupported", hint=hint)
    return reader


def is_behind(rows: SqliteRows) -> bool:
    """Was it last folded by a program that knew less?"""
    return (rows.get("@folds", "version") or 1) < VERSION


def check_end(rows: SqliteRows, anchored: place.Mark) -> None:
    """Is the end of the journal where its tip and its anchor say? What lies before is proved when it is read."""
    tip = rows.need("@tip", "tip")
    if anchored.writes > tip["writes"] or anchored.last > tip["last"]:
        raise corrupt(f"it was cut: event {anchored.last} had been recorded, and now it ends with {tip['last']}")
    last = rows.connection.execute(LINKS + "ORDER BY seq DESC LIMIT 1").fetchone()
    if last is None:
        if tip["last"]:
            raise corrupt("its records are gone")
        return
    link = Link(*last)
    if not rows.chain.holds(link) or (link.last, link.mac.hex()) != (tip["last"], tip["mac"]):
        raise corrupt(f"its last record, {link.seq!r}, is not what was written")
    if anchored.last == link.last and anchored.mac != link.mac:
        raise corrupt(f"event {anchored.last} was exchanged after it had been recorded")
