"""A decision while it is being made, and what is in flight meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from holdfast.core.errors import Failure
from holdfast.core.events import Event
from holdfast.core.evolve import evolve
from holdfast.core.run import Run
from holdfast.core.stimuli import Apply, Disarm, Effect, Flying, Halt, Inspect, Lane, Predict


class Flights:
    """What is in flight for one run. Never journaled: empty after a crash."""

    __slots__ = ("busy", "by_number", "last", "last_back", "look_at", "undo_left")

    def __init__(self) -> None:
        self.by_number: dict[int, Flying] = {}
        self.busy: set[Lane] = set()  # batched lanes with a batch under way: one at a time
        self.last = 0
        self.undo_left: set[int] = set()  # steps that this rollback has not undone yet
        self.last_back: set[int] = set()  # of them, those that wait until the rest of their task is undone
        self.look_at: set[int] = set()  # tasks whose rollback may go on

    def tasks(self, run: Run) -> set[int]:
        return {run.graph.task_of[step] for effect in self.by_number.values() for step in effect.steps}

    def land(self, number: int) -> Flying:
        effect = self.by_number.pop(number)
        if isinstance(effect, Apply):
            self.busy.discard(effect.lane)
        return effect


def _by_task(run: Run, steps: Sequence[int]) -> Mapping[int, Sequence[int]]:
    """The positions of the steps, by the task they belong to."""
    if len(run.tasks) == 1:
        return {0: range(len(steps))} if steps else {}
    found: dict[int, list[int]] = {}
    for position, step in enumerate(steps):
        found.setdefault(run.graph.task_of[step], []).append(position)
    return found


class Draft:
    """Collects the events and effects of one decision; each event is part of the run at once."""

    __slots__ = ("effects", "events", "flights", "now", "run")

    def __init__(self, run: Run, flights: Flights, now: float) -> None:
        self.run = run
        self.flights = flights
        self.now = now
        self.events: list[Event] = []
        self.effects: list[Effect] = []

    def emit(self, type_: str, *, task: int | None = None, stage: int | None = None, **data: Any) -> None:
        self._add(Event(type_, {name: value for name, value in data.items() if value is not None}, task, stage))

    def emit_steps(
        self, type_: str, steps: Sequence[int], shared: Mapping[str, Any] | None = None, **columns: Sequence[Any]
    ) -> None:
        """A batch of step facts, one event for each task; a column with nothing in it is left out."""
        for task, positions in _by_task(self.run, steps).items():
            data = dict(shared or {})
            for name, values in columns.items():
                some = [values[position] for position in positions]
                if any(some):
                    data[f"{name}[]"] = some
            self._add(Event(type_, data, task, None, tuple(steps[position] for position in positions)))

    def _add(self, event: Event) -> None:
        evolve(self.run, event)
        self.events.append(event)

    def send(self, lane: Lane, steps: Sequence[int], *, undo: bool = False, doubtful: frozenset[int] = frozenset()) -> None:
        self.flights.last += 1
        effect = Apply(self.flights.last, lane, tuple(steps), undo, doubtful)
        if lane.batched:
            self.flights.busy.add(lane)
        self._launch(effect)

    def ask(self, steps: Sequence[int]) -> None:
        """Have the world tell what became of these steps."""
        self.flights.last += 1
        self._launch(Inspect(self.flights.last, tuple(steps)))

    def disarm(self) -> None:
        """Turn off what would take the run back by itself."""
        self.flights.last += 1
        self._launch(Disarm(self.flights.last, self.run.guarded))

    def predict(self, steps: Sequence[int]) -> None:
        """Have what these steps need worked out anew."""
        self.flights.last += 1
        self._launch(Predict(self.flights.last, tuple(steps)))

    def halt(self, number: int) -> None:
        self.effects.append(Halt(number))

    def _launch(self, effect: Flying) -> None:
        self.flights.by_number[effect.number] = effect
        self.effects.append(effect)


def error_of(code: str, message: str, step: str | None = None) -> Mapping[str, Any]:
    return {"step": step, **Failure(code=code, message=message).plain()}
