"""Which records are no longer needed, and the gaps they leave. Pure.

A run's records may go when it has ended and nothing it kept for an undo is needed any more. What belongs to no run
goes when it is older than every run that stays. Locks are held in records, so a run that holds one keeps its own.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Final

from holdfast.journal.chain import Gap
from holdfast.journal.folds import count
from holdfast.journal.sheets import Sheets

KEPT_NOTHING: Final = frozenset({"refused", "unchanged", "rolled_back"})  # endings that leave nothing to settle
PLANS: Final = "@plan"  # the shelf of plans, by digest
MARKER: Final = "journal.compacted"


def droppable(sheets: Sheets, keep_runs: int) -> dict[str, int]:
    """Runs whose records may go, with their numbers."""
    holders = {row["run"] for _, row in sheets.scan("lock")}
    found = {}
    for number, row in sheets.scan("run", 1, count(sheets, "runs") - keep_runs):
        done = row["settled"] or row["ending"] in KEPT_NOTHING
        if row["ending"] and done and not row.get("compacted") and row["id"] not in holders:
            found[row["id"]] = int(number)
    return found


def mark(sheets: Sheets, runs: Mapping[str, int]) -> None:
    for number in runs.values():
        sheets.put("run", number, {**sheets.get("run", number), "compacted": True})


def plans_of(sheets: Sheets, runs: Mapping[str, int]) -> set[str]:
    """Digests of plans that only these runs used."""
    rows = [row for _, row in sheets.scan("run")]
    gone = {row["digest"] for row in rows if row["id"] in runs}
    return gone - {row["digest"] for row in rows if row["id"] not in runs and not row.get("compacted")}


def leaving(filed: Iterable[tuple[int, str | None]], dropped: Container[str], marker: int | None) -> list[bool]:
    """For each record, by number and run and in order: does it go? The marker of an earlier compaction goes not alone."""
    one_stays = False
    numbers, goes = [], []
    for number, run in filed:
        gone = not one_stays if run is None else run in dropped
        one_stays = one_stays or not gone
        numbers.append(number)
        goes.append(gone)
    alone = sum(goes) == 1 and numbers[goes.index(True)] == marker
    return [False] * len(goes) if alone else goes


def merge(gaps: Iterable[Gap]) -> list[Gap]:
    """Neighbouring gaps as one."""
    merged: list[Gap] = []
    for gap in sorted(gaps):
        if merged and merged[-1].last + 1 == gap.first:
            gap = Gap(merged.pop().first, gap.last, gap.mac)
        merged.append(gap)
    return merged
