"""The changes of a run, by step: as predicted, as journaled, as moves for a driver."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from holdfast.core.change import Change, Guarantee, State
from holdfast.core.events import Event
from holdfast.core.plan import Plan
from holdfast.core.predict import Prediction
from holdfast.drivers.contract import Move

ROWS_MAX: Final = 20_000  # changes in one record; a larger plan is prepared in several
SAME: Final = 0  # in a row: the state before is the state after


class Entry(NamedTuple):
    """One change as the journal tells it, with where it belongs."""

    step: int
    target: str
    change: Change


class Book:
    """What each step changes. `means` are at hand only in the process that predicted them, or through the plan."""

    def __init__(self, run: str, entries: Iterable[Entry]) -> None:
        self.run = run
        self.by_step: dict[int, list[Change]] = {}
        self.targets: dict[int, str] = {}
        for step, target, change in entries:
            self.by_step.setdefault(step, []).append(change)
            self.targets[step] = target

    def moves(self, step: int, *, undo: bool, timeout: float | None = None, needs: tuple[int, ...] = ()) -> list[Move]:
        """The moves of one step, in the order in which they are to be made."""
        moves = [
            Move(self.id_of(step, number), change.reversed() if undo else change, undo, needs, timeout)
            for number, change in enumerate(self.by_step.get(step, ()))
            if change.changes
        ]
        return moves[::-1] if undo else moves

    def all_moves(self) -> list[tuple[int, Move]]:
        return [(step, move) for step in self.by_step for move in self.moves(step, undo=False)]

    def id_of(self, step: int, number: int) -> str:
        return f"{self.run}/{step}.{number}"

    def equip(self, plan: Plan) -> None:
        """After a crash: give every effect its operation as means; that is what undoing a command needs."""
        for step, changes in self.by_step.items():
            operation = plan.steps[step].operation
            self.by_step[step] = [change._replace(means=operation) if change.runs else change for change in changes]

    def renew(self, entries: Iterable[Entry]) -> list[int]:
        """Before going on after a crash: take the means from a fresh prediction of the same changes.

        Returns the steps whose fresh prediction wants something else than what was journaled.
        """
        fresh = {(entry.step, entry.change.key): entry.change for entry in entries}
        stale = []
        for step, changes in self.by_step.items():
            for number, change in enumerate(changes):
                again = fresh.get((step, change.key))
                if again is None or not again.after.same(change.after):
                    stale.append(step)
                elif again.means is not None:
                    changes[number] = change._replace(means=again.means)
        return stale


def entries_of(plan: Plan, prediction: Prediction) -> list[Entry]:
    steps = plan.steps
    numbered = enumerate(prediction.changes)
    return [Entry(number, steps[number].target, change) for number, changes in numbered for change in changes]


def prepared_events(plan: Plan, prediction: Prediction) -> list[Event]:
    """`run.prepared`, in as many pieces as it takes; states are encoded by the journal that needs bytes."""
    rows: list[list[Any]] = []
    guarantees: list[tuple[int, str]] = []
    idle: list[int] = []
    for number, changes in enumerate(prediction.changes):
        found = [_row(number, plan.steps[number].target, change) for change in changes]
        rows += found
        if all(row[3] is SAME for row in found):
            idle.append(number)
        elif len(found) > 1 or found[0][5] is not _ATOMIC:
            guarantees.append((number, prediction.guarantee(number).value))
    accepted = [number for number, step in enumerate(plan.steps) if step.irreversible]
    events = []
    for start in range(0, max(len(rows), 1), ROWS_MAX):
        last = start + ROWS_MAX >= len(rows)
        data: dict[str, Any] = {"changes": rows[start : start + ROWS_MAX]}
        data.update({"guarantees": guarantees, "idle": idle, "accepted": accepted} if last else {"more": True})
        events.append(Event("run.prepared", data))
    return events


_ATOMIC: Final = Guarantee.ATOMIC.value


def _row(step: int, target: str, change: Change) -> list[Any]:
    before = change.before if change.changes else SAME
    guarantee = _ATOMIC if change.guarantee is Guarantee.ATOMIC else change.guarantee.value
    row = [step, target, change.key, before, change.after, guarantee]
    return row if change.origin is None and not change.runs else [*row, change.origin, change.runs]


ParseState = Callable[[Any], State]


def entries_from(rows: Iterable[Sequence[Any]], parse: ParseState) -> list[Entry]:
    """The inverse, for rows as they come out of a journal."""
    entries = []
    for step, target, key, before, after, guarantee, *rest in rows:
        origin, runs = rest if rest else (None, False)
        state = parse(after)
        then = state if isinstance(before, int) else parse(before)
        entries.append(Entry(step, target, Change(key, then, state, Guarantee(guarantee), origin, None, bool(runs))))
    return entries


def rows_in(events: Iterable[Event]) -> list[Sequence[Any]]:
    """The rows of the latest preparation among these events."""
    rows: list[Sequence[Any]] = []
    fresh = True
    for event in events:
        if event.type == "run.prepared":
            rows = list(event.data["changes"]) if fresh else [*rows, *event.data["changes"]]
            fresh = not event.data.get("more")
    return rows


def resources_of(entries: Iterable[Entry]) -> Mapping[tuple[str, str], State]:
    """The state each resource is recorded to have after these changes; effects without a state are left out."""
    found: dict[tuple[str, str], State] = {}
    for _, target, change in entries:
        if change.runs:
            continue
        found[target, change.key] = change.after
        if change.origin is not None:
            found.pop((target, change.origin), None)
    return found
