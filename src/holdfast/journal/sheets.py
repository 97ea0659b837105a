"""Keyed rows in named sheets: what projections are kept in, whatever stores them.

A row is any JSON value and is never changed in place. Sheets whose name begins with `@` are not derived from events
(the tip of the chain, gaps, commands); all others are what a replay gives.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

Key = int | str


class Sheets(Protocol):
    def get(self, sheet: str, key: Key) -> Any:
        """The row, or None."""
        ...

    def put(self, sheet: str, key: Key, row: Any) -> None: ...
    def drop(self, sheet: str, key: Key) -> None: ...

    def scan(
        self, sheet: str, low: Key | None = None, high: Key | None = None, *, newest: bool = False
    ) -> Iterator[tuple[Key, Any]]:
        """Rows in the order of their keys, `low` and `high` included; `newest` turns the order round."""
        ...


def is_derived(sheet: str) -> bool:
    return not sheet.startswith("@")


class DictSheets:
    """Sheets as dictionaries."""

    def __init__(self) -> None:
        self.sheets: dict[str, dict[Key, Any]] = defaultdict(dict)

    def get(self, sheet: str, key: Key) -> Any:
        return self.sheets[sheet].get(key)

    def put(self, sheet: str, key: Key, row: Any) -> None:
        self.sheets[sheet][key] = row

    def drop(self, sheet: str, key: Key) -> None:
        self.sheets[sheet].pop(key, None)

    def scan(
        self, sheet: str, low: Key | None = None, high: Key | None = None, *, newest: bool = False
    ) -> Iterator[tuple[Key, Any]]:
        rows = self.sheets[sheet]
        for key in sorted(rows, reverse=newest):
            if (low is None or low <= key) and (high is None or key <= high):  # type: ignore[operator]
                yield key, rows[key]

    def derived(self) -> dict[str, dict[Key, Any]]:
        return {sheet: dict(rows) for sheet, rows in self.sheets.items() if rows and is_derived(sheet)}

    def become(self, derived: Mapping[str, dict[Key, Any]]) -> None:
        """The derived rows are these and no others."""
        for sheet in filter(is_derived, list(self.sheets)):
            del self.sheets[sheet]
        self.sheets.update(derived)


class MemorySheets(DictSheets):
    """Dictionaries that can go back: `undo` takes back what was done since `begin`."""

    def __init__(self) -> None:
        super().__init__()
        self._before: list[tuple[str, Key, Any]] = []

    def put(self, sheet: str, key: Key, row: Any) -> None:
        rows = self.sheets[sheet]
        self._before.append((sheet, key, rows.get(key)))
        rows[key] = row

    def drop(self, sheet: str, key: Key) -> None:
        rows = self.sheets[sheet]
        if key in rows:
            self._before.append((sheet, key, rows.pop(key)))

    def begin(self) -> None:
        self._before.clear()

    def undo(self) -> None:
        for sheet, key, row in reversed(self._before):
            if row is None:
                self.sheets[sheet].pop(key, None)
            else:
                self.sheets[sheet][key] = row
        self._before.clear()
