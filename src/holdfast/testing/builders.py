"""Small plans and small worlds: what a test needs to say what it is about, and nothing else.

The world here is cells: keys with a value or none. `Put` is the smallest operation and `Cells` the smallest driver that
keeps all laws. `Trial` drives one run over them, on a journal in memory and in a time that passes only when waited for.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import inf
from typing import Any, ClassVar, Final

from holdfast.core.change import FACTS, Change, Claim, Effect, Facts, Guarantee, Look, State
from holdfast.core.errors import Bug, Failure
from holdfast.core.events import Event
from holdfast.core.evolve import evolve
from holdfast.core.plan import Plan, Policy, Stage, Step, Task
from holdfast.core.predict import View
from holdfast.core.run import Run
from holdfast.core.stimuli import Asked, Began, Flying, Halt, Recovered, Stimulus, Ticked
from holdfast.core.stimuli import Effect as Wanted
from holdfast.drivers.contract import DONE, UNCHANGED, Batch, Driver, Ending, Move, Outcome
from holdfast.drivers.one_by_one import one_by_one
from holdfast.journal.contract import Persisted
from holdfast.journal.memory import MemoryJournal
from holdfast.runtime.book import Book, entries_from, entries_of, prepared_events, rows_in
from holdfast.runtime.crew import Asks, Crew, Inline, perform, run_to_end
from holdfast.runtime.executor import Watch, drive
from holdfast.runtime.fleet import DriverFleet, Fleet, one_after_the_other
from holdfast.runtime.perform import Performer
from holdfast.runtime.prepare import Prepared, prepare

TARGET: Final = "memory"
EPOCH: Final = 1_000_000.0  # when virtual time begins
PAUSES_MAX: Final = 5_000  # more means that nothing will ever happen


# -- plans


def a_step(name: str, operation: Any = None, *, needs: Sequence[str] = (), target: str = TARGET, **more: Any) -> Step:
    """A step that puts its own name into a cell of that name, unless told otherwise."""
    operation = Put(name, name) if operation is None else operation
    return Step(id=name, kind=operation.kind, operation=operation, target=target, needs=tuple(needs), **more)


def a_stage(name: str, *steps: Step | str) -> Stage:
    return Stage(name=name, steps=tuple(_step(step) for step in steps))


def a_task(name: str, *parts: Stage | Step | str, target: str = TARGET, **more: Any) -> Task:
    """Of stages, or of steps that make one stage."""
    stages = tuple(part for part in parts if isinstance(part, Stage))
    steps = [_step(part) for part in parts if not isinstance(part, Stage)]
    return Task(name=name, stages=(*stages, *([a_stage("main", *steps)] if steps else [])), target=target, **more)


def a_plan(*parts: Task | Stage | Step | str, name: str = "trial", **policy: Any) -> Plan:
    """Of tasks, or of stages or steps that make one task. Other names are those of the policy."""
    tasks = tuple(part for part in parts if isinstance(part, Task))
    rest = [part for part in parts if not isinstance(part, Task)]
    return Plan(name=name, tasks=(*tasks, *([a_task("main", *rest)] if rest else [])), policy=Policy(**policy))


def _step(step: Step | str) -> Step:
    return a_step(step) if isinstance(step, str) else step


# -- the smallest world


@dataclass(frozen=True, slots=True)
class Value:
    """What is in a cell; None: there is none."""

    value: str | None = None

    @property
    def exists(self) -> bool:
        return self.value is not None

    def same(self, other: Any, /) -> bool:
        return bool(self == other)

    def plain(self) -> Any:
        return self.value


@dataclass(frozen=True, slots=True)
class Put:
    """A cell has this value; None: there is no such cell. `reads` are cells that must be there."""

    kind: ClassVar[str] = "put"
    family: ClassVar[str] = "cells"
    batched: ClassVar[bool] = True

    key: str
    value: str | None
    reads: tuple[str, ...] = ()

    def claims(self) -> Sequence[Claim]:
        return [Claim(self.key), *(Claim(key, writes=False) for key in self.reads)]

    def changes(self, view: View, /) -> Sequence[Change]:
        made = view.made(self.key)
        before = view.seen(self.key) if made is None else made.after
        return (Change(self.key, before, Value(self.value)),)


@dataclass(frozen=True, slots=True)
class Puts(Put):
    """Several cells by one step: its first key and value, and those of `more`."""

    more: tuple[tuple[str, str | None], ...] = ()

    def claims(self) -> Sequence[Claim]:
        return [*Put.claims(self), *(Claim(key) for key, _ in self.more)]

    def changes(self, view: View, /) -> Sequence[Change]:
        return [change for key, value in ((self.key, self.value), *self.more) for change in Put(key, value).changes(view)]


@dataclass(frozen=True, slots=True)
class Ring:
    """An effect without a state, like a command: a bell that cannot be un-rung, unless `undo` says it can."""

    kind: ClassVar[str] = "ring"
    family: ClassVar[str] = "cells"
    batched: ClassVar[bool] = False

    name: str
    undo: bool = False

    def claims(self) -> Sequence[Claim]:
        return ()

    def changes(self, view: View, /) -> Sequence[Change]:
        guarantee = Guarantee.COMPENSABLE if self.undo else Guarantee.IRREVERSIBLE
        return (Change(f"ring/{self.name}", Effect(False), Effect(True), guarantee, means=self, runs=True),)


class Cells:
    """The smallest driver that keeps all laws, and remembers what it was asked to do."""

    def __init__(self, cells: Mapping[str, str] | None = None) -> None:
        self.cells = dict(cells or {})
        self.rung: set[str] = set()
        self.log: list[tuple[str, bool]] = []  # key and direction of every move that was made

    async def inspect(self, looks: Sequence[Look]) -> Mapping[str, State]:
        return {look.key: self._state(look.key) for look in looks}

    def _state(self, key: str) -> State:
        if key == FACTS:
            return Facts()
        return Effect(key in self.rung) if key.startswith("ring/") else Value(self.cells.get(key))

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        return await one_by_one(batch, self._make)

    async def _make(self, move: Move) -> Outcome:
        key, after, found = move.change.key, move.change.after, self._state(move.change.key)
        if found.same(after):
            return UNCHANGED
        if not found.same(move.change.before):
            return Outcome(Ending.FAILED, Failure(code="foreign_change", message=f"{key} holds {found.plain()!r}"), kept=key)
        self.log.append((key, move.undo))
        if isinstance(after, Effect):
            (self.rung.add if after.done else self.rung.discard)(key)
        elif not after.exists:
            del self.cells[key]
        else:
            self.cells[key] = after.plain()
        return DONE

    async def settle(self, moves: Sequence[Move]) -> None:
        """Nothing is kept for undo."""

    async def close(self) -> None:
        """Nothing is held."""


# -- time


class VirtualClock:
    """Time that passes only when somebody waits for it; what was agreed for a moment happens on the way there."""

    def __init__(self, start: float = EPOCH) -> None:
        self._now = start
        self._agreed: list[tuple[float, Callable[[], Any]]] = []
        self._pauses = 0

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    def pause(self, seconds: float) -> None:
        self.pass_until(self._now + seconds)

    def pass_until(self, until: float) -> None:
        self._pauses += 1
        if self._pauses > PAUSES_MAX:
            raise Bug("somebody waits for ever")
        while self._agreed and min(self._agreed, key=lambda a: a[0])[0] <= until:
            moment = min(self._agreed, key=lambda a: a[0])
            self._agreed.remove(moment)
            self._now = max(self._now, moment[0])
            moment[1]()
        self._now = until

    @property
    def next_at(self) -> float:
        """When something was agreed for; never, when nothing was."""
        return min((moment for moment, _ in self._agreed), default=inf)

    def after(self, seconds: float, do: Callable[[], Any]) -> None:
        self._agreed.append((self._now + seconds, do))


# -- a crew that has no habits


class Dice:
    """Of all effects under way, any may be the next to come back. What is halted before that comes back as cancelled."""

    def __init__(self, performer: Performer, clock: VirtualClock, asks: Asks, seed: int) -> None:
        self._performer = performer
        self._clock = clock
        self._asks = asks
        self._random = random.Random(seed)
        self._flying: list[Flying] = []
        self.most = 0  # effects under way at once

    def start(self, effects: Sequence[Wanted], receipt: Persisted) -> None:
        self._flying += [effect for effect in effects if not isinstance(effect, Halt)]
        self.most = max(self.most, len(self._flying))

    async def next(self, wake_at: float | None) -> Stimulus:
        while True:
            for verb, data in self._asks():
                return Asked(self._clock.now(), verb, data)
            if self._flying:
                effect = self._flying.pop(self._random.randrange(len(self._flying)))
                return await perform(self._performer, effect, self._clock)
            if wake_at is not None and self._clock.now() >= wake_at:
                return Ticked(self._clock.now())
            self._clock.pause(1.0 if wake_at is None else wake_at - self._clock.now())


# -- one run


@dataclass
class Trial:
    """One run of a plan. What is not given is made: an empty world, a journal and a clock in memory."""

    plan: Plan
    world: Cells = field(default_factory=Cells)
    driver: Driver | None = None  # around the world: a `Faulty`, for one
    fleet: Fleet | None = None  # in place of both
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    clock: VirtualClock = field(default_factory=VirtualClock)
    seed: int | None = None  # with one, effects come back in any order
    run_id: str = "R1"
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    watch: Watch = lambda run, events: None

    def __post_init__(self) -> None:
        if self.fleet is None:
            driver = self.driver or self.world
            self.fleet = DriverFleet({(TARGET, "cells"): lambda: driver, (TARGET, "files"): lambda: driver})

    def prepare(self) -> Prepared:
        assert self.fleet is not None
        return run_to_end(prepare(self.plan, self.fleet, one_after_the_other))

    def go(self) -> Run:
        """From the beginning to the ending."""
        prepared = self.prepare()
        assert not prepared.prediction.problems, prepared.prediction.problems
        run = Run.of(self.run_id, self.plan, self.plan.policy)
        created = Event("run.created", {"plan": self.plan.name, "outline": run.outline, "policy": asdict(self.plan.policy)})
        first = [created, *prepared_events(self.plan, prepared.prediction)]
        for event in first:
            evolve(run, event)
        book = Book(run.id, entries_of(self.plan, prepared.prediction))
        return self._drive(run, book, Began(self.clock.now()), first)

    def recover(self, *, resume: bool = False) -> Run:
        """Go on from what is in the journal, as another process would."""
        run, book = self.reopened()
        return self._drive(run, book, Recovered(self.clock.now(), resume, "another"))

    def roll_back(self) -> Run:
        return self.command("rollback")

    def command(self, verb: str, **data: Any) -> Run:
        """Ask something of a run that rests, and drive it until it rests again."""
        run, book = self.reopened()
        return self._drive(run, book, Asked(self.clock.now(), verb, {"by": "a person", **data}))

    def reopened(self) -> tuple[Run, Book]:
        run = Run.of(self.run_id, self.plan, self.plan.policy)
        for event in self.events:
            evolve(run, event)
        book = Book(self.run_id, entries_from(rows_in(self.events), lambda state: state))
        book.equip(self.plan)
        return run, book

    @property
    def events(self) -> list[Event]:
        return [event for record in self.journal.records(self.run_id) for event in record.events]

    def ask_after(self, seconds: float, verb: str, **data: Any) -> None:
        self.clock.after(seconds, lambda: self.asked.append((verb, data)))

    def _drive(self, run: Run, book: Book, stimulus: Stimulus, first: Sequence[Event] = ()) -> Run:
        work = drive(
            run,
            stimulus,
            journal=self.journal,
            crew=self._crew(run, book),
            clock=self.clock,
            watch=self.watch,
            first=first,
        )
        run_to_end(work)
        return run

    def _crew(self, run: Run, book: Book) -> Crew:
        assert self.fleet is not None
        keep_going = run.policy.on_failure == "continue" or run.policy.scope == "task"
        performer = Performer(self.plan, book, self.fleet, keep_going=keep_going)
        if self.seed is None:
            return Inline(performer, self.clock, self._asks)
        return Dice(performer, self.clock, self._asks, self.seed)

    def _asks(self) -> Sequence[tuple[str, dict[str, Any]]]:
        found, self.asked = self.asked, []
        return found


def states_of(run: Run) -> dict[str, str]:
    """By step id, its state."""
    return dict(zip(run.ids, run.steps, strict=True))


def snapshot(run: Run) -> dict[str, Any]:
    """Everything about a run that its events alone decide."""
    tasks = [(task.state, task.stage, tuple(task.stages), task.left, task.needs, task.retries) for task in run.tasks]
    names = (
        "state",
        "ending",
        "error",
        "problems",
        "faulty",
        "confirm_until",
        "steps",
        "attempts",
        "failures",
        "residue",
        "executed",
        "waits",
        "unmet",
    )
    return {"tasks": tasks, **{name: getattr(run, name) for name in names}}
