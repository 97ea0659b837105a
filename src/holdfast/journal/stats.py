"""Stats of one action: what is kept per action, and how it answers. Pure.

Durations are counted by their value to three significant digits, so the percentile is exact for small numbers, within
half a per cent for large ones, and costs one row whatever the number of executions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from holdfast.journal.sheets import Sheets

Row = Mapping[str, Any]
EMPTY: Final[Row] = {"total": 0, "successes": 0, "interrupted": 0, "timed": 0, "sum_ms": 0, "last": None, "durations": {}}
PERCENT: Final = 95


def restat(sheets: Sheets, before: Row | None, after: Row) -> None:
    """Count an execution that came to an end; one that is counted already and changed is counted anew."""
    row: Row | None = sheets.get("stats", after["action_id"])
    changed = row
    if before is not None and before["completed_at"] is not None:
        changed = _counted(changed or EMPTY, before, -1)
    if after["completed_at"] is not None:
        changed = _counted(changed or EMPTY, after, 1)
    if changed is not row:
        sheets.put("stats", after["action_id"], changed)
        if row is None:
            sheets.put("count", "stats", (sheets.get("count", "stats") or 0) + 1)


def answer(action: str, row: Row = EMPTY) -> dict[str, Any]:
    return {
        "action_id": action,
        "total_executions": row["total"],
        "successes": row["successes"],
        "failures": row["total"] - row["successes"] - row["interrupted"],
        "interrupted": row["interrupted"],
        "avg_duration_ms": row["sum_ms"] / row["timed"] if row["timed"] else 0,
        "p95_duration_ms": percentile(row["durations"], row["timed"]),
        "last_run_at": row["last"],
    }


def _counted(row: Row, execution: Row, by: int) -> Row:
    changed = {**row, "total": row["total"] + by}
    if execution["interrupted"]:
        changed["interrupted"] += by
    elif execution["success"]:
        changed["successes"] += by
    if not execution["interrupted"]:
        changed["timed"] += by
        changed["sum_ms"] += by * execution["duration_ms"]
        changed["durations"] = _bucketed(row["durations"], f"{execution['duration_ms']:.3g}", by)
    if by > 0:
        changed["last"] = max(row["last"] or 0, execution["completed_at"])
    return changed


def _bucketed(durations: Mapping[str, int], bucket: str, by: int) -> dict[str, int]:
    changed = {**durations, bucket: durations.get(bucket, 0) + by}
    if not changed[bucket]:
        del changed[bucket]
    return changed


def percentile(durations: Mapping[str, int], total: int) -> float:
    """The smallest duration that at least 95 of 100 executions did not exceed."""
    wanted = -(-total * PERCENT // 100)
    for value in sorted(map(float, durations)):
        wanted -= durations[f"{value:.3g}"]
        if wanted <= 0:
            return value
    return 0
