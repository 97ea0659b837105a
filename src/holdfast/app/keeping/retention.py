"""How long what only undo needs is kept: before-images of the newest runs, contents that something still refers to.

After each run the oldest ones beyond the limit let go of theirs; `compact` does so for all, drops the records of old
runs, and removes what was left lying by a crash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from holdfast.app.apply import Session
from holdfast.app.keeping import checkpoints, recorded, restoring
from holdfast.app.keeping.objects import Objects
from holdfast.app.looking import tenants
from holdfast.app.looking.runs import HOLDING, holds
from holdfast.app.parts import Parts
from holdfast.app.use import Use
from holdfast.core.errors import StorageFailed, WorldError
from holdfast.journal.contract import Journal, RunRow

NEEDED: Final = HOLDING | {"stuck"}


def all_due(parts: Parts) -> Iterator[RunRow]:
    for number, row in enumerate(recorded.all_runs(parts.journal)):
        if number >= parts.runs_held_max and holds(row):
            yield row


def letting_go(parts: Parts, row: RunRow) -> Use[bool]:
    """False when it cannot be done now: then it is tried again after the next run, and nothing is lost by keeping more."""

    async def do(session: Session) -> bool:
        try:
            await session.let_go(row)
        except StorageFailed:
            raise
        except WorldError:
            return False
        return True

    return recorded.plan_of(parts, row), do


def compact(parts: Parts, keep_runs: int) -> Mapping[str, int]:
    """Drop the records of old runs, and everything that nobody needs any more."""
    journal = parts.journal
    newest = {row.id for row in journal.runs(limit=keep_runs)} if keep_runs else set()
    for row in recorded.latest(journal).values():
        if row.id not in newest and not row.compacted:
            recorded.keep(journal, row)
    tenants.keep(journal)
    found = dict(journal.compact(keep_runs=keep_runs, at=parts.clock.now()))
    objects, size = Objects(parts.home.objects).collect(lambda: _contents_needed(journal))
    found.update(objects=objects, slots=_sweep(parts), bytes_reclaimed=found["bytes_reclaimed"] + size)
    return found


def _contents_needed(journal: Journal) -> set[str]:
    """What checkpoints hold, and what a restore under way - or one that died - may still have to write."""
    needed = checkpoints.contents(journal)
    for row in journal.runs(open_only=True, limit=recorded.PAGE):
        document = journal.plan(row.digest)
        if document is not None and restoring.is_restore(document):
            needed |= restoring.digests_in(restoring.states_in(document))
    return needed


def _sweep(parts: Parts) -> int:
    from holdfast.drivers.files.sweeping import sweep

    def is_litter(run: str) -> bool:
        row = parts.journal.run(run)
        return row is not None and row.ending is not None and (row.settled or row.ending not in NEEDED)

    return sweep(parts.home.stash, is_litter)
