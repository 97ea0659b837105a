"""Every fact the journal can hold, as one table.

An event is data: a type, where it belongs, and a few values. Facts about steps travel in batches: one event may say
that ten thousand steps were applied, with one column per value; `expand` turns it into the single events that the
world sees. Nothing is stored per step that is the same for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})

# Where an event belongs decides which of its fields are set. Values named in a row are in `data`; a value whose name
# ends in `[]` is a column with one entry per step of the batch.
EVENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "run.created": ("plan", "digest", "source", "outline", "policy", "owner", "warnings"),
    "run.prepared": ("changes", "guarantees", "idle", "accepted", "more"),
    "run.refused": ("problems",),
    "run.started": ("at",),
    "run.pausing": ("by", "why", "until", "now"),
    "run.paused": ("exact",),
    "run.queued": ("by", "owner"),
    "run.resumed": ("by", "owner", "only"),
    "run.cancelling": ("by", "why"),
    "run.cancelled": (),
    "run.rolling_back": ("by", "owner", "error"),
    "run.rolled_back": ("error",),
    "run.rollback_failed": ("residue",),
    "run.committed": ("ending",),
    "run.settled": (),
    "run.interrupted": ("owner",),
    "run.gate_waiting": ("number",),
    "run.gate_opened": ("number", "by"),
    "run.guarded": ("targets", "within"),
    "run.confirming": ("until",),
    "run.confirmed": ("by",),
    "run.progress": ("done", "total", "percent"),
    "task.created": (),
    "task.started": (),
    "task.waiting": ("from",),
    "task.pausing": ("by", "why", "until"),
    "task.paused": (),
    "task.resumed": (),
    "task.completed": (),
    "task.failed": ("error",),
    "task.cancelling": ("by", "why"),
    "task.cancelled": ("by", "last_stage", "error"),
    "task.retry_started": ("from", "count"),
    "task.retry_completed": ("success",),
    "task.rolling_back": ("then",),
    "task.rolled_back": (),
    "task.rollback_failed": (),
    "task.heartbeat": ("done", "total"),
    "stage.started": (),
    "stage.completed": (),
    "stage.failed": (),
    "stage.skipped": (),
    "stage.rolling_back": (),
    "stage.rolled_back": (),
    "stage.rollback_failed": (),
    "step.applying": ("attempt", "question", "until"),
    "step.applied": ("duration_s[]", "output[]"),
    "step.unchanged": (),
    "step.failed": ("error[]", "duration_s[]", "output[]"),
    "step.retrying": ("attempt", "until", "error[]"),
    "step.skipped": (),
    "step.undoing": (),
    "step.undone": ("duration_s[]", "made[]"),
    "step.undo_failed": ("error[]", "residue[]"),
    "step.in_doubt": ("error[]",),
    "step.resolved": ("verdict[]",),
    "step.approved": ("by",),
    "lock.acquired": ("id", "owner", "keys", "fence"),
    "lock.denied": ("keys", "holder"),
    "lock.released": ("id",),
    "lock.reclaimed": ("id", "run"),
    "plan.approved": ("digest", "by"),
    "host.accepted": ("said", "by"),
    "host.retrying": ("host", "code", "attempt", "delay_s"),
    "checkpoint.created": ("name", "plan", "resources"),
    "checkpoint.restored": ("name", "run"),
    "checkpoint.deleted": ("name",),
    "action.started": ("id", "action_id", "source", "execution_type", "plan"),
    "action.completed": ("id", "action_id", "success", "output", "error", "duration_ms", "run"),
    "action.rejected": ("action_id", "source", "why", "remaining_s"),
    "cleanup.executed": ("scanner_id", "resource_id", "action", "success", "error"),
    "trigger.fired": ("name", "action_id", "due", "state", "response", "value"),
    "trigger.skipped": ("name", "why", "due", "count"),
    "trigger.escalated": ("name", "value"),
    "trigger.resolved": ("name", "value"),
    "trigger.changed": ("name", "enabled", "definition", "by"),
    "journal.compacted": ("runs", "records", "gaps", "snapshot"),
}

PUBLISHED_ONLY: Final = frozenset({"run.progress", "task.heartbeat"})  # shown to who listens, never journaled


class Event(NamedTuple):
    """One fact. `task`, `stage` and `steps` are numbers; names come from the outline of the run.

    Facts about steps travel in batches of one task; columns in `data` follow the order of `steps`.
    """

    type: str
    data: Mapping[str, Any] = NOTHING
    task: int | None = None
    stage: int | None = None
    steps: Sequence[int] | None = None

    @property
    def count(self) -> int:  # type: ignore[override]  # nobody asks an event what a tuple would count
        """How many public events this one stands for."""
        return 1 if self.steps is None else len(self.steps)

    def column(self, name: str) -> Sequence[Any]:
        """One value per step; absent columns are all `None`."""
        return self.data.get(f"{name}[]") or [None] * self.count


def singles(event: Event) -> Iterator[tuple[int | None, Mapping[str, Any]]]:
    """Each single fact of an event: the step it is about, and its own values."""
    if event.steps is None:
        yield None, event.data
        return
    shared = {name: value for name, value in event.data.items() if not name.endswith("[]")}
    columns = [(name[:-2], values) for name, values in event.data.items() if name.endswith("[]")]
    for position, step in enumerate(event.steps):
        own = {name: values[position] for name, values in columns if values[position] is not None}
        yield step, {**shared, **own} if own else shared


@dataclass(frozen=True, slots=True)
class Outline:
    """What a run's journal must remember of its plan to be readable without it: names, and how they nest."""

    tasks: tuple[TaskOutline, ...]

    @property
    def step_count(self) -> int:
        return sum(len(stage.ids) for task in self.tasks for stage in task.stages)


@dataclass(frozen=True, slots=True)
class TaskOutline:
    name: str
    target: str
    stages: tuple[StageOutline, ...]
    key: str | None = None


@dataclass(frozen=True, slots=True)
class StageOutline:
    name: str
    ids: tuple[str, ...]
    kinds: tuple[str, ...]
