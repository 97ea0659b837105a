"""Locks as documents, and breaking one by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from holdfast.core.errors import Refused
from holdfast.core.times import iso
from holdfast.journal.contract import Journal, LockRow
from holdfast.journal.queue import Waiter

KEYS_SAID_MAX: Final = 3


def documents(rows: Sequence[LockRow]) -> list[dict[str, Any]]:
    """One entry for each key that is held."""
    return [
        {"id": row.id, "key": key, "run": row.run, "owner": row.owner, "since": iso(row.since), "fence": row.fence}
        for row in rows
        for key in row.keys
    ]


def waiting_documents(waiting: Sequence[tuple[Waiter, LockRow | Waiter | None]]) -> list[dict[str, Any]]:
    """Who waits, in order, and for whom; `behind` is empty for whoever is about to go on."""
    return [
        {"run": waiter.run, "owner": waiter.owner, "keys": list(waiter.keys), "since": iso(waiter.since), **_behind(other)}
        for waiter, other in waiting
    ]


def _behind(other: LockRow | Waiter | None) -> dict[str, Any]:
    return {"behind": None if other is None else other.run}


def locked_by(other: LockRow | Waiter) -> str:
    """Who stands in the way, in words."""
    keys = ", ".join(other.keys[:KEYS_SAID_MAX]) or "the same resources"
    return f"the run {other.run} {'holds a lock on' if isinstance(other, LockRow) else 'waits already for'} {keys}"


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
