"""What every journal does the same way, whatever stores its records and rows: numbers, folds, queries, locks, commands.

A store says how to read and write sheets together, how to keep a record, and how to read records back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar

from holdfast.core.errors import Refused
from holdfast.core.events import Event, Outline
from holdfast.journal.chain import corrupt
from holdfast.journal.conflicts import conflicts, overdrawn
from holdfast.journal.contract import CommandRow, LockRow, Persisted, Record, RunRow
from holdfast.journal.firing import ACTION, SHEET, TRIGGER, all_standing
from holdfast.journal.folds import ENDINGS, NO_HEAD, count, fold, head_of, number_of, run_ids, tag_of
from holdfast.journal.records import check
from holdfast.journal.sheets import Key, Sheets
from holdfast.journal.stats import answers

EXECUTIONS_MAX: Final = 100_000  # rows kept of executions, and of cleanups
T = TypeVar("T")
END_OF_PREFIX: Final = "\U0010ffff"


class Ledger(ABC):
    ring: int = EXECUTIONS_MAX

    # -- what a store must say

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Sheets]:
        """One consistent view of all sheets."""

    @abstractmethod
    def _writing(self, durable: bool) -> AbstractContextManager[Sheets]:
        """One transaction: everything done within it, or nothing."""

    @abstractmethod
    def _last(self, sheets: Sheets) -> int:
        """Number of the last event."""

    @abstractmethod
    def _keep(self, sheets: Sheets, record: Record, encoded: bytes) -> None: ...

    @abstractmethod
    def records(self, run: str | None = None, *, after: int = 0, limit: int | None = None) -> Iterator[Record]: ...

    def _encoded(self, events: Sequence[Event]) -> bytes:
        """What can be prepared of a record before its number is known."""
        return b""

    # -- records

    def append(
        self, run: str | None, events: Sequence[Event], *, at: float, durable: bool = True, fence: int | None = None
    ) -> Persisted:
        kept = check(events)
        if not kept:
            last = self.last_seq()
            return Persisted(last + 1, last)
        encoded = self._encoded(kept)
        with self._writing(durable) as sheets:
            return self._add(sheets, run, kept, at, encoded, fence)

    def _add(
        self,
        sheets: Sheets,
        run: str | None,
        events: tuple[Event, ...],
        at: float,
        encoded: bytes = b"",
        fence: int | None = None,
    ) -> Persisted:
        head = NO_HEAD if run is None else head_of(sheets, run)
        if fence is not None and head["fence"] > fence:
            raise Refused(
                f"run {run} has another owner by now", code="wrong_state", hint="another process took it over; leave it"
            )
        seq = self._last(sheets) + 1
        total = sum(event.count for event in events)
        record = Record(seq, total, run, head["plan_seq"] + 1 if run else 0, _task_seqs(sheets, run, events), at, events)
        self._keep(sheets, record, encoded)
        fold(sheets, record, self.ring)
        return Persisted(seq, seq + total - 1)

    def last_seq(self) -> int:
        with self._reading() as sheets:
            return self._last(sheets)

    # -- runs

    def run(self, run: str) -> RunRow | None:
        with self._reading() as sheets:
            number = number_of(sheets, run)
            return None if number is None else _run_row(sheets, number)

    def find_runs(self, prefix: str, limit: int = 2) -> Sequence[RunRow]:
        with self._reading() as sheets:
            found = _first(sheets.scan("run_id", prefix, prefix + END_OF_PREFIX), limit)
            if not found and any(run.startswith(prefix) for run in run_ids(sheets)):
                raise corrupt(f"the index of runs does not lead to {prefix}")
            return [_run_row(sheets, number) for _, number in found]

    def runs(
        self,
        *,
        limit: int = 100,
        ending: str | None = None,
        plan: str | None = None,
        open_only: bool = False,
        before: str | None = None,
    ) -> Sequence[RunRow]:
        with self._reading() as sheets:
            newest = count(sheets, "runs") if before is None else (sheets.get("run_id", before) or 1) - 1
            tags = _tags_asked(ending, plan, open_only)
            rarest = min(tags, key=lambda tag: count(sheets, tag), default=None)
            numbers = iter(range(newest, 0, -1)) if rarest is None else _tagged(sheets, rarest, newest, before is None)
            rows = (_run_row(sheets, number) for number in numbers)
            if len(tags) > 1:
                rows = (row for row in rows if row.ending == ending and row.plan == plan)
            return _first(rows, limit)

    def outline(self, run: str) -> Outline | None:
        for record in self.records(run):
            for event in record.events:
                if event.type == "run.created":
                    found: Outline | None = event.data.get("outline")
                    return found
        return None

    # -- locks

    def lock(self, run: str, owner: str, keys: Sequence[str], *, at: float, dead: Iterable[str] = ()) -> LockRow | None:
        wanted, gone = frozenset(keys), frozenset(dead)
        with self._writing(False) as sheets:
            events: list[Event] = []
            beside: list[LockRow] = []
            for held in self._held(sheets):
                if held.run == run and held.owner == owner:
                    if wanted == frozenset(held.keys):
                        return None
                    events.append(Event("lock.released", {"id": held.id}))
                    continue
                clash = conflicts(wanted, frozenset(held.keys))
                if held.owner in gone and (clash or held.run == run):
                    events.append(Event("lock.reclaimed", {"id": held.id, "run": held.run}))
                elif clash or held.run == run:
                    self._deny(sheets, run, clash, held, at)
                    return held
                else:
                    beside.append(held)
            short, holders = overdrawn(wanted, beside)
            alive = [held for held in holders if held.owner not in gone]
            if short and overdrawn(wanted, alive)[0]:
                self._deny(sheets, run, short, alive[0], at)
                return alive[0]
            events += [Event("lock.reclaimed", {"id": held.id, "run": held.run}) for held in holders if held.owner in gone]
            fence = self._last(sheets) + 1 + len(events)
            data = {"id": f"L{fence}", "owner": owner, "keys": sorted(wanted), "fence": fence}
            self._journal(sheets, run, [*events, Event("lock.acquired", data)], at)
            return None

    def _journal(self, sheets: Sheets, run: str, events: list[Event], at: float) -> None:
        kept = tuple(events)
        self._add(sheets, run, kept, at, self._encoded(kept))

    def _deny(self, sheets: Sheets, run: str, keys: list[str], held: LockRow, at: float) -> None:
        """Once per run: one that waits asks again and again."""
        if not head_of(sheets, run).get("denied"):
            self._journal(sheets, run, [Event("lock.denied", {"keys": keys, "holder": held.run})], at)

    def unlock(self, run: str, *, at: float) -> None:
        with self._writing(False) as sheets:
            events = [Event("lock.released", {"id": key}) for key, row in list(sheets.scan("lock")) if row["run"] == run]
            if events:
                self._journal(sheets, run, events, at)

    def locks(self) -> Sequence[LockRow]:
        with self._reading() as sheets:
            return self._held(sheets)

    def break_lock(self, lock: str, *, at: float) -> LockRow | None:
        """Take it from its holder, who is fenced off from then on."""
        with self._writing(False) as sheets:
            found = next((held for held in self._held(sheets) if held.id == lock), None)
            if found is not None:
                self._journal(sheets, found.run, [Event("lock.reclaimed", {"id": lock, "run": found.run})], at)
            return found

    def _held(self, sheets: Sheets) -> list[LockRow]:
        rows = list(sheets.scan("lock"))
        if len(rows) != count(sheets, "locks"):
            raise corrupt("a lock is missing")
        held = [self._lock_row(str(key), row) for key, row in rows]
        return sorted(held, key=lambda lock: lock.fence)

    def _lock_row(self, lock: str, row: Mapping[str, Any]) -> LockRow:
        return LockRow(lock, row["run"], row["owner"], self._keys_of(lock, row), row["since"], row["fence"])

    def _keys_of(self, lock: str, row: Mapping[str, Any]) -> tuple[str, ...]:
        """The keys stand in the record only: there may be thousands of them."""
        for record in self.records(row["run"], after=row["record"] - 1, limit=1):
            for event in record.events:
                if event.type == "lock.acquired" and event.data["id"] == lock:
                    return tuple(event.data["keys"])
        raise corrupt(f"the record of lock {lock} is missing")

    # -- commands to runs

    def ask(self, run: str, verb: str, data: Mapping[str, Any], *, at: float) -> CommandRow:
        with self._writing(False) as sheets:
            number = (sheets.get("@asked", run) or 0) + 1
            sheets.put("@asked", run, number)
            sheets.put(f"@asked:{run}", number, {"verb": verb, "data": dict(data), "at": at})
            return CommandRow(number, run, verb, data, at)

    def asked(self, run: str, after: int = 0) -> Sequence[CommandRow]:
        with self._reading() as sheets:
            last = sheets.get("@asked", run) or 0
            rows = [(number, _row(sheets, f"@asked:{run}", number)) for number in range(after + 1, last + 1)]
            return [CommandRow(number, run, row["verb"], row["data"], row["at"]) for number, row in rows]

    # -- execution tracking

    def executions(self, *, limit: int = 100, before: int | None = None) -> Sequence[Mapping[str, Any]]:
        with self._reading() as sheets:
            rows = _numbered(sheets, "execution", count(sheets, "executions"), self.ring, limit, before)
            return [_without_owner(row) for row in rows]

    def execution(self, execution: str) -> Mapping[str, Any] | None:
        with self._reading() as sheets:
            number = sheets.get("execution_id", execution)
            return None if number is None else _without_owner({**_row(sheets, "execution", number), "number": number})

    def in_flight(self) -> Sequence[Mapping[str, Any]]:
        """Executions that have not ended, with the owner whose life they depend on."""
        with self._reading() as sheets:
            numbers = [number for _, number in sheets.scan("in_flight")]
            if len(numbers) != count(sheets, "in_flight"):
                raise corrupt("an execution that has not ended is missing")
            return [_row(sheets, "execution", number) for number in sorted(numbers)]

    def cleanups(self, *, limit: int = 100, before: int | None = None) -> Sequence[Mapping[str, Any]]:
        with self._reading() as sheets:
            return _numbered(sheets, "cleanup", count(sheets, "cleanups"), self.ring, limit, before)

    def action_row(self, action: str) -> Mapping[str, Any] | None:
        return self._standing(ACTION + action)

    def action_rows(self) -> Mapping[str, Mapping[str, Any]]:
        with self._reading() as sheets:
            return all_standing(sheets, ACTION)

    def trigger_row(self, trigger: str) -> Mapping[str, Any] | None:
        return self._standing(TRIGGER + trigger)

    def trigger_rows(self) -> Mapping[str, Mapping[str, Any]]:
        with self._reading() as sheets:
            return all_standing(sheets, TRIGGER)

    def _standing(self, place: str) -> Mapping[str, Any] | None:
        with self._reading() as sheets:
            found: Mapping[str, Any] | None = sheets.get(SHEET, place)
            return found

    def stats(self, action: str | None = None) -> Sequence[Mapping[str, Any]]:
        with self._reading() as sheets:
            rows = answers(sheets)
            return rows if action is None else [row for row in rows if row["action_id"] == action]

    def endings(self) -> Mapping[str, int]:
        with self._reading() as sheets:
            found = {ending: count(sheets, tag_of(ending=ending)) for ending in ENDINGS}
            return {ending: total for ending, total in found.items() if total}


def _task_seqs(sheets: Sheets, run: str | None, events: Sequence[Event]) -> dict[int, int]:
    tasks = dict.fromkeys(event.task for event in events if event.task is not None)
    return {task: (sheets.get(f"head:{run}", task) or 0) + 1 for task in tasks}


def _row(sheets: Sheets, sheet: str, key: Key) -> Any:
    """A row that must be there."""
    row = sheets.get(sheet, key)
    if row is None:
        raise corrupt(f"{sheet} {key} is missing")
    return row


def _run_row(sheets: Sheets, number: int) -> RunRow:
    row = dict(_row(sheets, "run", number))
    questions = tuple(row.pop("questions", {}).values())
    return RunRow(fence=head_of(sheets, row["id"])["fence"], questions=questions, **row)


def _tags_asked(ending: str | None, plan: str | None, open_only: bool) -> list[str]:
    if open_only:
        return [tag_of()]
    by_plan = [] if plan is None else [tag_of(plan=plan)]
    return by_plan if ending is None else [*by_plan, tag_of(ending=ending)]


def _tagged(sheets: Sheets, tag: str, newest: int, whole: bool) -> Iterator[int]:
    """Numbers of the runs that have a tag; a list from the newest to the oldest must be as long as is known."""
    found = 0
    for number, _ in sheets.scan(f"tag:{tag}", None, newest, newest=True):
        found += 1
        yield int(number)
    if whole and found != count(sheets, tag):
        raise corrupt(f"the list of runs with `{tag}` is not complete")


def _numbered(sheets: Sheets, sheet: str, last: int, ring: int, limit: int, before: int | None) -> list[Mapping[str, Any]]:
    """The newest rows of a ring, each with the number that `before` takes."""
    newest = last if before is None else min(last, before - 1)
    oldest = max(1, last - ring + 1, newest - limit + 1)
    return [{**_row(sheets, sheet, number), "number": number} for number in range(newest, oldest - 1, -1)]


def _without_owner(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in row.items() if name != "owner"}


def _first(rows: Iterator[T], limit: int) -> list[T]:
    found: list[T] = []
    while len(found) < limit:
        row = next(rows, None)
        if row is None:
            break
        found.append(row)
    return found
