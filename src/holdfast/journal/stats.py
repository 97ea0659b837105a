"""Stats of one action: what is kept per action, and how it answers. Pure.

Durations are counted by their value to three significant digits, so the percentile is exact for small numbers and within
half a per cent for large ones, whatever the number of executions. Durations that share two digits share a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from holdfast.journal.chain import corrupt
from holdfast.journal.sheets import Sheets

Row = Mapping[str, Any]
EMPTY: Final[Row] = {"total": 0, "successes": 0, "interrupted": 0, "timed": 0, "sum_ms": 0, "last": None}
PERCENT: Final = 95


def restat(sheets: Sheets, before: Row | None, after: Row) -> None:
    """Count an execution that came to an end; one that is counted already and changed is counted anew."""
    if before is not None and before["completed_at"] is not None:
        _count(sheets, before, -1)
    if after["completed_at"] is not None:
        _count(sheets, after, 1)


def answers(sheets: Sheets) -> list[dict[str, Any]]:
    found = [_answer(sheets, str(action), row) for action, row in sheets.scan("stats")]
    if len(found) != sheets.get("count", "stats"):
        raise corrupt("the stats of an action are missing")
    return found


def _answer(sheets: Sheets, action: str, row: Row) -> dict[str, Any]:
    return {
        "action_id": action,
        "total_executions": row["total"],
        "successes": row["successes"],
        "failures": row["total"] - row["successes"] - row["interrupted"],
        "interrupted": row["interrupted"],
        "avg_duration_ms": row["sum_ms"] / row["timed"] if row["timed"] else 0,
        "p95_duration_ms": _percentile(sheets, action, row["timed"]),
        "last_run_at": row["last"],
    }


def _percentile(sheets: Sheets, action: str, total: int) -> float:
    """The smallest duration that at least 95 of 100 executions did not exceed."""
    counted = {
        float(f"{str(bucket)[:3]}{digit}{str(bucket)[3:]}"): number
        for bucket, digits in sheets.scan(f"duration:{action}")
        for digit, number in digits.items()
    }
    if sum(counted.values()) != total:
        raise corrupt(f"durations of {action} are missing")
    wanted = -(-total * PERCENT // 100)
    for value in sorted(counted):
        wanted -= counted[value]
        if wanted <= 0:
            return value
    return 0


def _count(sheets: Sheets, execution: Row, by: int) -> None:
    action = execution["action_id"]
    row: Row | None = sheets.get("stats", action)
    if row is None:
        row = EMPTY
        sheets.put("count", "stats", sheets.get("count", "stats") + 1)
    changed = {**row, "total": row["total"] + by}
    if execution["interrupted"]:
        changed["interrupted"] += by
    else:
        changed["successes"] += by if execution["success"] else 0
        changed["timed"] += by
        changed["sum_ms"] += by * execution["duration_ms"]
        _count_duration(sheets, action, execution["duration_ms"], by)
    if by > 0:
        changed["last"] = max(row["last"] or 0, execution["completed_at"])
    sheets.put("stats", action, changed)


def _count_duration(sheets: Sheets, action: str, duration_ms: float, by: int) -> None:
    written = f"{max(0.0, duration_ms):.2e}"  # 1234 is 1.23e+03
    bucket, digit = written[:3] + written[4:], written[3]
    digits: Mapping[str, int] = sheets.get(f"duration:{action}", bucket) or {}
    changed = {**digits, digit: digits.get(digit, 0) + by}
    if not changed[digit]:
        del changed[digit]
    sheets.put(f"duration:{action}", bucket, changed)
