"""The order of a plan: needs and claims become one integer-indexed graph.

First the explicit order (needs, stages, tasks) gives every step a place; then the claims add edges forward along
that order, so they can never close a cycle:

- a step that works inside a path waits for the earlier step that makes it;
- readers and writers of one resource keep their order; a claim `beneath` a path meets everything below it;
- two writers of one resource must be ordered by the author: a problem otherwise, because nobody could guess.

Stages and tasks are not edges between steps here - that would be quadratic - but barriers which the scheduler keeps.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from holdfast.core.errors import PlanError, Problem

if TYPE_CHECKING:
    from holdfast.core.change import Claim
    from holdfast.core.plan import Step, Task


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
    places = [(t, s) for t, task in enumerate(tasks) for s, stage in enumerate(task.stages) for _ in stage.steps]
    before: list[set[int]] = [{positions[need] for need in step.needs} for step in steps]
    rooms = _Rooms(tasks)
    order = _sorted_or_cycle(steps, before, rooms)
    _add_claims(steps, before, order, rooms, places)
    feeds: list[list[int]] = [[] for _ in steps]
    for number in order:
        for need in before[number]:
            feeds[need].append(number)
    return Graph(
        needs=tuple(tuple(sorted(needs)) for needs in before),
        feeds=tuple(tuple(feed) for feed in feeds),
        order=tuple(order),
        positions=positions,
        task_of=tuple(t for t, _ in places),
        stage_of=tuple(s for _, s in places),
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
        self._ordered: dict[int, set[int]] = {}

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
        found = self._ordered.get(task)
        if found is None:
            found = self._ordered[task] = set()
            for need in self.tasks[task].needs:
                other = self.names[need]
                found |= {other} | self.tasks_before(other)
        return found


def _sorted_or_cycle(steps: Sequence[Step], before: list[set[int]], rooms: _Rooms) -> list[int]:
    """Kahn's algorithm, smallest number first, so that the document's order is kept wherever it may be."""
    waits = [0] * rooms.total
    feeds: list[list[int]] = [[] for _ in range(rooms.total)]
    for number, needs in enumerate(before):
        waits[number] += len(needs)
        for need in needs:
            feeds[need].append(number)
    for first, second in rooms.edges():
        feeds[first].append(second)
        waits[second] += 1
    ready = [node for node in range(rooms.total) if not waits[node]]
    heapify(ready)
    order: list[int] = []
    done = 0
    while ready:
        node = heappop(ready)
        done += 1
        if node < rooms.count:
            order.append(node)
        for follower in feeds[node]:
            waits[follower] -= 1
            if not waits[follower]:
                heappush(ready, follower)
    if done < rooms.total:
        raise PlanError([_cycle_problem(steps, feeds, waits, rooms)])
    return order


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
    way = [*path[seen[node] :], node]  # each is preceded by the next
    names = [name for name in (_name_of(n, steps, rooms) for n in way) if name]
    names = [name for i, name in enumerate(names) if i == 0 or names[i - 1] != name]
    if names[0] != names[-1]:
        names.append(names[0])
    first = next((steps[n].id for n in way if n < rooms.count), None)
    return Problem(code="cycle", message="the order has a cycle: " + " needs ".join(f"`{n}`" for n in names), step=first)


def _name_of(node: int, steps: Sequence[Step], rooms: _Rooms) -> str:
    if node < rooms.count:
        return steps[node].id
    for t in range(len(rooms.tasks) - 1, -1, -1):
        if node >= rooms.doors[t]:
            return f"task {rooms.tasks[t].name}"
    return ""


class _Places:
    """Where each key was last written and read, along the order; and which keys lie beneath which."""

    def __init__(self) -> None:
        self.writer: dict[tuple[str, str], int] = {}
        self.readers: dict[tuple[str, str], list[int]] = {}
        self.deep: dict[tuple[str, str], list[tuple[int, bool]]] = {}  # claims `beneath` a key: (step, writes)
        self.shared: set[tuple[str, str]] = set()  # keys whose last writer only makes them if they are missing
        self._above: dict[str, tuple[str, ...]] = {}

    def above(self, key: str) -> tuple[str, ...]:
        """Every strict ancestor of a path-like key, the nearest first."""
        cut = key.rfind("/")
        if cut < 0 or key == "/":
            return ()
        parent = key[:cut] or "/"
        known = self._above.get(parent)
        if known is None:
            known = self._above[parent] = (parent, *self.above(parent))
        return known


def _add_claims(
    steps: Sequence[Step], before: list[set[int]], order: list[int], rooms: _Rooms, places: list[tuple[int, int]]
) -> None:
    ranks = [0] * len(steps)
    for rank, number in enumerate(order):
        ranks[number] = rank
    claims = [tuple(step.operation.claims()) for step in steps]
    below = _Below(steps, claims, ranks)
    seen = _Places()
    problems: list[Problem] = []
    for number in order:
        for claim in claims[number]:
            where = (claim.target or steps[number].target, claim.key)
            rival = _follow(seen, before[number], where, claim, number)
            if rival is not None and not _ordered(rival, number, before, rooms, places):
                problems.append(_two_writers(steps, rival, number, where))
            if claim.beneath:
                before[number].update(below.earlier(where, claim.writes, ranks[number]))
        for claim in claims[number]:
            _enter(seen, (claim.target or steps[number].target, claim.key), claim, number)
        before[number].discard(number)
    if problems:
        raise PlanError(problems)


def _follow(seen: _Places, needs: set[int], where: tuple[str, str], claim: Claim, number: int) -> int | None:
    """Add the steps this claim must wait for; returns an earlier writer of the same key if this one writes too."""
    target, key = where
    for parent in seen.above(key):
        writer = seen.writer.get((target, parent))
        if writer is not None:
            needs.add(writer)
        for step, writes in seen.deep.get((target, parent), ()):
            if writes or claim.writes:
                needs.add(step)
    writer = seen.writer.get(where)
    if not claim.writes:
        if writer is not None:
            needs.add(writer)
        return None
    needs.update(seen.readers.get(where, ()))
    if writer is not None and (claim.shared or where in seen.shared):
        needs.add(writer)
        return None
    return writer if writer != number else None


def _enter(seen: _Places, where: tuple[str, str], claim: Claim, number: int) -> None:
    if claim.writes:
        seen.writer[where] = number
        seen.readers.pop(where, None)
        (seen.shared.add if claim.shared else seen.shared.discard)(where)
    else:
        seen.readers.setdefault(where, []).append(number)
    if claim.beneath:
        seen.deep.setdefault(where, []).append((number, claim.writes))


class _Below:
    """Which claims lie beneath a key; sorted once, and only when some claim reaches beneath."""

    def __init__(self, steps: Sequence[Step], claims: Sequence[Sequence[Claim]], ranks: list[int]) -> None:
        self.keys: list[tuple[str, str]] = []
        self.entries: list[tuple[tuple[str, str], int, int, bool]] = []
        if any(claim.beneath for found in claims for claim in found):
            self.entries = sorted(
                ((claim.target or steps[number].target, claim.key), ranks[number], number, claim.writes)
                for number, found in enumerate(claims)
                for claim in found
            )
            self.keys = [entry[0] for entry in self.entries]

    def earlier(self, where: tuple[str, str], writes: bool, rank: int) -> Iterator[int]:
        target, key = where
        prefix = key if key.endswith("/") else key + "/"
        for at in range(bisect_left(self.keys, (target, prefix)), len(self.entries)):
            (other, name), place, number, wrote = self.entries[at]
            if other != target or not name.startswith(prefix):
                break
            if place < rank and (writes or wrote):
                yield number


def _ordered(first: int, second: int, before: list[set[int]], rooms: _Rooms, places: list[tuple[int, int]]) -> bool:
    """Is there an explicit order between two writers: through stages, tasks or needs?"""
    (t1, s1), (t2, s2) = places[first], places[second]
    if (t1 == t2 and s1 < s2) or t1 in rooms.tasks_before(t2):
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


def _two_writers(steps: Sequence[Step], first: int, second: int, where: tuple[str, str]) -> Problem:
    one, other = steps[first].id, steps[second].id
    return Problem(
        code="two_writers",
        message=f"`{one}` and `{other}` both write {where[0]}:{where[1]} without an order between them",
        hint=f"put them into stages that follow each other, or add `needs: [{one}]` to `{other}`",
        step=other,
    )
