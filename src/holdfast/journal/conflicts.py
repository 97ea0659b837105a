"""When two sets of lock keys stand in each other's way. Pure.

A key is `TARGET:PATH`, or any word. Two keys conflict when they are the same, or when one path lies beneath the other on
the same target: who holds `local:/etc` holds everything in it. Shares of a semaphore conflict only in their sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

from holdfast.core.shares import SEMAPHORE, lacking, shares_in
from holdfast.journal.contract import LockRow


def conflicts(mine: Set[str], theirs: Set[str]) -> list[str]:
    """Those of `mine` that cannot be held beside `theirs`, sorted."""
    found = {key for key in mine & theirs if not key.startswith(SEMAPHORE)}
    theirs_above = ancestors(theirs)
    found |= mine & theirs_above
    if ancestors(mine) & theirs:
        found |= {key for key in mine if not theirs.isdisjoint(ancestors([key]))}
    return sorted(found)


def overdrawn(mine: Iterable[str], theirs: Sequence[LockRow]) -> tuple[list[str], list[LockRow]]:
    """The shares among `mine` for which too little is left, and the locks that hold the rest."""
    short = lacking(shares_in(mine), shares_in(key for lock in theirs for key in lock.keys))
    holders = [lock for lock in theirs if any(share.semaphore in short for share in shares_in(lock.keys))]
    return [share.key for share in shares_in(mine) if share.semaphore in short], holders


def ancestors(keys: Iterable[str]) -> set[str]:
    """Every key that one of these lies beneath."""
    found: set[str] = set()
    for key in keys:
        above = _above(key)
        while above is not None and above not in found:
            found.add(above)
            above = _above(above)
    return found


def _above(key: str) -> str | None:
    start = key.find(":") + 1
    cut = key.rfind("/", start)
    if cut < 0 or cut == len(key) - 1 == start:
        return None
    return key[: cut + 1] if cut == start else key[:cut]
