"""Execution tracking as documents: what ran, and how well."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from holdfast.core.errors import Refused
from holdfast.core.times import iso
from holdfast.journal.contract import Journal

INTERRUPTED: Final = {"success": False, "interrupted": True}
NEVER: Final = {
    **dict.fromkeys(("total_executions", "successes", "failures", "interrupted", "avg_duration_ms", "p95_duration_ms"), 0),
    "last_run_at": None,
}


def history(journal: Journal, *, limit: int, cleanups: bool, before: int | None, abandoned: Collection[str]) -> dict[str, Any]:
    """The newest first; with `cleanups` nothing else. `before` is the `number` that ended the page before."""
    rows = () if cleanups else journal.executions(limit=limit, before=before)
    executions = [execution({**row, **INTERRUPTED} if row["id"] in abandoned else row) for row in rows]
    cleaned = journal.cleanups(limit=limit, before=before) if cleanups or before is None else ()
    return {"executions": executions, "cleanups": [_dated(row, "executed_at") for row in cleaned]}


def execution(row: Mapping[str, Any]) -> dict[str, Any]:
    return _dated(row, "started_at", "completed_at")


def stats(journal: Journal, action: str | None, *, abandoned: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`abandoned` are executions that the journal does not count yet, because it was not told that they are over."""
    rows = {row["action_id"]: dict(row) for row in journal.stats(action)}
    for name in [row["action_id"] for row in abandoned if action in (None, row["action_id"])]:
        row = rows.setdefault(name, {"action_id": name, **NEVER})
        row |= {"total_executions": row["total_executions"] + 1, "interrupted": row["interrupted"] + 1}
    found = [_dated(rows[name], "last_run_at") for name in sorted(rows)]
    if action is not None and not any(row["total_executions"] for row in found):
        raise Refused(f"nothing called `{action}` was executed yet", code="not_found", hint="`holdfast stats` lists what was")
    by_ending = dict(journal.endings())
    return {"actions": found, "runs": {"total": sum(by_ending.values()), "by_ending": by_ending}}


def _dated(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The journal counts milliseconds since the epoch; documents tell times."""
    times = {name: None if row[name] is None else iso(row[name] / 1000) for name in names}
    return {**row, **times}
