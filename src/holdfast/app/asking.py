"""What can be asked of a run as it stands, by whoever drives it or, when its process is gone, by whoever takes it up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from holdfast.app.looking.runs import RESTING
from holdfast.core.control import refusal, task_number
from holdfast.core.errors import Refused
from holdfast.core.run import Run
from holdfast.journal.contract import RunRow

FINISHING: Final = {"resume": True, "rollback": False, "cancel": False}  # an orphaned run goes on with it, or is undone


def is_orphan(row: RunRow) -> bool:
    """Of a run that no process drives: was it left in the middle? A paused one rests."""
    return row.ending is None and row.state not in RESTING


def refuse_orphan(row: RunRow, verb: str, data: Mapping[str, Any]) -> None:
    """Raise where a run whose process died cannot be asked this."""
    finishes = verb in FINISHING and "task" not in data
    if not finishes and (verb, row.state) != ("confirm", "confirming"):
        message = f"`{verb}` cannot be done to the run {row.id}: it is interrupted"
        raise Refused(message, code="wrong_state", hint="its process died: `resume` it, or roll it back")


def refuse(run: Run, verb: str, data: Mapping[str, Any]) -> None:
    """Raise where a run, as it stands, cannot be asked this; without any side effect."""
    if "task" in data and task_number(run, data["task"]) is None:
        raise Refused(f"the run {run.id} has no task `{data['task']}`", code="not_found")
    why = refusal(run, verb, data)
    if why is not None:
        raise Refused(why, code="wrong_state")
