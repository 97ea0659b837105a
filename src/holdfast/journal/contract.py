"""The page every journal keeps: SQLite by default, PostgreSQL for fleets, memory for tests.

Laws:

1. What `append` returned for is durable (with `durable=False`: ordered, and durable with the next durable append).
2. A failed append consumed no number and left nothing behind.
3. `seq` has no gaps over all runs; `plan_seq` has none within a run and `task_seq` none within a task. A batch event
   takes as many numbers as it stands for. Numbers go on after a restart.
4. Records are chained: a changed, dropped, reordered or truncated record is found by `verify`. Nothing damaged is ever
   read as if it were sound: reading raises `corrupt_journal`.
5. Every projection (runs, history, locks) is what a replay of all records would give, also after `compact`.
6. A writer whose fence is older than the run's newest is refused (`wrong_state`): a paused owner who wakes does no harm.

Calls block; who must not be blocked calls from a thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from holdfast.core.events import Event, Outline

EXECUTORS: Final = "executors"  # beside a journal: the directory of lock files that prove which executors of actions live


class Record(NamedTuple):
    """One append, as it stands in the journal."""

    seq: int  # number of its first public event
    count: int  # type: ignore[assignment]  # how many public events it stands for
    run: str | None
    plan_seq: int  # number, within the run, of its first public event; 0 without a run
    task_seqs: Mapping[int, int]  # by task: the number its first event in this record gets
    at: float  # seconds since the epoch
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Persisted:
    """The receipt of an append. Effects may be performed only by who holds one."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class RunRow:
    """One line of the list of runs: a projection of its events."""

    id: str
    plan: str
    digest: str
    source: str
    state: str
    ending: str | None
    started_at: float
    ended_at: float | None
    owner: str | None
    fence: int
    settled: bool
    step_count: int
    error: str | None = None  # the code of what went wrong
    compacted: bool = False  # its records are gone; this row and its execution are what is left
    questions: tuple[str, ...] = ()  # what waits for somebody's yes: ids of steps, and `gate`


@dataclass(frozen=True, slots=True)
class LockRow:
    id: str
    run: str
    owner: str
    keys: tuple[str, ...]
    since: float
    fence: int


@dataclass(frozen=True, slots=True)
class CommandRow:
    """What somebody asked of a run, from whichever process."""

    id: int  # counts from 1 within the run
    run: str
    verb: str  # pause resume cancel confirm approve rollback retry
    data: Mapping[str, Any]
    at: float


@dataclass(frozen=True, slots=True)
class Verification:
    ok: bool
    records: int
    problems: tuple[str, ...] = ()


class Journal(Protocol):
    damage: str | None  # what is wrong with the store; then it can only be read, as far as it is sound

    def append(
        self, run: str | None, events: Sequence[Event], *, at: float, durable: bool = True, fence: int | None = None
    ) -> Persisted: ...

    def records(self, run: str | None = None, *, after: int = 0, limit: int | None = None) -> Iterator[Record]:
        """Records with events after the number `after`, in order; of one run, or of everything.

        The first may begin at or before `after`: a record is never cut. `limit` counts records.
        """
        ...

    def last_seq(self) -> int: ...

    def changed(self) -> int:
        """A number that differs whenever any process has written since; cheap enough to poll."""
        ...

    # -- plans, by digest: canonical bytes
    def keep_plan(self, digest: str, document: bytes) -> None: ...
    def plan(self, digest: str) -> bytes | None: ...

    # -- runs
    def run(self, run: str) -> RunRow | None: ...
    def find_runs(self, prefix: str, limit: int = 2) -> Sequence[RunRow]: ...
    def runs(
        self,
        *,
        limit: int = 100,
        ending: str | None = None,
        plan: str | None = None,
        open_only: bool = False,
        before: str | None = None,
    ) -> Sequence[RunRow]:
        """Newest first. `before` is the id of the last run of the page before."""
        ...

    def outline(self, run: str) -> Outline | None: ...

    # -- locks: together or not at all. Returns the holder when something stands in the way.
    def lock(self, run: str, owner: str, keys: Sequence[str], *, at: float, dead: Iterable[str] = ()) -> LockRow | None:
        """Locks of `dead` owners are reclaimed where they stand in the way; the fence is in the run's row then."""
        ...

    def unlock(self, run: str, *, at: float) -> None: ...
    def locks(self) -> Sequence[LockRow]: ...
    def break_lock(self, lock: str, *, at: float) -> LockRow | None:
        """Take a lock from its holder, whose writes are refused from then on. Returns what was broken."""
        ...

    # -- commands to runs
    def ask(self, run: str, verb: str, data: Mapping[str, Any], *, at: float) -> CommandRow: ...
    def asked(self, run: str, after: int = 0) -> Sequence[CommandRow]: ...

    # -- small named documents that are not facts: checkpoints' states, trigger states, saved previews
    def put(self, shelf: str, name: str, document: bytes) -> None: ...
    def get(self, shelf: str, name: str) -> bytes | None: ...
    def names(self, shelf: str) -> Sequence[str]: ...
    def drop(self, shelf: str, name: str) -> bool: ...

    # -- execution tracking: times are epoch milliseconds, as integers; `before` is the `number` of a row
    def executions(self, *, limit: int = 100, before: int | None = None) -> Sequence[Mapping[str, Any]]: ...
    def execution(self, execution: str) -> Mapping[str, Any] | None: ...
    def in_flight(self) -> Sequence[Mapping[str, Any]]:
        """Executions that began and have not ended, the oldest first, with their `owner` where one was given."""
        ...

    def cleanups(self, *, limit: int = 100, before: int | None = None) -> Sequence[Mapping[str, Any]]: ...
    def action_row(self, action: str) -> Mapping[str, Any] | None:
        """The execution in flight, if there is one, and how the last one ended; see `journal.firing`."""
        ...

    def action_rows(self) -> Mapping[str, Mapping[str, Any]]: ...
    def trigger_row(self, trigger: str) -> Mapping[str, Any] | None: ...
    def trigger_rows(self) -> Mapping[str, Mapping[str, Any]]: ...
    def stats(self, action: str | None = None) -> Sequence[Mapping[str, Any]]: ...
    def endings(self) -> Mapping[str, int]: ...

    # -- care
    def verify(self) -> Verification: ...
    def replay(self) -> None:
        """Make every projection anew from the records."""
        ...

    def compact(self, *, keep_runs: int, at: float) -> Mapping[str, int]:
        """Drop the records of old runs that ended and need nothing kept; `{"removed", "kept", "runs", "bytes_reclaimed"}`.

        At least the newest `keep_runs` runs keep theirs. What is folded from them stays.
        """
        ...

    def close(self) -> None: ...
