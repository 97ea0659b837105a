"""Rehearsing a plan: the inspected world is copied into memory, and the plan fails there at every step it has.

Each point of a rehearsal is one move and one moment: it fails before it did anything; the process dies with it, and
another one recovers; it fails after it did everything. A point counts when the copy is afterwards what it was before.
Nothing outside memory is touched, and no command is run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, NamedTuple

from holdfast.app.apply import Session, reopen
from holdfast.app.plans.preview import Preview
from holdfast.app.use import Use
from holdfast.core.change import Depth, Effect, Guarantee
from holdfast.core.errors import Bug, Failure, Problem
from holdfast.core.events import Event
from holdfast.core.evolve import evolve
from holdfast.core.plan import Plan
from holdfast.core.predict import Seen
from holdfast.core.result import accepted_residue
from holdfast.core.run import Run
from holdfast.core.stimuli import Began, Recovered
from holdfast.drivers.contract import Driver
from holdfast.drivers.files.memory import Memory
from holdfast.drivers.http.memory import MemoryRest
from holdfast.drivers.opnsense.memory import MemoryAppliance
from holdfast.drivers.probe.memory import MemoryProbes
from holdfast.drivers.process.memory import MemoryProcesses
from holdfast.drivers.service.memory import MemoryServices
from holdfast.drivers.wrappers import Died, Faulty, Moment
from holdfast.journal.memory import MemoryJournal
from holdfast.kinds.content import Content
from holdfast.kinds.document import Document
from holdfast.kinds.node import ABSENT, Node
from holdfast.runtime.book import Book, Entry, entries_of, prepared_events
from holdfast.runtime.crew import Inline
from holdfast.runtime.executor import drive
from holdfast.runtime.fleet import DriverFleet, Make
from holdfast.runtime.perform import Performer
from holdfast.runtime.prepare import Prepared

POINTS_MAX: Final = 300
MOVES_MAX: Final = 1_000_000  # over all points together; a larger plan is rehearsed at fewer of them
RUN: Final = "REHEARSAL"
_FAILURE: Final = Failure(code="io_error", message="this failure was rehearsed", hint="nothing really happened")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    plan: str
    points: int  # rehearsed
    possible: int  # there would have been
    exact: int  # after which everything was as before
    residue: Sequence[Mapping[str, Any]]
    irreversible: Sequence[str]
    problems: Sequence[Problem] = ()  # why there was nothing to rehearse

    @property
    def coverage(self) -> float:
        """In per cent."""
        return round(100 * self.exact / self.points, 2) if self.points else 100.0

    def plain(self) -> dict[str, Any]:
        return {
            "plan": self.plan,
            "coverage": self.coverage,
            "points": self.points,
            "points_possible": self.possible,
            "residue": list(self.residue),
            "irreversible": list(self.irreversible),
            "problems": [problem.plain() for problem in self.problems],
        }


_UNREPORTED: Final = (
    "it is not what it was before, and no step reported it",
    "do not apply the plan; please report this",
)
_IRREVERSIBLE: Final = (
    "it failed after it had begun, and it cannot be undone",
    "take back by hand what it did; give the step an `undo` next time",
)
_ACCEPTED: Final = (
    "it failed after it had begun, and the plan accepts that it cannot be undone",
    "nothing, unless half of its effect is not wanted",
)


class Point(NamedTuple):
    step: int
    move: str
    moment: Moment


def rehearsing(plan: Plan, points_max: int = POINTS_MAX) -> Use[Rehearsal]:
    async def do(session: Session) -> Rehearsal:
        digest, prepared = await session.prepare()
        preview = Preview(plan, digest, prepared)
        irreversible = tuple(preview.irreversible)
        if preview.problems:
            return Rehearsal(
                plan=plan.name, points=0, possible=0, exact=0, residue=(), irreversible=irreversible, problems=preview.problems
            )
        return await _rehearse(Play(plan, prepared), irreversible, points_max)

    return plan, do


async def _rehearse(play: Play, irreversible: Sequence[str], points_max: int) -> Rehearsal:
    possible = list(play.points())
    chosen = _sampled(possible, min(points_max, max(1, 3 * MOVES_MAX // (len(possible) or 1))))
    problems = await play.whole()
    exact = 0
    residue: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    for point in () if problems else chosen:
        found = await play.fail(point)
        exact += not found
        residue.update(((each["step"], each["resource"], each["reason"]), each) for each in found)
    return Rehearsal(
        plan=play.plan.name,
        points=0 if problems else len(chosen),
        possible=len(possible),
        exact=exact,
        residue=tuple(residue.values()),
        irreversible=irreversible,
        problems=problems,
    )


def _sampled(points: Sequence[Point], count: int) -> Sequence[Point]:
    """At most so many, evenly spread over the plan."""
    if len(points) <= count:
        return points
    return [points[number * len(points) // count] for number in range(count)]


# -- the copied world


class Scene:
    """One target in memory."""

    def __init__(
        self,
        target: str,
        files: Memory,
        so: frozenset[str],
        documents: Mapping[str, Document],
        appliance: MemoryAppliance | None = None,
    ) -> None:
        self.target = target
        self.files = files
        self.services = MemoryServices(documents)
        self.rest = MemoryRest(documents)
        self.appliance = appliance  # its objects take the place of files
        self.so = so  # the checks that say yes
        self.processes = MemoryProcesses(so)

    def copy(self) -> Scene:
        appliance = self.appliance.copy() if self.appliance else None
        return Scene(self.target, self.files.copy(), self.so, self.services.documents | self.rest.documents, appliance)

    def drivers(self) -> dict[tuple[str, str], Driver]:
        found: dict[str, Driver] = {
            "files": self.files,
            "process": self.processes,
            "probe": MemoryProbes(),
            "service": self.services,
            "http": self.rest,
        }
        if self.appliance is not None:
            found |= {"opnsense": self.appliance, "files": self.appliance}
        return {(self.target, family): driver for family, driver in found.items()}

    def manifest(self) -> dict[str, Any]:
        """Everything there is, and every effect that was not taken back."""
        held = {**self.rest.documents, **self.services.documents}
        documents = {key: document.values for key, document in held.items()}
        objects = self.appliance.manifest() if self.appliance else {}
        return {**objects, **self.files.manifest(), **dict.fromkeys(self.processes.in_effect, True), **documents}


class Play:
    """A plan over the world as it was inspected; each performance has a copy of its own."""

    def __init__(self, plan: Plan, prepared: Prepared) -> None:
        self.plan = plan
        self._policy = replace(plan.policy, on_failure="rollback", scope="plan", timeout=None, confirm_within=None)
        self._secrets: dict[str, Node] = {}
        self._entries = [self._unsealed(entry) for entry in entries_of(plan, prepared.prediction)]
        self._first = prepared_events(plan, prepared.prediction)
        self._scenes = [self._scene(target, prepared.seen) for target in _targets(prepared.seen)]
        self._copies: dict[str, Scene] = {}

    def points(self) -> Iterator[Point]:
        book = Book(RUN, self._entries)
        for step in self.plan.graph.order:
            for move in book.moves(step, undo=False):
                for moment in Moment:
                    yield Point(step, move.id, moment)

    async def whole(self) -> tuple[Problem, ...]:
        """Without any failure: what would keep the plan from being rehearsed at all?"""
        run, _ = await self._perform(None)
        if run.ending in ("committed", "unchanged"):
            return ()
        error = run.error or {}
        message = f"even without a failure it does not get through the rehearsal: {error.get('message', run.ending)}"
        return (Problem(code=error.get("code", "bug"), message=message, step=error.get("step")),)

    async def fail(self, point: Point) -> list[Mapping[str, Any]]:
        """Fail at the point and go back; returns what is left then."""
        before = {scene.target: scene.manifest() for scene in self._scenes}
        run, struck = await self._perform(point)
        if not struck:
            raise Bug(f"the rehearsal never came to {point}")
        left = [*run.residue.values(), *accepted_residue(run)]
        if not left:
            left = [
                row
                for target, copy in self._copies.items()
                for row in self._left(self._why(run, point), target, before[target], copy.manifest())
            ]
        return left

    def _why(self, run: Run, point: Point) -> Mapping[str, Any]:
        """What to say about what is left where the step of this point failed."""
        reason, advice = _UNREPORTED
        if run.guarantees.get(point.step) is Guarantee.IRREVERSIBLE:
            reason, advice = _ACCEPTED if point.step in run.accepted else _IRREVERSIBLE
        return {"step": self.plan.steps[point.step].id, "reason": reason, "what_to_do": advice, "kept": ""}

    def _left(
        self, why: Mapping[str, Any], target: str, before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> Iterator[Mapping[str, Any]]:
        """What is not as it was, though nothing said so."""
        for key in sorted({*before, *after}):
            if before.get(key) != after.get(key):
                yield {"step": why["step"], "resource": f"{target}:{key}", **why}

    # -- a performance

    async def _perform(self, point: Point | None) -> tuple[Run, bool]:
        """One run in memory, with another process that recovers it where the first one dies."""
        self._copies = {scene.target: scene.copy() for scene in self._scenes}
        drivers = {place: driver for copy in self._copies.values() for place, driver in copy.drivers().items()}
        faulty = None
        if point is not None:
            step = self.plan.steps[point.step]
            place = (step.target, step.operation.family)
            deadly = point.moment is Moment.DURING
            faulty = Faulty(drivers[place], point.move, point.moment, deadly=deadly, failure=_FAILURE)
            drivers[place] = faulty
        run = await self._run(DriverFleet({place: _given(driver) for place, driver in drivers.items()}))
        return run, faulty is not None and faulty.struck is not None

    async def _run(self, fleet: DriverFleet) -> Run:
        journal = MemoryJournal()
        run = Run.of(RUN, self.plan, self._policy)
        run.retries = {}
        created = Event("run.created", {"plan": self.plan.name, "outline": run.outline, "policy": asdict(self._policy)})
        for event in (created, *self._first):
            evolve(run, event)
        journal.append(RUN, [created, *self._first], at=0.0)
        try:
            await self._drive(run, Book(RUN, self._entries), Began(0.0), journal, fleet)
        except Died:
            row = journal.run(RUN)
            assert row is not None
            run, book = reopen(journal, row, self.plan)
            run.retries = {}
            await self._drive(run, book, Recovered(0.0, False, "another"), journal, fleet)
        return run

    async def _drive(
        self, run: Run, book: Book, stimulus: Began | Recovered, journal: MemoryJournal, fleet: DriverFleet
    ) -> None:
        crew = Inline(Performer(self.plan, book, fleet, keep_going=False), _Still(), lambda: ())
        await drive(run, stimulus, journal=journal, crew=crew, clock=_Still(), watch=lambda run, events: None)

    # -- what it is made of

    def _scene(self, target: str, seen: Seen) -> Scene:
        states = {resource.key: state for resource, (_, state) in seen.items() if resource.target == target}
        so = frozenset(key for key, state in states.items() if isinstance(state, Effect) and state.done)
        documents = {key: state for key, state in states.items() if isinstance(state, Document)}
        files = Memory.from_nodes(states, source=self._source)
        is_appliance = "opnsense" in self.plan.targets.get(target, {})
        return Scene(target, files, so, documents, MemoryAppliance.seen(states.items()) if is_appliance else None)

    def _source(self, path: str) -> Node:
        """A file where Holdfast runs: in the copy of this performance, for it may have been made by an earlier step."""
        found = self._secrets.get(path) or self._copies["local"].files.look(path, Depth.CONTENT)
        return found if isinstance(found, Node) else ABSENT

    def _unsealed(self, entry: Entry) -> Entry:
        """A secret is not resolved here; something of its size and digest stands for it."""
        means = entry.change.means
        if not isinstance(means, Content) or means.secret is None:
            return entry
        path = f"@secret/{means.secret}"
        self._secrets[path] = Node("file", digest=means.digest, size=means.size)
        return entry._replace(change=entry.change._replace(means=means._replace(secret=None, path=path)))


class _Still:
    """No time passes in a rehearsal."""

    def now(self) -> float:
        return 0.0

    def monotonic(self) -> float:
        return 0.0

    def pause(self, seconds: float) -> None:
        raise Bug("a rehearsal waits for nothing")


def _targets(seen: Seen) -> list[str]:
    return sorted({resource.target for resource in seen} | {"local"})


def _given(driver: Driver) -> Make:
    return lambda: driver
