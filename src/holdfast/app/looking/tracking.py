"""Execution tracking as documents: what ran, and how well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.core.errors import Refused
from holdfast.core.times import iso
from holdfast.journal.contract import Journal


def history(journal: Journal, *, limit: int = 100, cleanups: bool = False, before: int | None = None) -> dict[str, Any]:
    """The newest first; with `cleanups` nothing else. `before` is the `number` that ended the page before."""
    executions = [] if cleanups else [execution(row) for row in journal.executions(limit=limit, before=before)]
    cleaned = journal.cleanups(limit=limit, before=before) if cleanups or before is None else ()
    return {"executions": executions, "cleanups": [_dated(row, "executed_at") for row in cleaned]}


def execution(row: Mapping[str, Any]) -> dict[str, Any]:
    return _dated(row, "started_at", "completed_at")


def stats(journal: Journal, action: str | None = None) -> dict[str, Any]:
    found = [_dated(row, "last_run_at") for row in journal.stats(action)]
    if action is not None and not any(row["total_executions"] for row in found):
        raise Refused(f"nothing called `{action}` was executed yet", code="not_found", hint="`holdfast stats` lists what was")
    by_ending = dict(journal.endings())
    return {"actions": found, "runs": {"total": sum(by_ending.values()), "by_ending": by_ending}}


def _dated(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The journal counts milliseconds since the epoch; documents tell times."""
    times = {name: None if row[name] is None else iso(row[name] / 1000) for name in names}
    return {**row, **times}
