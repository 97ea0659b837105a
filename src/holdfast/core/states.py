"""The life cycles of run, task, stage and step, as tables: state -> event -> next state.

The theory: an event that a table does not list for a state cannot happen there. `after` says so as a `Bug` when our own
engine tries it, and the commands of people are checked against `COMMANDS` before any event is made. A state never
claims what is not true yet: `pausing` and `cancelling` last until what is in flight has come back. Terminal states have
no way out but the ones listed (a rollback by hand, a retry). The diagrams in the docs are drawn from these tables, and a
test walks every state with every event.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from holdfast.core.errors import Bug

Table = Mapping[str, Mapping[str, str]]

_UNDOABLE: Final = {"step.undoing": "undoing"}

STEP: Final[Table] = {
    "pending": {"step.applying": "applying", "step.unchanged": "unchanged", "step.skipped": "skipped"},
    "waiting": {"step.applying": "applying", "step.skipped": "skipped", **_UNDOABLE},
    "applying": {
        "step.applied": "applied",
        "step.approved": "applying",
        "step.unchanged": "unchanged",
        "step.failed": "failed",
        "step.retrying": "waiting",
        "step.in_doubt": "in_doubt",
        "step.resolved": "pending",  # handed out, but never begun
        **_UNDOABLE,  # the process died: undoing asks the world first
    },
    "in_doubt": {"step.applied": "applied", "step.resolved": "pending", "step.failed": "failed", **_UNDOABLE},
    "applied": {"step.resolved": "pending", **_UNDOABLE},  # a retry from scratch does it again
    "failed": {"step.resolved": "pending", **_UNDOABLE},  # its own partial effects; or a retry
    "unchanged": {"step.resolved": "pending"},
    "skipped": {"step.resolved": "pending"},
    "undoing": {"step.undone": "undone", "step.undo_failed": "undo_failed", **_UNDOABLE},
    "undone": {"step.resolved": "pending"},
    "undo_failed": {"step.resolved": "pending", **_UNDOABLE},  # rollback can be asked for again; or a retry
}

_STAGE_BACK: Final = {"stage.rolling_back": "rolling_back"}

STAGE: Final[Table] = {
    "pending": {"stage.started": "committing", "stage.skipped": "skipped"},
    "committing": {"stage.completed": "committed", "stage.failed": "failed", **_STAGE_BACK},
    "committed": {"stage.started": "committing", **_STAGE_BACK},
    "failed": {"stage.started": "committing", **_STAGE_BACK},
    "skipped": {"stage.started": "committing", "stage.skipped": "skipped"},
    "rolling_back": {"stage.rolled_back": "rolled_back", "stage.rollback_failed": "rollback_failed"},
    "rolled_back": {"stage.started": "committing", "stage.skipped": "skipped"},
    "rollback_failed": _STAGE_BACK,
}

_TASK_BACK: Final = {"task.rolling_back": "rolling_back"}

_TASK_IDLE: Final = {
    "task.started": "running",
    "task.cancelling": "cancelling",
    "task.cancelled": "cancelled",
    "task.failed": "failed",
}

TASK: Final[Table] = {
    "pending": {**_TASK_IDLE, "run.refused": "validation_failed"},
    "validation_failed": {},
    "waiting": {**_TASK_IDLE, "task.retry_started": "running", **_TASK_BACK},  # for its turn to be tried again
    "running": {
        "task.pausing": "pausing",
        "task.completed": "completed",
        "task.failed": "failed",
        "task.cancelling": "cancelling",
        "task.cancelled": "cancelled",
        **_TASK_BACK,
    },
    "pausing": {
        "task.paused": "paused",
        "task.resumed": "running",
        "task.completed": "completed",
        "task.failed": "failed",
        "task.cancelling": "cancelling",
        "task.cancelled": "cancelled",
        **_TASK_BACK,
    },
    "paused": {
        "task.resumed": "running",
        "task.cancelling": "cancelling",
        "task.cancelled": "cancelled",
        "task.failed": "failed",
        **_TASK_BACK,
    },
    "cancelling": {"task.cancelled": "cancelled", "task.failed": "failed", "task.completed": "completed", **_TASK_BACK},
    "cancelled": _TASK_BACK,  # what a cancelled task had done is taken back
    "completed": _TASK_BACK,
    "failed": {"task.waiting": "waiting", **_TASK_BACK},
    "rolling_back": {
        "task.rolled_back": "rolled_back",
        "task.rollback_failed": "rollback_failed",
        "task.cancelled": "cancelled",
    },
    "rolled_back": {"task.waiting": "waiting"},
    "rollback_failed": _TASK_BACK,
}

_RUN_BACK: Final = {"run.rolling_back": "rolling_back", "run.interrupted": "interrupted"}

RUN: Final[Table] = {
    "created": {
        "run.prepared": "queued",
        "run.refused": "refused",
        "run.cancelling": "cancelling",  # while it waited for its locks
        "run.pausing": "pausing",  # so do those of a server that stops
        "run.interrupted": "interrupted",
    },
    "queued": {
        "run.started": "running",
        "run.refused": "refused",
        "run.cancelling": "cancelling",
        "run.interrupted": "interrupted",
        "run.rolling_back": "rolling_back",
    },
    "running": {
        "run.gate_waiting": "running",
        "run.gate_opened": "running",
        "run.pausing": "pausing",
        "run.cancelling": "cancelling",
        "run.confirming": "confirming",
        "run.committed": "committed",
        **_RUN_BACK,
    },
    "pausing": {
        "run.paused": "paused",
        "run.resumed": "running",
        "run.gate_opened": "pausing",
        "run.cancelling": "cancelling",
        "run.committed": "committed",
        "run.confirming": "confirming",
        **_RUN_BACK,
    },
    "paused": {
        "run.resumed": "running",
        "run.queued": "created",  # it rested before it had its locks
        "run.cancelling": "cancelling",
        **_RUN_BACK,
    },
    "confirming": {"run.confirmed": "running", "run.cancelling": "cancelling", "run.committed": "committed", **_RUN_BACK},
    "cancelling": {"run.cancelled": "cancelled", **_RUN_BACK},
    "cancelled": _RUN_BACK,
    "interrupted": {
        "run.resumed": "running",
        "run.rolling_back": "rolling_back",
        "run.refused": "refused",
        "run.interrupted": "interrupted",
    },
    "committed": {"run.rolling_back": "rolling_back", "run.resumed": "running", "run.settled": "committed"},
    "partial": {"run.rolling_back": "rolling_back", "run.resumed": "running", "run.settled": "partial"},
    "rolling_back": {"run.rolled_back": "rolled_back", "run.rollback_failed": "stuck", **_RUN_BACK},
    "rolled_back": {"run.resumed": "running", "run.settled": "rolled_back"},
    "stuck": {"run.rolling_back": "rolling_back", "run.resumed": "running", "run.settled": "stuck"},
    "refused": {"run.settled": "refused"},
}

# The states in which a run has one of its six endings (`committed` also stands for `unchanged`).
OVER: Final = frozenset({"committed", "partial", "refused", "rolled_back", "stuck"})

# What a person may ask of a run, and in which of its states.
COMMANDS: Final[Mapping[str, frozenset[str]]] = {
    "pause": frozenset({"running"}),
    "resume": frozenset({"pausing", "paused"}),
    "cancel": frozenset({"created", "queued", "running", "pausing", "paused", "confirming"}),
    "confirm": frozenset({"confirming"}),
    "approve": frozenset({"running", "pausing"}),
    "rollback": frozenset({"committed", "partial", "stuck", "paused", "interrupted"}),
    "retry": frozenset({"partial", "rolled_back"}),
    "recover": frozenset(
        {"created", "queued", "running", "pausing", "confirming", "cancelling", "cancelled", "rolling_back", "interrupted"}
    ),
}

# The same for one task of a run.
TASK_COMMANDS: Final[Mapping[str, frozenset[str]]] = {
    "pause": frozenset({"running"}),
    "resume": frozenset({"pausing", "paused"}),
    "cancel": frozenset({"pending", "waiting", "running", "pausing", "paused"}),
    "rollback": frozenset({"completed", "failed", "paused", "rollback_failed"}),
    "retry": frozenset({"failed", "rolled_back"}),
}


def after(table: Table, state: str, event: str) -> str:
    """The state that follows; an event that cannot happen here is our mistake."""
    try:
        return table[state][event]
    except KeyError:
        raise Bug(f"`{event}` cannot happen in the state `{state}`") from None
