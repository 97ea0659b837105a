"""Whole roll-outs in virtual time, with everything that can go wrong, decided by one number.

`python -m holdfast.testing.simulation --seeds N` makes up a plan for each seed, drives it through failures, lost answers,
deaths, pauses, cancels, retries and rollbacks, and checks after every rest that the world is what the journal says. The
same seed gives the same events, byte for byte.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import inf
from typing import Any, Final

import msgspec

from holdfast.app.looking.runs import event_documents
from holdfast.core.control import refusal
from holdfast.core.errors import Failure
from holdfast.core.plan import Plan, Retry, Step, Task
from holdfast.core.run import Run
from holdfast.core.shares import Share
from holdfast.core.stimuli import Asked, Effect, Flying, Halt, Stimulus, Ticked
from holdfast.drivers.contract import Batch, Ending, Move, Outcome
from holdfast.drivers.one_by_one import one_by_one
from holdfast.drivers.wrappers import Died, Wrapper
from holdfast.journal.contract import Persisted
from holdfast.runtime.book import Book
from holdfast.runtime.crew import Asks, perform
from holdfast.runtime.perform import Performer
from holdfast.testing.builders import Cells, Put, Ring, Trial, VirtualClock, a_plan, a_stage, a_step, a_task, snapshot

WORLD: Final = {"k0": "old", "k1": "old", "k2": "old"}
FAULTS_MAX: Final = 3
ROUNDS_MAX: Final = 12
BROKEN: Final = Outcome(Ending.FAILED, Failure(code="io_error", message="it broke"))
UNHEARD: Final = Outcome(Ending.IN_DOUBT, Failure(code="in_doubt", message="the answer was lost", doubtful=True))


class Rests(Exception):
    """Nothing will happen any more, unless somebody asks for something."""


# -- plans


def plan_of(dice: random.Random) -> Plan:
    numbers = iter(range(1000))
    tasks: list[Task] = []
    for name in range(dice.randint(1, 5)):
        stages = []
        for stage in range(dice.randint(1, 3)):
            earlier: list[str] = []
            for _ in range(dice.randint(1, 3)):
                earlier.append(f"s{next(numbers)}")
            stages.append(a_stage(f"stage{stage}", *_steps(dice, earlier)))
        needs = (dice.choice(tasks).name,) if tasks and dice.random() < 0.3 else ()
        shares = (Share("db", dice.randint(1, 2), 3),) if dice.random() < 0.3 else ()
        tasks.append(a_task(f"t{name}", *stages, needs=needs, shares=shares))
    return a_plan(*tasks, **_policy(dice))


def _steps(dice: random.Random, names: Sequence[str]) -> Iterator[Step]:
    for place, name in enumerate(names):
        operation: Any = Ring(name, undo=True) if dice.random() < 0.3 else Put(_key(dice, name), dice.choice(["new", None]))
        needs = [names[dice.randrange(place)]] if place and dice.random() < 0.5 else []
        retry = Retry(attempts=2, delay=5.0) if dice.random() < 0.2 else Retry()
        yield a_step(name, operation, needs=needs, retry=retry)


def _key(dice: random.Random, name: str) -> str:
    """Some cells are there already; no two steps share one."""
    number = int(name[1:])
    return f"k{number}" if number < len(WORLD) else f"own{number}"


def _policy(dice: random.Random) -> dict[str, Any]:
    found: dict[str, Any] = {
        "on_failure": dice.choice(["rollback", "rollback", "stop", "continue"]),
        "scope": dice.choice(["plan", "task"]),
        "parallel": dice.randint(1, 4),
        "tasks_at_once": dice.randint(1, 3),
    }
    if found["scope"] == "task" and dice.random() < 0.3:
        found |= {"batches": (1, "50%"), "gate": dice.choice(["auto", "approve"])}
    if dice.random() < 0.15:
        found["timeout"] = dice.uniform(5, 60)
    if dice.random() < 0.15:
        found["confirm_within"] = dice.uniform(5, 30)
    return found


# -- what can go wrong


class Storm(Wrapper):
    """Breaks moves, loses answers and kills whoever called, as the dice fall; a few times and no more."""

    def __init__(self, inner: Cells, dice: random.Random) -> None:
        super().__init__(inner)
        self._dice = dice
        self._left = dice.randint(0, FAULTS_MAX)

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        return await one_by_one(batch, self._make)

    async def _make(self, move: Move) -> Outcome:
        luck = self._dice.random()
        if luck > 0.2 or not self._left:
            return await self._inside(move)
        self._left -= 1
        if luck < 0.05:
            return BROKEN
        outcome = await self._inside(move)
        if outcome.ending not in (Ending.DONE, Ending.UNCHANGED):
            return outcome
        if luck < 0.1:
            return UNHEARD
        if luck < 0.15:
            raise Died(move.id)
        return BROKEN

    async def _inside(self, move: Move) -> Outcome:
        (outcome,) = await self.inner.apply(Batch((move._replace(needs=()),)))
        return outcome


class Hours:
    """A crew whose effects take their time, each its own; commands come when they come."""

    def __init__(self, performer: Performer, clock: VirtualClock, asks: Asks, dice: random.Random) -> None:
        self._performer, self._clock, self._asks, self._dice = performer, clock, asks, dice
        self._flying: list[tuple[float, int, Flying]] = []

    def start(self, effects: Sequence[Effect], receipt: Persisted) -> None:
        for effect in effects:
            if not isinstance(effect, Halt):  # what is under way cannot be halted here: it comes back as it does
                heappush(self._flying, (self._clock.now() + self._dice.uniform(0.1, 8.0), effect.number, effect))

    async def next(self, wake_at: float | None) -> Stimulus:
        while True:
            for verb, data in self._asks():
                return Asked(self._clock.now(), verb, data)
            lands_at = self._flying[0][0] if self._flying else inf
            wakes_at = inf if wake_at is None else wake_at
            until = min(lands_at, wakes_at, self._clock.next_at)
            if until == inf:
                raise Rests
            self._clock.pass_until(max(until, self._clock.now()))
            if until == lands_at:
                return await perform(self._performer, heappop(self._flying)[2], self._clock)
            if until == wakes_at:
                return Ticked(self._clock.now())


@dataclass
class Simulated(Trial):
    dice: random.Random = field(default_factory=random.Random)

    def _crew(self, run: Run, book: Book) -> Any:
        assert self.fleet is not None
        keep_going = run.policy.on_failure == "continue" or run.policy.scope == "task"
        return Hours(Performer(self.plan, book, self.fleet, keep_going=keep_going), self.clock, self._asks, self.dice)


# -- one life


class Wrong(Exception):
    """The world, the journal and the run do not tell the same."""


def live(seed: int) -> Trial:
    """One roll-out, through everything that happens to it; raises `Wrong` where something does not hold."""
    dice = random.Random(seed)
    world = Cells(WORLD)
    trial = Simulated(plan_of(dice), world, Storm(world, dice), dice=dice)
    for _ in range(dice.randint(0, 3)):
        verb = dice.choice(["pause", "resume", "cancel", "confirm", "pause", "approve"])
        task = {"task": f"t{dice.randrange(5)}"} if verb in ("pause", "resume", "cancel") and dice.random() < 0.4 else {}
        step = {"step": "gate"} if verb == "approve" else {}
        trial.ask_after(dice.uniform(0, 40), verb, **task, **step)
    _drive(trial, dice)
    return trial


def _drive(trial: Simulated, dice: random.Random) -> None:
    died = False
    going: Any = trial.go
    for _ in range(ROUNDS_MAX):
        try:
            run, died = going(), False
        except Died:
            died = True
        except Rests:
            died = False
        else:
            _check(trial, run)
        now, _ = trial.reopened()
        going = _what_next(trial, now, dice, died=died)
        if going is None:
            return


def _what_next(trial: Simulated, run: Run, dice: random.Random, *, died: bool) -> Any:
    if died:
        resume = dice.random() < 0.5
        return lambda: trial.recover(resume=resume)
    asks = [(verb, data) for verb, data in _ASKS if _may(run, verb, data)]
    if run.over and (not asks or dice.random() < 0.5):
        return None
    if not asks:
        return lambda: trial.recover(resume=dice.random() < 0.5)
    verb, data = dice.choice(asks)
    return lambda: trial.command(verb, **data)


_ASKS: Final[Sequence[tuple[str, dict[str, Any]]]] = (
    ("resume", {}),
    ("rollback", {}),
    ("retry", {"from": "checkpoint"}),
    ("retry", {"from": "scratch"}),
    ("cancel", {}),
    ("approve", {"step": "gate"}),
    *(("rollback", {"task": f"t{number}"}) for number in range(2)),
    *(("resume", {"task": f"t{number}"}) for number in range(5)),
)


def _may(run: Run, verb: str, data: dict[str, Any]) -> bool:
    if run.ending == "unchanged" and verb == "rollback":
        return False
    return refusal(run, verb, data) is None


# -- what must hold


def _check(trial: Simulated, run: Run) -> None:
    for wrong in _wrongs(trial, run):
        raise Wrong(wrong)


def _wrongs(trial: Simulated, run: Run) -> Iterator[str]:
    if snapshot(trial.reopened()[0]) != snapshot(run):
        yield "a replay gives another run"
    if run.ending not in ("committed", "unchanged", "rolled_back", "partial", "stuck"):
        yield f"it ended {run.ending}"
    states = {task.state for task in run.tasks}
    if run.ending in ("committed", "unchanged") and states != {"completed"}:
        yield f"it is {run.ending}, and tasks are {states}"
    if run.ending == "stuck" and not run.residue:
        yield "it is stuck, and nothing is left behind"
    if run.ending not in ("stuck", "partial") and run.residue:
        yield f"it ended {run.ending}, and something is left behind"
    if run.ending == "rolled_back" and trial.world.cells != WORLD:
        yield f"it was rolled back, and the world is {trial.world.cells}"
    if not run.residue and trial.world.cells != _told(trial.plan, run):
        yield f"the world is {trial.world.cells}, and the run tells {_told(trial.plan, run)}"
    yield from _numbers(trial)


def _told(plan: Plan, run: Run) -> dict[str, str]:
    """The world as the states of the steps tell it."""
    found: dict[str, str | None] = dict(WORLD)
    for step, state in zip(plan.steps, run.steps, strict=True):
        if isinstance(step.operation, Put) and state in ("applied", "unchanged"):
            found[step.operation.key] = step.operation.value
    return {key: value for key, value in found.items() if value is not None}


def _numbers(trial: Simulated) -> Iterator[str]:
    following, tasks = 1, dict[str, int]()
    for document in event_documents(trial.journal, trial.run_id):
        if document["plan_seq"] != following:
            yield f"event {document['plan_seq']} comes where {following} should"
        following += 1
        task = document.get("task")
        if task is not None:
            tasks[task] = tasks.get(task, 0) + 1
            if document["task_seq"] != tasks[task]:
                yield f"event {document['task_seq']} of {task} comes where {tasks[task]} should"


def log_of(trial: Trial) -> bytes:
    """Everything that happened, as bytes."""
    return b"\n".join(msgspec.json.encode(document) for document in event_documents(trial.journal, trial.run_id))


@dataclass
class Tally:
    lives: int = 0
    events: int = 0
    bad: list[str] = field(default_factory=list)


def simulate(seeds: Sequence[int]) -> Tally:
    tally = Tally()
    for seed in seeds:
        tally.lives += 1
        try:
            tally.events += live(seed).journal.last_seq()
        except Exception as error:  # whatever goes wrong is a finding, told with its seed
            tally.bad.append(f"seed {seed}: {type(error).__name__}: {error}")
    return tally


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="simulate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=50_000, help="how many roll-outs")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--log", action="store_true", help="print the events of the first seed, and do nothing else")
    options = parser.parse_args(arguments)
    if options.log:
        sys.stdout.buffer.write(log_of(live(options.first)) + b"\n")
        return 0
    tally = simulate(range(options.first, options.first + options.seeds))
    for line in tally.bad[:20]:
        sys.stdout.write(f"BAD  {line}\n")
    sys.stdout.write(f"{tally.lives} roll-outs, {tally.events} events, {len(tally.bad)} bad\n")
    return 1 if tally.bad else 0


if __name__ == "__main__":
    sys.exit(main())
