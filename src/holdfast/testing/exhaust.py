"""Every short plan: all sequences of up to three operations over a small alphabet, crashed at each boundary, in memory.

`python -m holdfast.testing.exhaust` makes each sequence a plan, lets the process "die" before its n-th write - to the
world or to the journal -, recovers with a new engine over what was left, and compares: the old world or the new one,
and the journal says which. Plans that are refused touch nothing, which is checked as well.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from holdfast.app.engine import Holdfast
from holdfast.app.home import Home
from holdfast.app.parts import Parts
from holdfast.app.wiring import TARGETS, Wiring
from holdfast.core.change import Look, State
from holdfast.core.errors import PlanError
from holdfast.core.plan import Plan
from holdfast.drivers.contract import Batch, Driver, Move, Outcome
from holdfast.drivers.files.memory import Memory
from holdfast.journal.memory import MemoryJournal
from holdfast.planfile import parse
from holdfast.testing.faulty import Died

Operation = Mapping[str, Any]

# Few paths, so that operations meet: each may make, change, replace, move or remove what another one left.
ALPHABET: Final[Sequence[Operation]] = (
    {"dir": "/d"},
    {"file": "/f", "content": "one"},
    {"file": "/f", "content": "two", "mode": "0600"},
    {"file": "/d/f", "content": "inside"},
    {"link": "/l", "to": "/f"},
    {"link": "/f", "to": "/d", "dangling": True, "on_conflict": "overwrite"},
    {"move": "/f", "to": "/g"},
    {"move": "/d", "to": "/e"},
    {"copy": "/d", "to": "/c"},
    {"remove": "/f", "missing_ok": True},
    {"remove": "/d", "recursive": True, "missing_ok": True},
    {"attributes": "/f", "mode": "0444"},
    {"edit": "/f", "line": "added"},
)

# The worlds each plan is tried on: nothing, and something everywhere.
WORLDS: Final[Sequence[Sequence[Operation]]] = (
    (),
    ({"dir": "/d"}, {"file": "/d/x", "content": "x"}, {"file": "/f", "content": "old"}),
)


class Boundary:
    def __init__(self, die_at: int | None) -> None:
        self.count = 0
        self.die_at = die_at

    def cross(self) -> None:
        self.count += 1
        if self.count == self.die_at:
            raise Died


class Crossing:
    """A driver with a boundary before and after every single move."""

    def __init__(self, inner: Driver, boundary: Boundary) -> None:
        self._inner = inner
        self._boundary = boundary

    async def inspect(self, looks: Sequence[Look]) -> Mapping[str, State]:
        return await self._inner.inspect(looks)

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        outcomes: list[Outcome] = []
        for move in batch.moves:
            self._boundary.cross()
            outcomes += await self._inner.apply(Batch((Move(move.id, move.change, move.undo),), batch.keep_going))
            self._boundary.cross()
        return outcomes

    async def settle(self, moves: Sequence[Move]) -> None:
        self._boundary.cross()
        await self._inner.settle(moves)

    async def close(self) -> None:
        await self._inner.close()


class CrossingJournal(MemoryJournal):
    """A journal with a boundary around every append."""

    boundary = Boundary(None)

    def append(self, run: str | None, events: Any, **options: Any) -> Any:
        self.boundary.cross()
        receipt = super().append(run, events, **options)
        self.boundary.cross()
        return receipt

    def close(self) -> None:
        """It outlives the engine that used it, as a file would."""


@dataclass
class Count:
    plans: int = 0
    refused: int = 0
    trials: int = 0
    bad: list[str] = field(default_factory=list)


def plan_of(operations: Sequence[Operation]) -> Plan | None:
    """One operation after the other; None where it is no plan at all."""
    stages = [{"name": f"s{number}", "steps": [dict(operation)]} for number, operation in enumerate(operations)]
    try:
        return parse({"holdfast": 1, "name": "short", "on": "memory", "stages": stages})
    except PlanError:
        return None


def engine_on(world: Memory, journal: CrossingJournal, boundary: Boundary, state: str) -> Holdfast:
    targets = {**TARGETS, "memory": {**TARGETS["memory"], "files": lambda *_: Crossing(world, boundary)}}
    home = Home(state)
    journal.boundary = boundary
    return Holdfast(Parts(home, journal, Wiring(home, targets=targets)))


def sequences(length: int) -> Iterator[Sequence[Operation]]:
    for count in range(1, length + 1):
        yield from itertools.product(ALPHABET, repeat=count)


def try_plan(plan: Plan, start: Memory, state: str, count: Count, label: str) -> None:
    """Undisturbed once, to know both worlds and the boundaries; then once for each boundary."""
    world, boundary = start.copy(), Boundary(None)
    with engine_on(world, CrossingJournal(), boundary, state) as engine:
        ending = engine.apply(plan).ending
    old, new = start.manifest(), world.manifest()
    count.plans += 1
    if ending not in ("committed", "unchanged"):
        count.refused += 1
        if new != old:
            count.bad.append(f"{label}: ended {ending}, and the world is another one")
        return
    for point in range(1, boundary.count + 1):
        _die_and_recover(plan, start, state, count, f"{label}, died at {point}/{boundary.count}", point, new)


def _die_and_recover(plan: Plan, start: Memory, state: str, count: Count, label: str, point: int, new: Any) -> None:
    world, journal = start.copy(), CrossingJournal()
    engine = engine_on(world, journal, Boundary(point), state)
    try:
        engine.apply(plan)
    except Died:
        engine.parts.owner.close()  # the kernel frees the lock of a dead process
    with engine_on(world, journal, Boundary(None), state) as engine:
        engine.recover()
        rows = journal.runs(limit=1)
    ending = rows[0].ending if rows else None
    expected = new if ending in ("committed", "unchanged") else start.manifest()
    count.trials += 1
    if world.manifest() != expected or ending not in (None, "committed", "unchanged", "rolled_back"):
        count.bad.append(f"{label}: ended {ending}, which is not what the world looks like")


def run(length: int, stride: int = 1) -> Count:
    count = Count()
    with tempfile.TemporaryDirectory(prefix="holdfast-exhaust-") as state:
        for number, before in enumerate(WORLDS):
            start = Memory()
            made = plan_of(before) if before else None
            if made is not None:
                with engine_on(start, CrossingJournal(), Boundary(None), state) as engine:
                    engine.apply(made)
            for operations in itertools.islice(sequences(length), 0, None, stride):
                plan = plan_of(operations)
                if plan is not None:
                    try_plan(
                        plan, start, state, count, f"world {number}, {' + '.join(next(iter(o.items()))[0] for o in operations)}"
                    )
    return count


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="exhaust", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--length", type=int, default=3, help="operations in a sequence, at the most")
    parser.add_argument("--stride", type=int, default=1, help="try every n-th sequence only")
    options = parser.parse_args(arguments)
    count = run(options.length, options.stride)
    for line in count.bad[:20]:
        sys.stdout.write(f"BAD  {line}\n")
    sys.stdout.write(
        f"{count.plans} plans ({count.refused} refused), {count.trials} crashes, {len(count.bad)} neither old nor new\n"
    )
    return 1 if count.bad else 0


if __name__ == "__main__":
    sys.exit(main())
