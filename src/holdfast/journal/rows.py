"""Sheets in a SQLite table: each row sealed, so that a damaged one is never read as if it were sound."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any, Final

from holdfast.journal.chain import Chain, corrupt
from holdfast.journal.records import decode_small, encode_small
from holdfast.journal.sheets import Key

_GET: Final = "SELECT body, seal FROM rows WHERE sheet = ? AND key = ?"
_PUT: Final = "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?)"
_DROP: Final = "DELETE FROM rows WHERE sheet = ? AND key = ?"
_SCAN: Final = "SELECT key, body, seal FROM rows WHERE sheet = ? AND key >= ? AND key <= ? ORDER BY key"
_DERIVED: Final = "SELECT * FROM rows WHERE sheet >= 'A' ORDER BY sheet, key"
_NO_ROWS: Final[Mapping[Any, Any]] = {}
_LOWEST: Final = -(1 << 62)  # SQLite sorts integers before text, text before blobs
_HIGHEST: Final = b"\xff"

Where = tuple[str, Key]


class SqliteRows:
    """What one transaction reads and writes; changed rows are written once, at its end.

    `known` are rows that need not be read: the transaction before had them, and nobody has written since.
    """

    def __init__(self, connection: sqlite3.Connection, chain: Chain, known: Mapping[Where, Any] = _NO_ROWS) -> None:
        self.connection = connection
        self.chain = chain
        self.known: dict[Where, Any] = {}  # what this transaction has read or changed
        self._before = known
        self._changed: set[Where] = set()

    def get(self, sheet: str, key: Key) -> Any:
        place = (sheet, key)
        if place not in self.known:
            self.known[place] = self._before[place] if place in self._before else self._read(place)
        return self.known[place]

    def _read(self, place: Where) -> Any:
        found = self.connection.execute(_GET, place).fetchone()
        return None if found is None else self._open(*place, *found)

    def need(self, sheet: str, key: Key) -> Any:
        row = self.get(sheet, key)
        if row is None:
            raise corrupt(f"{sheet} {key} is missing")
        return row

    def put(self, sheet: str, key: Key, row: Any) -> None:
        self.known[sheet, key] = row
        self._changed.add((sheet, key))

    def drop(self, sheet: str, key: Key) -> None:
        self.put(sheet, key, None)

    def scan(
        self, sheet: str, low: Key | None = None, high: Key | None = None, *, newest: bool = False
    ) -> Iterator[tuple[Key, Any]]:
        self.flush()
        bounds = (sheet, _LOWEST if low is None else low, _HIGHEST if high is None else high)
        for key, body, seal in self.connection.execute(_SCAN + " DESC" if newest else _SCAN, bounds):
            yield key, self._open(sheet, key, body, seal)

    def flush(self) -> None:
        changed = [(place, self.known[place]) for place in self._changed]
        self.connection.executemany(_DROP, [place for place, row in changed if row is None])
        self.connection.executemany(_PUT, [self._written(*place, row) for place, row in changed if row is not None])
        self._changed.clear()

    def _written(self, sheet: str, key: Key, row: Any) -> tuple[str, Key, bytes, bytes]:
        body = encode_small(row)
        return sheet, key, body, self.chain.seal(sheet, key, body)

    def entries(self) -> Iterator[tuple[str, Key, Any]]:
        """Every derived row."""
        self.flush()
        for sheet, key, body, seal in self.connection.execute(_DERIVED):
            yield sheet, key, self._open(sheet, key, body, seal)

    def become(self, sheets: Mapping[str, dict[Key, Any]]) -> None:
        """The derived rows are these and no others. To see that one is there as it should be is cheaper than to write it."""
        self.flush()
        self.known.clear()
        self._before = _NO_ROWS
        wrong: list[Where] = []
        for lies in self.connection.execute(_DERIVED):
            sheet, key, _, _ = lies
            row = sheets.get(sheet, _NO_ROWS).get(key)
            if row is None or self._written(sheet, key, row) != lies:
                wrong.append((sheet, key))
            else:
                del sheets[sheet][key]
        self.connection.executemany(_DROP, wrong)
        left = (self._written(sheet, key, row) for sheet, rows in sheets.items() for key, row in rows.items())
        self.connection.executemany(_PUT, left)

    # -- documents: the body lies in a table of its own, its digest is a row

    def put_document(self, shelf: str, name: str, body: bytes) -> None:
        if self.get(f"@shelf:{shelf}", name) is None:
            self._count(shelf, 1)
        self.put(f"@shelf:{shelf}", name, self.chain.seal(shelf, name, body).hex())
        self.connection.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", (shelf, name, body))

    def document(self, shelf: str, name: str) -> bytes | None:
        digest = self.digest(shelf, name)
        if digest is None:
            self.names(shelf)  # which proves that no name is missing
            return None
        found = self.connection.execute("SELECT body FROM documents WHERE shelf = ? AND name = ?", (shelf, name)).fetchone()
        if found is None or not isinstance(found[0], bytes) or self.chain.seal(shelf, name, found[0]).hex() != digest:
            raise corrupt(f"the document {shelf}/{name} is not what was written")
        return found[0]

    def digest(self, shelf: str, name: str) -> str | None:
        digest: str | None = self.get(f"@shelf:{shelf}", name)
        return digest

    def names(self, shelf: str) -> list[str]:
        names = [str(name) for name, _ in self.scan(f"@shelf:{shelf}")]
        if len(names) != (self.get("@shelves", shelf) or 0):
            raise corrupt(f"a document of {shelf} is missing")
        return names

    def shelves(self) -> list[str]:
        return [str(shelf) for shelf, _ in self.scan("@shelves")]

    def drop_document(self, shelf: str, name: str) -> bool:
        if self.digest(shelf, name) is None:
            return False
        self._count(shelf, -1)
        self.drop(f"@shelf:{shelf}", name)
        self.connection.execute("DELETE FROM documents WHERE shelf = ? AND name = ?", (shelf, name))
        return True

    def _count(self, shelf: str, by: int) -> None:
        self.put("@shelves", shelf, (self.get("@shelves", shelf) or 0) + by)

    def _open(self, sheet: str, key: Key, body: Any, seal: Any) -> Any:
        if not isinstance(body, bytes) or self.chain.seal(sheet, key, body) != seal:
            raise corrupt(f"{sheet} {key} is not what was written")
        return decode_small(body)
