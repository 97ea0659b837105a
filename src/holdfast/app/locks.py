"""Locks as documents, and breaking one by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from holdfast.core.errors import Refused
from holdfast.core.times import iso
from holdfast.journal.contract import Journal, LockRow


def documents(rows: Sequence[LockRow]) -> list[dict[str, Any]]:
    """One entry for each key that is held."""
    return [
        {"id": row.id, "key": key, "run": row.run, "owner": row.owner, "since": iso(row.since), "fence": row.fence}
        for row in rows
        for key in row.keys
    ]


def find(journal: Journal, lock: str) -> LockRow:
    found = next((row for row in journal.locks() if row.id == lock.upper()), None)
    if found is None:
        raise Refused(f"there is no lock `{lock}`", code="not_found", hint="`holdfast locks` lists them")
    return found


def break_lock(journal: Journal, lock: str, *, at: float) -> LockRow:
    """Take a lock from its holder, who is refused from then on whatever it tries to write."""
    held = find(journal, lock)
    journal.break_lock(held.id, at=at)
    return held
