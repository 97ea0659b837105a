"""Who waits for locks, in the order in which they came: a shelf of the journal, so that every process sees it.

A run that need not wait never stands here. Places follow the ids of runs, which sort by the time at which they were made.
Whoever waits may go on when nobody before it wants what it wants: it waits behind others that wait, or a run that wants
much would never find it free. A place is free when its owner is dead.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from holdfast.core.shares import shares_in
from holdfast.journal.conflicts import conflicts
from holdfast.journal.contract import Journal, LockRow

SHELF: Final = "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiter:
    """A run that waits for its locks."""

    run: str
    owner: str
    keys: tuple[str, ...]
    since: float  # seconds since the epoch


def enter(journal: Journal, waiter: Waiter) -> None:
    journal.put(SHELF, waiter.run, json.dumps(asdict(waiter)).encode())


def leave(journal: Journal, run: str) -> None:
    journal.drop(SHELF, run)


def line(journal: Journal, is_alive: Callable[[str], bool]) -> list[Waiter]:
    """Everybody who waits, the first first; not those whose process died."""
    found = (_read(journal, run) for run in journal.names(SHELF))
    return [waiter for waiter in found if waiter is not None and is_alive(waiter.owner)]


def _read(journal: Journal, run: str) -> Waiter | None:
    document = journal.get(SHELF, run)
    if document is None:  # it has just got what it waited for
        return None
    known = json.loads(document)
    return Waiter(**{**known, "keys": tuple(known["keys"])})


def before(waiting: Sequence[Waiter], run: str, keys: Sequence[str]) -> Waiter | None:
    """The first who came earlier than this run and wants something that it wants too."""
    earlier = (waiter for waiter in waiting if waiter.run < run)
    return next((waiter for waiter in earlier if contended(keys, waiter.keys)), None)


def contended(mine: Sequence[str], theirs: Sequence[str]) -> list[str]:
    """What both want; also where there may be room for both, because whoever came first chooses first."""
    semaphores = {share.semaphore for share in shares_in(theirs)}
    shared = [share.key for share in shares_in(mine) if share.semaphore in semaphores]
    return conflicts(frozenset(mine), frozenset(theirs)) + shared


def in_the_way(journal: Journal, waiting: Sequence[Waiter], waiter: Waiter) -> LockRow | Waiter | None:
    """Whom it waits for: who came earlier, else who holds what it wants; nobody while it is its turn."""
    held = (lock for lock in journal.locks() if contended(waiter.keys, lock.keys))
    return before(waiting, waiter.run, waiter.keys) or next(held, None)


def clear(journal: Journal, is_alive: Callable[[str], bool]) -> None:
    """Take the places of the dead away."""
    living = {waiter.run for waiter in line(journal, is_alive)}
    for run in journal.names(SHELF):
        if run not in living and (waiter := _read(journal, run)) is not None and not is_alive(waiter.owner):
            leave(journal, run)
