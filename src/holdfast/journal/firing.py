"""What is folded about actions and triggers: when an action ran last, and where each trigger stands. Pure.

action     one row per action: the execution in flight with its owner, the end of the last one
trigger    one row per trigger: enabled or not, last fired, the response it has come to, why it was skipped
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from holdfast.core.events import Event
from holdfast.journal.chain import corrupt
from holdfast.journal.contract import Record
from holdfast.journal.sheets import Sheets

Row = Mapping[str, Any]

SHEET: Final = "firing"
ACTION: Final = "action:"
TRIGGER: Final = "trigger:"
COUNT: Final = "count"
_IDLE: Final[Row] = {"execution": None, "owner": None, "started_at": None, "completed_at": None, "success": None}
_NEW: Final[Row] = {
    "enabled": None,  # None: nobody said, so the file counts
    "changed_at": None,
    "definition": None,
    "fired_at": None,
    "due": None,  # the last time of the schedule that was answered for
    "state": None,
    "response": None,
    "failed": None,
    "done_at": None,
    "skipped": 0,
    "why": None,
}


def all_standing(sheets: Sheets, kind: str) -> dict[str, Row]:
    """Every row of a kind, by name; proved to be complete, which a look at a single one is not."""
    rows = dict(sheets.scan(SHEET))
    if len(rows) != (rows[COUNT] + 1 if COUNT in rows else 0):
        raise corrupt("the state of an action or a trigger is missing")
    return {str(place).removeprefix(kind): row for place, row in rows.items() if str(place).startswith(kind)}


def note_started(sheets: Sheets, data: Row, at: float) -> None:
    values = {"execution": data["id"], "owner": data.get("owner"), "started_at": at}
    _change(sheets, ACTION + data["action_id"], _IDLE, values)


def note_completed(sheets: Sheets, data: Row, at: float) -> None:
    success = bool(data.get("success"))
    known = sheets.get(SHEET, ACTION + data["action_id"]) or _IDLE
    ended = {"execution": None, "owner": None} if known["execution"] == data["id"] else {}
    _change(sheets, ACTION + data["action_id"], _IDLE, {**ended, "completed_at": at, "success": success})
    kind, _, name = (data.get("source") or "").partition(":")
    if kind in ("cron", "watcher"):
        _change(sheets, TRIGGER + name, _NEW, {"failed": not success, "done_at": at})


def is_the_run(data: Row) -> bool:
    """A plan with the name of its action: the run is the execution, and nothing is counted twice."""
    return data.get("plan") is not None and data["plan"] == data["action_id"]


def _change(sheets: Sheets, place: str, new: Row, values: Row) -> None:
    known = sheets.get(SHEET, place)
    if known is None:
        sheets.put(SHEET, COUNT, (sheets.get(SHEET, COUNT) or 0) + 1)
    sheets.put(SHEET, place, {**(known or new), **values})


def trigger_changed(sheets: Sheets, record: Record, event: Event, seq: int, ring: int) -> None:
    """Whoever is enabled anew begins anew: nothing that was due before counts."""
    known = {name: event.data[name] for name in ("enabled", "definition") if name in event.data}
    begun = {"due": None, "state": None, "response": None, "failed": None, "why": None}
    _change(sheets, TRIGGER + event.data["name"], _NEW, {**begun, **known, "changed_at": record.at})


def trigger_fired(sheets: Sheets, record: Record, event: Event, seq: int, ring: int) -> None:
    data = event.data
    state = {"state": data.get("state", "triggered"), "response": data.get("response"), "failed": None, "done_at": None}
    _change(sheets, TRIGGER + data["name"], _NEW, {"fired_at": record.at, **state, **_answered(data)})


def trigger_skipped(sheets: Sheets, record: Record, event: Event, seq: int, ring: int) -> None:
    data = event.data
    skipped = (sheets.get(SHEET, TRIGGER + data["name"]) or _NEW)["skipped"] + data.get("count", 1)
    _change(sheets, TRIGGER + data["name"], _NEW, {"skipped": skipped, "why": data.get("why"), **_answered(data)})


def _answered(data: Row) -> Row:
    return {} if data.get("due") is None else {"due": data["due"]}


def trigger_over(sheets: Sheets, record: Record, event: Event, seq: int, ring: int) -> None:
    """Resolved, or escalated: in both cases it watches again."""
    over = {"state": None, "response": None, "failed": None, "why": None}
    _change(sheets, TRIGGER + event.data["name"], _NEW, over)
