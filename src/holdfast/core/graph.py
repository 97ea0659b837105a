"""The order of a plan: needs and claims become one integer-indexed graph.

First the explicit order (needs, stages, tasks) gives every step a place, and within it what an operation heeds: in
its stage it comes after the steps that write this, wherever they stand. Then the claims add edges forward along that
order, so they can never close a cycle:

- a step that works inside a path waits for the earlier step that makes it;
- readers and writers of one resource keep their order; a claim `beneath` a path meets everything below it;
- two writers of one resource must be ordered by the author: a problem otherwise, because nobody could guess.

Stages and tasks are not edges between steps here - that would be quadratic - but barriers which the scheduler keeps.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from holdfast.core.change import Claim
from holdfast.core.errors import PlanError, Problem
from holdfast.core.task import Step, Task

Where = tuple[str, str]  # target, key
Claims = Sequence[tuple[Where, Claim]]  # of one step


@dataclass(frozen=True, slots=True)
class Graph:
    needs: tuple[tuple[int, ...], ...]  # by step: the steps that come first
    feeds: tuple[tuple[int, ...], ...]  # by step: the steps that wait for it
    order: tuple[int, ...]  # one valid order, the document's as far as possible
    positions: dict[str, int]  # step id -> number
    task_of: tuple[int, ...]
    stage_of: tuple[int, ...]  # number of the stage within its task


def build(tasks: Sequence[Task]) -> Graph:
    steps = [step for task in tasks for stage in task.stages for step in stage.steps]
    positions = {step.id: number for number, step in enumerate(steps)}
    task_of = [t for t, task in enumerate(tasks) for stage in task.stages for _ in stage.steps]
    stage_of = [s for task in tasks for s, stage in enumerate(task.stages) for _ in stage.steps]
    before = [[positions[need] for need in step.needs] for step in steps]
    claims: list[Claims] = [
        [((claim.target or step.target, claim.key), claim) for claim in step.operation.claims()] for step in steps
    ]
    wishes = _wishes(steps, claims, list(zip(task_of, stage_of, strict=True)))
    rooms = _Rooms(tasks)
    looks_back = _looks_back_only(before, rooms) and all(first < second for first, second in wishes)
    order = list(range(len(steps))) if looks_back else _sorted_or_cycle(steps, before, wishes, rooms)
    _grant(wishes, before, order)
    _add_claims(steps, claims, before, order, rooms, (task_of, stage_of))
    needs = [tuple(sorted(set(wanted))) if len(wanted) > 1 else tuple(wanted) for wanted in before]
    feeds: list[list[int]] = [[] for _ in steps]
    for number in order:
        for need in needs[number]:
            feeds[need].append(number)
    return Graph(
        needs=tuple(needs),
        feeds=tuple(map(tuple, feeds)),
        order=tuple(order),
        positions=positions,
        task_of=tuple(task_of),
        stage_of=tuple(stage_of),
    )


def _wishes(steps: Sequence[Step], claims: Sequence[Claims], rooms: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Pairs of one stage, whose second heeds what the first writes."""
    heeding: dict[tuple[tuple[int, int], Where], list[int]] = {}
    for number, step in enumerate(steps):
        for key in step.operation.heeds() if hasattr(step.operation, "heeds") else ():
            heeding.setdefault((rooms[number], (step.target, key)), []).append(number)
    written = ((number, where) for number, found in enumerate(claims) for where, claim in found if heeding and claim.writes)
    return [
        (number, other)
        for number, (target, key) in written
        for above in _with_ancestors(key)
        for other in heeding.get((rooms[number], (target, above)), ())
        if other != number
    ]


def _with_ancestors(key: str) -> Iterator[str]:
    while key:
        yield key
        key = key.rpartition("/")[0]


def _grant(wishes: Sequence[tuple[int, int]], before: Sequence[list[int]], order: Sequence[int]) -> None:
    """Every wish that the order fulfils is kept to; one that speaks against a need, or another wish, is not."""
    ranks = {number: rank for rank, number in enumerate(order)} if wishes else {}
    for first, second in wishes:
        if ranks[first] < ranks[second]:
            before[second].append(first)


def _looks_back_only(before: Sequence[list[int]], rooms: _Rooms) -> bool:
    """Does everything need only what stands above it? Then the document's order is the order, and there is no cycle."""
    return all(need < number for number, needs in enumerate(before) for need in needs) and all(
        rooms.names[need] < number for number, task in enumerate(rooms.tasks) for need in task.needs
    )


class _Rooms:
    """Stages and tasks as barrier nodes behind the steps: `door(t, s)` opens when stage s of task t may begin."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = tasks
        self.names = {task.name: number for number, task in enumerate(tasks)}
        self.count = sum(len(stage.steps) for task in tasks for stage in task.stages)
        self.firsts: list[list[int]] = []  # by task and stage: the number of its first step
        number = 0
        for task in tasks:
            self.firsts.append([])
            for stage in task.stages:
                self.firsts[-1].append(number)
                number += len(stage.steps)
        self.doors: list[int] = []  # by task: the barrier of its first stage; one per stage and one at the end
        door = self.count
        for task in tasks:
            self.doors.append(door)
            door += len(task.stages) + 1
        self.total = door
        self._before: dict[int, set[int]] = {}

    def edges(self) -> Iterator[tuple[int, int]]:
        for t, task in enumerate(self.tasks):
            for need in task.needs:
                other = self.names[need]
                yield self.doors[other] + len(self.tasks[other].stages), self.doors[t]
            for s, stage in enumerate(task.stages):
                opened, closed = self.doors[t] + s, self.doors[t] + s + 1
                yield opened, closed
                for step in range(self.firsts[t][s], self.firsts[t][s] + len(stage.steps)):
                    yield opened, step
                    yield step, closed

    def tasks_before(self, task: int) -> set[int]:
        """Every task that this one waits for, directly or not."""
        found = self._before.get(task)
        if found is None:
            found = self._before[task] = set()
            todo = [task]
            while todo:
                needed = {self.names[need] for need in self.tasks[todo.pop()].needs} - found
                found |= needed
                todo += needed
        return found


def _sorted_or_cycle(
    steps: Sequence[Step], before: list[list[int]], wishes: Sequence[tuple[int, int]], rooms: _Rooms
) -> list[int]:
    """Kahn's algorithm, smallest number first, so that the document's order is kept wherever it may be.

    What waits for wishes only is taken when nothing else is left: then they speak against one another.
    """
    waits, feeds = _waiting(before, rooms)
    hopes = [0] * rooms.total
    pleases: dict[int, list[int]] = {}
    for first, second in wishes:
        hopes[second] += 1
        pleases.setdefault(first, []).append(second)
    ready = [node for node in range(rooms.total) if not waits[node] and not hopes[node]]
    hoping = [node for node in range(rooms.total) if not waits[node] and hopes[node]]
    placed: dict[int, None] = {}
    while ready or hoping:
        node = heappop(ready or hoping)
        if node in placed:
            continue
        placed[node] = None
        for follower in feeds[node]:
            waits[follower] -= 1
            if not waits[follower]:
                heappush(hoping if hopes[follower] else ready, follower)
        for follower in pleases.get(node, ()):
            hopes[follower] -= 1
            if not hopes[follower] and not waits[follower]:
                heappush(ready, follower)
    if len(placed) < rooms.total:
        raise PlanError([_cycle_problem(steps, feeds, waits, rooms)])
    return [node for node in placed if node < rooms.count]


def _waiting(before: Sequence[list[int]], rooms: _Rooms) -> tuple[list[int], list[list[int]]]:
    """By node: how many it waits for, and who waits for it."""
    waits = [0] * rooms.total
    feeds: list[list[int]] = [[] for _ in range(rooms.total)]
    for number, needs in enumerate(before):
        waits[number] += len(needs)
        for need in needs:
            feeds[need].append(number)
    for first, second in rooms.edges():
        feeds[first].append(second)
        waits[second] += 1
    return waits, feeds


def _cycle_problem(steps: Sequence[Step], feeds: list[list[int]], waits: list[int], rooms: _Rooms) -> Problem:
    """Walk backwards among the nodes that never became ready until one repeats; the way round is the cycle."""
    stuck = {node for node in range(rooms.total) if waits[node]}
    into: dict[int, int] = {}
    for node in sorted(stuck):
        for follower in feeds[node]:
            if follower in stuck:
                into.setdefault(follower, node)
    node = min(stuck)
    seen: dict[int, int] = {}
    path: list[int] = []
    while node not in seen:
        seen[node] = len(path)
        path.append(node)
        node = into[node]
    way = path[seen[node] :]  # each is preceded by the next, and the last by the first
    ring = _without_repeats([_name_of(n, steps, rooms) for n in way])
    if len(ring) > 2:  # a step between the two doors of its task explains nothing
        ring = _without_repeats([name for i, name in enumerate(ring) if ring[i - 1] != ring[(i + 1) % len(ring)]])
    first = next((steps[n].id for n in way if n < rooms.count), None)
    return Problem(code="cycle", message="the order has a cycle: " + " needs ".join([*ring, ring[0]]), step=first)


def _without_repeats(ring: Sequence[str]) -> list[str]:
    return [name for i, name in enumerate(ring) if ring[i - 1] != name] or list(ring[:1])


def _name_of(node: int, steps: Sequence[Step], rooms: _Rooms) -> str:
    if node < rooms.count:
        return f"`{steps[node].id}`"
    task = max(t for t in range(len(rooms.tasks)) if node >= rooms.doors[t])
    return f"task `{rooms.tasks[task].name}`"


class _Places:
    """Where each key was last written and read, along the order."""

    def __init__(self, claims: Sequence[Claims]) -> None:
        self.writer: dict[Where, int] = {}
        self.readers: dict[Where, list[int]] = {}
        self.deep: dict[Where, list[tuple[int, bool]]] = {}  # claims `beneath` a key: (step, writes)
        self.shared: set[Where] = set()  # keys whose last writer only makes them if they are missing
        self._matters = {where for found in claims for where, claim in found if claim.writes or claim.beneath}
        self._above: dict[Where, tuple[Where, ...]] = {}

    def above(self, where: Where) -> tuple[Where, ...]:
        """The strict ancestors of a path-like key that some step writes or reaches beneath, the nearest first."""
        target, key = where
        cut = key.rfind("/")
        if cut < 0 or key == "/":
            return ()
        parent = (target, key[:cut] or "/")
        known = self._above.get(parent)
        if known is None:
            further = self.above(parent)
            known = self._above[parent] = (parent, *further) if parent in self._matters else further
        return known


def _add_claims(
    steps: Sequence[Step],
    claims: Sequence[Claims],
    before: list[list[int]],
    order: list[int],
    rooms: _Rooms,
    places: tuple[list[int], list[int]],
) -> None:
    below = _Below(claims, order)
    seen = _Places(claims)
    problems: list[Problem] = []
    for number in order:
        for where, claim in claims[number]:
            rival = _follow(seen, before[number], where, claim)
            if rival is not None and not _ordered(rival, number, before, rooms, places):
                problems.append(_two_writers(steps, rival, number, where))
            if claim.beneath:
                before[number] += below.earlier(where, claim.writes, number)
        for where, claim in claims[number]:
            _enter(seen, where, claim, number)
    if problems:
        raise PlanError(problems)


def _follow(seen: _Places, needs: list[int], where: Where, claim: Claim) -> int | None:
    """Add the steps this claim must wait for; returns an earlier writer of the same key if this one writes too."""
    for parent in seen.above(where):
        if parent in seen.writer:
            needs.append(seen.writer[parent])
        for step, writes in seen.deep.get(parent, ()):
            if writes or claim.writes:
                needs.append(step)
    writer = seen.writer.get(where)
    if not claim.writes:
        if writer is not None:
            needs.append(writer)
        return None
    if where in seen.readers:
        needs += seen.readers[where]
    if writer is not None and (claim.shared or where in seen.shared):
        needs.append(writer)
        return None
    return writer


def _enter(seen: _Places, where: Where, claim: Claim, number: int) -> None:
    if claim.writes:
        seen.writer[where] = number
        seen.readers.pop(where, None)
        (seen.shared.add if claim.shared else seen.shared.discard)(where)
    elif where in seen.readers:
        seen.readers[where].append(number)
    else:
        seen.readers[where] = [number]
    if claim.beneath:
        seen.deep.setdefault(where, []).append((number, claim.writes))


class _Below:
    """Which claims lie beneath a key; sorted once, and only when some claim reaches beneath."""

    def __init__(self, claims: Sequence[Claims], order: Sequence[int]) -> None:
        self.entries: list[tuple[Where, int, bool]] = []
        self.keys: list[Where] = []
        self.ranks: dict[int, int] = {}
        if any(claim.beneath for found in claims for _, claim in found):
            self.entries = sorted(
                (where, number, claim.writes) for number, found in enumerate(claims) for where, claim in found
            )
            self.keys = [entry[0] for entry in self.entries]
            self.ranks = {number: rank for rank, number in enumerate(order)}

    def earlier(self, where: Where, writes: bool, number: int) -> Iterator[int]:
        target, key = where
        prefix = key if key.endswith("/") else key + "/"
        for at in range(bisect_left(self.keys, (target, prefix)), len(self.entries)):
            (other, name), rival, wrote = self.entries[at]
            if other != target or not name.startswith(prefix):
                break
            if (writes or wrote) and self.ranks[rival] < self.ranks[number]:
                yield rival


def _ordered(first: int, second: int, before: Sequence[list[int]], rooms: _Rooms, places: tuple[list[int], list[int]]) -> bool:
    """Is there an explicit order between two writers: through stages, tasks or needs?"""
    task_of, stage_of = places
    one, other = task_of[first], task_of[second]
    if (one == other and stage_of[first] < stage_of[second]) or one in rooms.tasks_before(other):
        return True
    todo, seen = [second], {second}
    while todo:
        for need in before[todo.pop()]:
            if need == first:
                return True
            if need not in seen:
                seen.add(need)
                todo.append(need)
    return False


def _two_writers(steps: Sequence[Step], first: int, second: int, where: Where) -> Problem:
    one, other = steps[first].id, steps[second].id
    return Problem(
        code="two_writers",
        message=f"`{one}` and `{other}` both write {where[0]}:{where[1]} without an order between them",
        hint=f"put them into stages that follow each other, or add `needs: [{one}]` to `{other}`",
        step=other,
    )
