"""What was executed, and how it went: actions and cleanups, their history and stats, kept in a journal.

    with History.open("/var/lib/holdfast/journal") as history:
        execution = history.action_execution_started("backup", "cron:nightly", "command")
        history.action_execution_completed("backup", True, output="12 files", execution_id=execution)

Times are epoch milliseconds. Executions are keyed by their own id, so two of one action do not meet. One that had begun
when its process died is shown as interrupted by whoever opens the history next.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, TracebackType
from typing import Any, Final, TypeVar

from holdfast.core.errors import Bug
from holdfast.core.events import Event
from holdfast.journal.contract import EXECUTORS, Journal
from holdfast.journal.memory import MemoryJournal

ENTRIES_MAX: Final = 1000
Clock = Callable[[], float]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    id: str
    action_id: str
    source: str | None
    execution_type: str | None
    success: bool | None  # None: it has not ended
    started_at: int
    completed_at: int | None
    duration_ms: float | None
    output: str | None
    error: str | None
    interrupted: bool
    run: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleanup:
    scanner_id: str
    resource_id: str
    action: str
    success: bool
    error: str | None
    executed_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionStats:
    action_id: str
    total_executions: int = 0
    successes: int = 0
    failures: int = 0
    interrupted: int = 0
    avg_duration_ms: float = 0
    p95_duration_ms: float = 0
    last_run_at: int | None = None


class History:
    def __init__(
        self, journal: Journal, *, max_entries: int = ENTRIES_MAX, clock: Clock = time.time, executors: str | None = None
    ) -> None:
        """Over a journal that is open. `executors` is where living processes are told from dead ones."""
        _check_entries(max_entries)
        self.journal = journal
        self._max_entries = max_entries
        self._clock = clock
        self._begun: dict[str, str] = {}  # executions that this history saw begin, with their actions, the oldest first
        self._appended = 0
        self._executors = executors
        self._life = None if executors is None else Life(executors)
        self.interrupt_the_dead()

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, max_entries: int = ENTRIES_MAX, clock: Clock = time.time) -> History:
        """The history in a directory, which is made when it is missing; that of a state directory is in its journal."""
        from holdfast.journal.sqlite import SqliteJournal

        within = os.path.join(path, "journal")
        directory = within if os.path.isdir(within) else os.fspath(path)
        journal = SqliteJournal.open(directory)
        executors = None if journal.damage else os.path.join(directory, EXECUTORS)
        return cls(journal, max_entries=max_entries, clock=clock, executors=executors)

    @classmethod
    def in_memory(cls, max_entries: int = ENTRIES_MAX, *, clock: Clock = time.time) -> History:
        _check_entries(max_entries)
        return cls(MemoryJournal(executions_max=max_entries), max_entries=max_entries, clock=clock)

    # -- facts

    def action_execution_started(
        self,
        action_id: str,
        source: str = "manual",
        execution_type: str = "command",
        started_at: float | None = None,
        *,
        execution_id: str | None = None,
        plan: str | None = None,
        because: Sequence[Event] = (),
    ) -> str:
        """Returns the id by which the execution is completed; `plan` is the name of the plan that it applies.

        Events that it happens `because` of stand in the same record: both are journaled, or none.
        """
        execution = execution_id or new_id()
        data = {"id": execution, "action_id": action_id, "source": source, "execution_type": execution_type}
        if plan is not None:
            data["plan"] = plan
        if self._life is not None:
            data["owner"] = self._life.name
        self._append("action.started", data, started_at, because)
        self._begun[execution] = action_id
        return execution

    def action_execution_completed(
        self,
        action_id: str,
        success: bool,
        output: str | None = None,
        error: str | None = None,
        duration_ms: float | None = None,
        completed_at: float | None = None,
        *,
        execution_id: str | None = None,
        source: str | None = None,
        execution_type: str | None = None,
        plan: str | None = None,
        run: str | None = None,
    ) -> Execution:
        """Without an id it completes the oldest execution of the action that began here; legal without any."""
        execution = (
            execution_id or next((known for known, action in self._begun.items() if action == action_id), None) or new_id()
        )
        data = {
            "id": execution,
            "action_id": action_id,
            "success": success,
            "output": output,
            "error": error,
            "duration_ms": duration_ms,
            "source": source,
            "execution_type": execution_type,
            "plan": plan,
            "run": run,
        }
        _check(data)
        self._append("action.completed", {name: value for name, value in data.items() if value is not None}, completed_at)
        self._begun.pop(execution, None)
        return self._execution(run if run is not None and plan == action_id else execution)

    def cleanup_executed(
        self,
        scanner_id: str,
        resource_id: str,
        action: str,
        success: bool = True,
        error: str | None = None,
        executed_at: float | None = None,
    ) -> Cleanup:
        data = {"scanner_id": scanner_id, "resource_id": resource_id, "action": action, "success": success, "error": error}
        self._append("cleanup.executed", data, executed_at)
        return self.recent_cleanup_operations(1)[0]

    # -- questions

    def recent_action_executions(self, limit: int = 100) -> list[Execution]:
        """Newest first."""
        rows = self.journal.executions(limit=min(limit, self._max_entries))
        return [_as(Execution, row) for row in rows]

    def recent_cleanup_operations(self, limit: int = 100) -> list[Cleanup]:
        """Newest first."""
        rows = self.journal.cleanups(limit=min(limit, self._max_entries))
        return [_as(Cleanup, row) for row in rows]

    def action_stats(self, action_id: str) -> ActionStats:
        """Over everything that was ever executed, not only over what is still listed."""
        found = self.journal.stats(action_id)
        return ActionStats(**found[0]) if found else ActionStats(action_id=action_id)

    def leave(self) -> None:
        """Execute no more; the journal stays open."""
        if self._life is not None:
            self._life.end()
            self._life = None

    def close(self) -> None:
        self.leave()
        self.journal.close()

    def __enter__(self) -> History:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # -- how

    def _append(self, kind: str, data: dict[str, Any], milliseconds: float | None, because: Sequence[Event] = ()) -> None:
        _check({**data, "time": milliseconds})
        at = self._clock() if milliseconds is None else milliseconds / 1000
        self.journal.append(None, [*because, Event(kind, data)], at=at)
        self._appended += 1
        if isinstance(self.journal, MemoryJournal) and self._appended % self._max_entries == 0:
            self.journal.compact(keep_runs=0, at=at)  # a ring in memory keeps no records behind it

    def _execution(self, execution: str) -> Execution:
        row = self.journal.execution(execution)
        if row is None:
            raise Bug(f"execution {execution} was journaled and is not there")
        return _as(Execution, row)

    def interrupt_the_dead(self) -> None:
        """Executions whose process died will never be completed by it."""
        executors = self._executors
        if executors is None:
            return
        for owner in {row.get("owner") for row in self.journal.in_flight()}:
            grave = None if owner is None else bury(executors, owner)
            if grave is None:
                continue
            for row in self.journal.in_flight():  # again: now that nobody else buries this owner
                if row.get("owner") == owner:
                    data = {"id": row["id"], "action_id": row["action_id"], "source": row["source"], "success": False}
                    data["interrupted"] = True
                    self._append("action.completed", data, None)
            grave.end()


# What is wrong here would stand in the journal for good.
_TYPES: Final[Mapping[str, Any]] = {
    "id": str,
    "action_id": str,
    "scanner_id": str,
    "resource_id": str,
    "success": bool,
    "duration_ms": (int, float, NoneType),
    "time": (int, float, NoneType),
}


def _check(data: Mapping[str, Any]) -> None:
    for name, value in data.items():
        if not isinstance(value, _TYPES.get(name, object)):
            raise TypeError(f"`{name}` cannot be {value!r} in a history")


def _check_entries(count: int) -> None:
    if not isinstance(count, int) or count < 1:
        raise ValueError(f"a history keeps at least 1 entry, not {count!r}")


def _as(shape: type[T], row: Mapping[str, Any]) -> T:
    return shape(**{name: value for name, value in row.items() if name != "number"})


def new_id() -> str:
    return os.urandom(8).hex()


class Life:
    """A lock file that is held as long as its process lives: the kernel releases it, whatever the process dies of."""

    def __init__(self, directory: str, name: str | None = None) -> None:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        self.name = name or new_id()
        self._path = os.path.join(directory, self.name)
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise

    def end(self) -> None:
        os.unlink(self._path)
        os.close(self._fd)


def bury(directory: str, name: str) -> Life | None:
    """Take over the lock file of an owner that is dead; None while it lives."""
    try:
        return Life(directory, name)
    except BlockingIOError:
        return None
