"""The engine: every use case, once. `Engine` is for programs with an event loop, `Holdfast` is the same without one.

What an engine is made of is injected (`Parts`); there is no module-level state. Results are returned for every ending;
only what is not an ending is raised: an invalid plan, an unknown name, a command in the wrong state, failed storage.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from holdfast.app import apply
from holdfast.app.apply import Session, Waiting, Wishes, with_policy
from holdfast.app.home import Home
from holdfast.app.looking import runs
from holdfast.app.looking.reading import EVENT_POLL_S, RESTING, Reading, home_of
from holdfast.app.parts import Parts, who
from holdfast.app.plans.preview import Preview, SavedPlan
from holdfast.app.use import Use, Work
from holdfast.app.wiring import Wiring, needs_loop
from holdfast.core.errors import Refused
from holdfast.core.plan import Plan
from holdfast.core.result import Result
from holdfast.journal import queue
from holdfast.journal.contract import Journal, RunRow
from holdfast.runtime.crew import run_to_end

if TYPE_CHECKING:
    from logging import Logger

    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Tracer

    from holdfast.app.keeping.checkpoints import Checkpoint
    from holdfast.app.looking.following import Following
    from holdfast.app.plans.rehearse import Rehearsal

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a plan is to be applied, where that differs from what it says itself."""

    source: str | None = None
    parallel: int | None = None
    on_failure: str | None = None
    confirm_within: float | None = None
    expect: str | None = None
    wait: bool = True
    waiting: Waiting | None = None


DEFAULTS = Options()


def open_parts(
    state: str | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    roots: Sequence[str] = (),
    tracer: Tracer | None = None,
    meter: Meter | None = None,
    logger: Logger | None = None,
) -> Parts:
    """The usual parts: a state directory with its SQLite journal, and the drivers of this machine.

    Whoever gives no tracer and no meter is watched only where the variables of OpenTelemetry ask for it.
    """
    from holdfast.journal.sqlite import SqliteJournal

    environment = os.environ if environment is None else environment
    home = home_of(state, environment)
    home.make()
    parts = Parts(home, SqliteJournal.open(home.journal), Wiring(home, roots=roots))
    if any(name.startswith("OTEL_") for name in environment) or (tracer, meter) != (None, None):
        from holdfast.runtime.telemetry import from_environment, watchers

        found = from_environment(environment)
        tracer, meter = tracer or found[0], meter or found[1]
        parts.watchers += watchers(parts.clock, tracer=tracer, meter=meter)
        parts.wiring.hosts.watched = {"tracer": tracer, "meter": meter}
    if logger is not None:
        from holdfast.runtime.logs import LogLines

        parts.watchers.append(LogLines(logger))
    return parts


def looking_parts(
    state: str | None = None,
    *,
    remembering: bool = False,
    environment: Mapping[str, str] | None = None,
    roots: Sequence[str] = (),
) -> Parts:
    """Parts that write nothing: enough to plan and to rehearse; and, `remembering`, to compare with what was recorded."""
    home = home_of(state, environment)
    return Parts(home, _remembered(home) if remembering else _blank(), Wiring(home, roots=roots))


def _remembered(home: Home) -> Journal:
    from holdfast.journal.sqlite import SqliteJournal

    return SqliteJournal.open(home.journal, read_only=True)


def _blank() -> Journal:
    from holdfast.journal.memory import MemoryJournal

    return MemoryJournal()


class Desk(Reading):
    """What needs no event loop, and what both fronts share: reading, and beginning sessions."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts.journal, parts.clock, parts.home.owners)
        self.parts = parts
        self._sessions: list[Session] = []

    @classmethod
    def open(cls, state: str | None = None, **options: Any) -> Self:
        return cls(open_parts(state, **options))

    @classmethod
    def looking(cls, state: str | None = None, **options: Any) -> Self:
        """Nothing is kept, and no state directory is made."""
        return cls(looking_parts(state, **options))

    def interrupt(self, by: str = "signal", *, verb: str = "cancel", **data: Any) -> bool:
        """Ask every run of this desk to stop and roll back, or to `pause`; false when nothing runs."""
        for session in self._sessions:
            session.asked.append((verb, {"by": by, **data}))
        return bool(self._sessions)

    def ask(self, run: str, verb: str, **data: Any) -> RunRow | None:
        """Ask something of a run whose process lives; it hears of it at its next pause for breath.

        None when no process drives the run: then it is to be done here. A command the run cannot take is refused.
        """
        from holdfast.app.looking.folding import read

        row = self.run_row(run)
        driven = row.ending is None and row.owner is not None and self.parts.owner.is_alive(row.owner)
        if apply.is_orphan(row) and not driven:
            apply.refuse_orphan(row, verb, data)
            return None
        apply.refuse(read(self.journal, row), verb, data)
        if not driven:
            return None
        self.journal.ask(row.id, verb, data, at=self.parts.clock.now())
        return row

    def following(self, run: str, since: int) -> Following:
        from holdfast.app.looking.following import Following

        return Following(self.journal, self.run_row(run).id, since=since, clock=self.clock, alive=self.parts.owner.is_alive)

    def plan_of(self, row: RunRow) -> Plan:
        from holdfast.app.keeping.recorded import plan_of

        return plan_of(self.parts, row)

    def dead_runs(self) -> list[RunRow]:
        """Runs without an ending whose owner does not live any more."""
        rows = self.journal.runs(open_only=True, limit=10_000)
        alive = self.parts.owner.is_alive
        return [row for row in rows if row.state not in RESTING and (row.owner is None or not alive(row.owner))]

    def free_locks(self) -> None:
        """A process that died between the end of its run and its last word left the locks of that run behind."""
        for lock in self.journal.locks():
            row = self.journal.run(lock.run)
            if row is not None and row.ending is not None and not self.parts.owner.is_alive(lock.owner):
                self.journal.unlock(lock.run, at=self.clock.now())
        queue.clear(self.journal, self.parts.owner.is_alive)

    def due(self, all_runs: bool) -> list[RunRow]:
        """Runs that hold what undoing them would need, and are not among the newest any more."""
        if not all_runs:
            return runs.fallen_out(self.journal, self.parts.runs_held_max)
        from holdfast.app.keeping import retention

        return list(retention.all_due(self.parts))

    def session(self, plan: Plan, on_loop: bool) -> Session:
        return Session(self.parts, plan, on_loop=on_loop)

    async def work(self, plan: Plan, on_loop: bool, do: Work[T]) -> T:
        """Do something in a session of its own, and close it whatever happens."""
        session = self.session(plan, on_loop)
        self._sessions.append(session)
        try:
            with self.parts.wiring.telling(plan, session.hear):
                return await do(session)
        finally:
            self._sessions.remove(session)
            await session.fleet.close()

    def whole(self, plan: Plan) -> Plan:
        """The plan with what its policy adds: the removal of what it left out."""
        if not plan.policy.prune:
            return plan
        from holdfast.app.keeping.prune import pruned

        return pruned(self.journal, plan)

    def wishes(self, plan: Plan, options: Options, saved: SavedPlan | None) -> Wishes:
        policy = with_policy(
            plan, parallel=options.parallel, on_failure=options.on_failure, confirm_within=options.confirm_within
        )
        return Wishes(source=options.source or who(), policy=policy, expect=options.expect, saved=saved, wait=options.wait)

    def checkpoint_delete(self, name: str) -> None:
        from holdfast.app.keeping import checkpoints

        checkpoints.delete(self.journal, name, at=self.parts.clock.now())

    def close(self) -> None:
        self.parts.close()


def _unpack(plan: Plan | SavedPlan | Preview) -> tuple[Plan, SavedPlan | None]:
    if isinstance(plan, SavedPlan):
        return plan.plan, plan
    return (plan.plan, plan.exact) if isinstance(plan, Preview) else (plan, None)


# Each use case that touches the world, as work in a session. Both fronts run the same coroutines.


def previewing(plan: Plan) -> Callable[[Session], Coroutine[Any, Any, Preview]]:
    async def do(session: Session) -> Preview:
        digest, prepared = await session.prepare()
        return Preview(plan, digest, prepared)

    return do


def applying(wishes: Wishes, waiting: Waiting | None) -> Callable[[Session], Coroutine[Any, Any, Result]]:
    return lambda session: session.apply(wishes, waiting)


def recovering(row: RunRow, resume: bool) -> Callable[[Session], Coroutine[Any, Any, Result]]:
    return lambda session: session.recover(row, resume=resume)


def commanding(row: RunRow, verb: str, data: Mapping[str, Any]) -> Callable[[Session], Coroutine[Any, Any, Result]]:
    return lambda session: session.command(row, verb, data)


@contextmanager
def someone_else_may_be_faster() -> Iterator[None]:
    """Two processes may find the same dead run; the locks of the run decide who finishes it."""
    try:
        yield
    except Refused as refusal:
        if refusal.code != "locked":
            raise


class Engine(Desk):
    """The engine on an event loop."""

    async def __aenter__(self) -> Engine:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def plan(self, plan: Plan) -> Preview:
        plan = self.whole(plan)
        return await self.work(plan, True, previewing(plan))

    async def apply(self, plan: Plan | SavedPlan | Preview, options: Options = DEFAULTS) -> Result:
        found, saved = _unpack(plan)
        await self.recover()
        found = self.whole(found)
        result = await self.work(found, True, applying(self.wishes(found, options, saved), options.waiting))
        await self.settle()
        return result

    async def control(self, run: str, verb: str, **data: Any) -> Result:
        """`pause resume cancel confirm approve rollback retry`, of a run or of one `task` of it, whoever drives it."""
        data = {"by": who(), **data}
        if self.ask(run, verb, **data) is not None:
            return self.show(run)
        row = self.run_row(run)
        return await self.work(self.plan_of(row), True, commanding(row, verb, data))

    async def rollback(self, run: str, **data: Any) -> Result:
        return await self.control(run, "rollback", **data)

    async def recover(self, *, resume: bool = False) -> list[Result]:
        self.free_locks()
        results = []
        for row in self.dead_runs():
            with someone_else_may_be_faster():
                results.append(await self.work(self.plan_of(row), True, recovering(row, resume)))
        return results

    async def use(self, use: Use[T]) -> T:
        plan, do = use
        return await self.work(plan, True, do)

    async def settle(self, *, all_runs: bool = False) -> int:
        """Have runs that are no longer among the newest let go of what undoing them would need; how many did."""
        due = self.due(all_runs)
        if not due:
            return 0
        from holdfast.app.keeping import retention

        return sum([await self.use(retention.letting_go(self.parts, row)) for row in due])

    async def compact(self, *, keep_runs: int) -> Mapping[str, int]:
        from holdfast.app.keeping import retention

        await self.settle(all_runs=True)
        return retention.compact(self.parts, keep_runs)

    async def drift(self, plan: str | None = None) -> list[dict[str, Any]]:
        from holdfast.app.keeping.drift import drifting

        return await self.use(drifting(self.parts, plan))

    async def rehearse(self, plan: Plan, **limits: int) -> Rehearsal:
        from holdfast.app.plans.rehearse import rehearsing

        return await self.use(rehearsing(plan, **limits))

    async def checkpoint_create(self, name: str, plan: str | None = None) -> Checkpoint:
        from holdfast.app.keeping import checkpoints

        return await self.use(checkpoints.creating(self.parts, name, plan))

    async def checkpoint_diff(self, name: str) -> Preview:
        """What going back to it would do."""
        from holdfast.app.keeping import checkpoints

        return await self.plan(checkpoints.plan_back(self.parts, name))

    async def checkpoint_restore(self, name: str, options: Options = DEFAULTS) -> Result:
        from holdfast.app.keeping import checkpoints

        result = await self.apply(checkpoints.plan_back(self.parts, name), options)
        checkpoints.restored(self.journal, name, result, at=self.parts.clock.now())
        return result

    async def events(self, run: str, *, since: int = 0) -> AsyncIterator[dict[str, Any]]:
        """Every event of a run, from the past and as it happens, heartbeats as well; ends after the last one."""
        import asyncio

        following = self.following(run, since)
        while True:
            for document in following.news():
                yield document
            if following.over:
                return
            await asyncio.sleep(EVENT_POLL_S)


class Holdfast(Desk):
    """The engine for programs without an event loop: the same use cases, as ordinary calls."""

    def run_work(self, plan: Plan, do: Work[T]) -> T:
        """Without an event loop where nothing waits; with one of its own where something does."""
        if not needs_loop(plan):
            return run_to_end(self.work(plan, False, do))
        import asyncio

        return asyncio.run(self.work(plan, True, do))

    def plan(self, plan: Plan) -> Preview:
        plan = self.whole(plan)
        return self.run_work(plan, previewing(plan))

    def apply(self, plan: Plan | SavedPlan | Preview, options: Options = DEFAULTS, **changes: Any) -> Result:
        """Apply a plan; never raises for an ending. Options may be given by name: `apply(plan, parallel=2)`."""
        found, saved = _unpack(plan)
        options = Options(**changes) if changes else options
        self.recover()
        found = self.whole(found)
        result = self.run_work(found, applying(self.wishes(found, options, saved), options.waiting))
        self.settle()
        return result

    def control(self, run: str, verb: str, **data: Any) -> Result:
        """`pause resume cancel confirm approve rollback retry`, of a run or of one `task` of it, whoever drives it."""
        data = {"by": who(), **data}
        if self.ask(run, verb, **data) is not None:
            return self.show(run)
        row = self.run_row(run)
        return self.run_work(self.plan_of(row), commanding(row, verb, data))

    def rollback(self, run: str, **data: Any) -> Result:
        return self.control(run, "rollback", **data)

    def recover(self, *, resume: bool = False) -> list[Result]:
        self.free_locks()
        results = []
        for row in self.dead_runs():
            with someone_else_may_be_faster():
                results.append(self.run_work(self.plan_of(row), recovering(row, resume)))
        return results

    def settle(self, *, all_runs: bool = False) -> int:
        """Have runs that are no longer among the newest let go of what undoing them would need; how many did."""
        due = self.due(all_runs)
        if not due:
            return 0
        from holdfast.app.keeping import retention

        return sum([self.run_work(*retention.letting_go(self.parts, row)) for row in due])

    def compact(self, *, keep_runs: int) -> Mapping[str, int]:
        """Drop the records of old runs, and whatever nobody needs any more."""
        from holdfast.app.keeping import retention

        self.settle(all_runs=True)
        return retention.compact(self.parts, keep_runs)

    def drift(self, plan: str | None = None) -> list[dict[str, Any]]:
        """What is not as the newest run left it; of one plan, or of everything managed."""
        from holdfast.app.keeping.drift import drifting

        return self.run_work(*drifting(self.parts, plan))

    def rehearse(self, plan: Plan, **limits: int) -> Rehearsal:
        """Fail at every step of the plan, in memory."""
        from holdfast.app.plans.rehearse import rehearsing

        return self.run_work(*rehearsing(plan, **limits))

    def checkpoint_create(self, name: str, plan: str | None = None) -> Checkpoint:
        from holdfast.app.keeping import checkpoints

        return self.run_work(*checkpoints.creating(self.parts, name, plan))

    def checkpoint_diff(self, name: str) -> Preview:
        """What going back to it would do."""
        from holdfast.app.keeping import checkpoints

        return self.plan(checkpoints.plan_back(self.parts, name))

    def checkpoint_restore(self, name: str, options: Options = DEFAULTS, **changes: Any) -> Result:
        """Go back to it, by a run of its own."""
        from holdfast.app.keeping import checkpoints

        result = self.apply(checkpoints.plan_back(self.parts, name), options, **changes)
        checkpoints.restored(self.journal, name, result, at=self.parts.clock.now())
        return result

    def events(self, run: str, *, since: int = 0) -> Iterator[dict[str, Any]]:
        """Every event of a run, from the past and as it happens, heartbeats as well; ends after the last one."""
        following = self.following(run, since)
        while True:
            yield from following.news()
            if following.over:
                return
            self.clock.pause(EVENT_POLL_S)
