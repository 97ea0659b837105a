"""The engine: every use case, once, in `Engine`, for programs with an event loop. `Holdfast` is the same without one.

What an engine is made of is injected (`Parts`); there is no module-level state. Results are returned for every ending;
only what is not an ending is raised: an invalid plan, an unknown name, a command in the wrong state, failed storage.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypedDict, TypeVar, Unpack, get_args

from holdfast.app.apply import Session, Waiting, Wishes, with_policy
from holdfast.app.desk import Desk
from holdfast.app.looking.reading import EVENT_POLL_S
from holdfast.app.parts import Parts, who
from holdfast.app.plans.preview import Preview, SavedPlan
from holdfast.app.use import Use
from holdfast.app.wiring import needs_loop
from holdfast.core.errors import PlanError, Problem, Refused
from holdfast.core.plan import OnFailure, Plan
from holdfast.core.result import Result
from holdfast.journal.contract import RunRow
from holdfast.runtime.crew import run_to_end

if TYPE_CHECKING:
    from holdfast.app.keeping.checkpoints import Checkpoint
    from holdfast.app.plans.rehearse import Rehearsal

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a plan is to be applied, where that differs from what it says itself."""

    source: str | None = None  # who or what starts it; default: this person
    parallel: int | None = None  # steps at once
    on_failure: OnFailure | None = None
    confirm_within: float | None = None  # seconds: without a `confirm` in time everything is taken back
    expect: str | None = None  # the digest that was reviewed
    wait: bool = True  # for locks that another run holds; else the run is refused
    waiting: Waiting | None = None  # told whom it waits for

    def __post_init__(self) -> None:
        rows = (
            ("parallel", self.parallel is None or self.parallel >= 1, "at least 1"),
            ("on_failure", self.on_failure in (None, *get_args(OnFailure)), "`rollback`, `stop` or `continue`"),
            ("confirm_within", self.confirm_within is None or self.confirm_within > 0, "more than 0 seconds"),
        )
        wrong = [f"`{name}` is {what}, not {getattr(self, name)!r}" for name, fine, what in rows if not fine]
        if wrong:
            raise PlanError([Problem(code="invalid_value", message=message) for message in wrong])


DEFAULTS = Options()


class Changed(TypedDict, total=False):
    """The fields of `Options` that a call gives by name."""

    source: str | None
    parallel: int | None
    on_failure: OnFailure | None
    confirm_within: float | None
    expect: str | None
    wait: bool
    waiting: Waiting | None


class Engine(Desk):
    """The engine on an event loop: `async with Engine.open() as engine`. Here every use case is told."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def use(self, use: Use[T]) -> T:
        return await self._work(use, on_loop=True)

    async def _work(self, use: Use[T], *, on_loop: bool) -> T:
        """Do something in a session of its own, and close it whatever happens."""
        plan, do = use
        session = Session(self.parts, plan, self.recover, on_loop=on_loop)
        self.sessions.append(session)
        try:
            with self.parts.wiring.telling(plan, session.hear):
                return await do(session)
        finally:
            self.sessions.remove(session)
            await session.fleet.close(session.together)

    async def plan(self, plan: Plan) -> Preview:
        """What it would do: `.changes`, `.problems`, `.irreversible`. Nothing is touched."""
        plan = self.whole(plan)
        digest, prepared = await self.use((plan, Session.prepare))
        return Preview(plan, digest, prepared)

    async def apply(self, plan: Plan | SavedPlan | Preview, options: Options = DEFAULTS, **changes: Unpack[Changed]) -> Result:
        """Apply a plan; never raises for an ending. Options may be given by name: `apply(plan, parallel=2)`.

        What `plan` gave is applied exactly as it was shown, or refused as stale.
        """
        options = Options(**changes) if changes else options
        found, saved = _unpack(plan)
        await self.recover()
        found = self.whole(found)
        wishes = _wishes(found, options, saved)
        result = await self.use((found, lambda session: session.apply(wishes, options.waiting)))
        await self.settle()
        return result

    async def control(self, run: str, verb: str, **data: Any) -> Result:
        """`pause resume cancel confirm approve rollback retry`, of a run or of one `task` of it, whoever drives it."""
        data = {"by": who(), **data}
        if self.ask(run, verb, **data) is not None:
            return self.show(run)
        return await self.take_up(self.run_row(run), verb, data)

    async def take_up(self, row: RunRow, verb: str, data: Mapping[str, Any]) -> Result:
        """Do what is asked of a run that no living process drives."""
        return await self.use((self.plan_of(row), lambda session: session.command(row, verb, data)))

    async def pause(self, run: str, **data: Any) -> Result:
        """At the next boundary between steps; `task` for one of its tasks."""
        return await self.control(run, "pause", **data)

    async def resume(self, run: str, **data: Any) -> Result:
        """Go on with a paused run, or with one whose process died."""
        return await self.control(run, "resume", **data)

    async def cancel(self, run: str, **data: Any) -> Result:
        """Stop it, and take back what it did."""
        return await self.control(run, "cancel", **data)

    async def retry(self, run: str, *, scratch: bool = False, **data: Any) -> Result:
        """Try its failed tasks again: from the stage they came to, or from `scratch`."""
        return await self.control(run, "retry", **_from(scratch), **data)

    async def rollback(self, run: str, **data: Any) -> Result:
        """Undo a run that is over, or one `task` of it."""
        return await self.control(run, "rollback", **data)

    async def confirm(self, run: str) -> Result:
        """Keep what `confirm_within` would take back."""
        return await self.control(run, "confirm")

    async def approve(self, run: str, step: str) -> Result:
        """Say yes to what waits for it: a step of the kind `approve`, or `gate`."""
        return await self.control(run, "approve", step=step)

    async def recover(self, *, resume: bool = False, unanswered: bool = True) -> list[Result]:
        """Finish every run whose process died; and `unanswered` ones, which could not reach what they were to take back."""
        self.free_locks()
        left = self.unanswered_runs() if unanswered else []
        results = []
        for row in self.dead_runs():
            with someone_else_may_be_faster():
                results.append(await self.finish(row, resume=resume))
        for row in left:
            with someone_else_may_be_faster():
                results.append(await self.rollback(row.id))
        return results

    async def finish(self, row: RunRow, *, resume: bool) -> Result:
        return await self.use((self.plan_of(row), lambda session: session.recover(row, resume=resume)))

    async def settle(self, *, all_runs: bool = False) -> int:
        """Have runs that are no longer among the newest let go of what undoing them would need; how many did."""
        due = self.due(all_runs)
        if not due:
            return 0
        from holdfast.app.keeping import retention

        return sum([await self.use(retention.letting_go(self.parts, row)) for row in due])

    async def compact(self, *, keep_runs: int) -> Mapping[str, int]:
        """Drop the records of old runs, and whatever nobody needs any more."""
        from holdfast.app.keeping import retention

        await self.settle(all_runs=True)
        return retention.compact(self.parts, keep_runs)

    async def drift(self, plan: str | None = None) -> list[dict[str, Any]]:
        """What is not as the newest run left it; of one plan, or of everything managed."""
        from holdfast.app.keeping.drift import drifting

        return await self.use(drifting(self.parts, plan))

    async def rehearse(self, plan: Plan, **limits: int) -> Rehearsal:
        """Fail at every step of the plan, in memory."""
        from holdfast.app.plans.rehearse import rehearsing

        return await self.use(rehearsing(self.whole(plan), **limits))

    async def checkpoint_create(self, name: str, plan: str | None = None) -> Checkpoint:
        """Keep the state of everything that is managed, or of what one plan manages, under a name."""
        from holdfast.app.keeping import checkpoints

        return await self.use(checkpoints.creating(self.parts, name, plan))

    async def checkpoint_diff(self, name: str) -> Preview:
        """What going back to it would do."""
        from holdfast.app.keeping import checkpoints

        return await self.plan(checkpoints.plan_back(self.parts, name))

    async def checkpoint_restore(self, name: str, options: Options = DEFAULTS, **changes: Unpack[Changed]) -> Result:
        """Go back to it, by a run of its own."""
        from holdfast.app.keeping import checkpoints

        result = await self.apply(checkpoints.plan_back(self.parts, name), options, **changes)
        checkpoints.restored(self.parts, name, result)
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


class Unlooped(Engine):
    """The use cases for one who has no event loop: none where nothing waits, one for each session where something does.

    Its coroutines never suspend, so they can be run to their end by an ordinary call.
    """

    async def use(self, use: Use[T]) -> T:
        if not needs_loop(use[0]):
            return await self._work(use, on_loop=False)
        import asyncio

        work = self._work(use, on_loop=True)
        return await work if _in_a_loop() else asyncio.run(work)


class Holdfast(Desk):
    """The engine for programs without an event loop: what `holdfast.open` gives; the same use cases, as ordinary calls."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._engine = Unlooped(parts)
        self.sessions = self._engine.sessions  # who is asked to stop here works there

    def plan(self, plan: Plan) -> Preview:
        """What it would do: `.changes`, `.problems`, `.irreversible`. Nothing is touched."""
        return run_to_end(self._engine.plan(plan))

    def apply(self, plan: Plan | SavedPlan | Preview, options: Options = DEFAULTS, **changes: Unpack[Changed]) -> Result:
        """Apply a plan; never raises for an ending. Options may be given by name: `apply(plan, parallel=2)`.

        What `plan` gave is applied exactly as it was shown, or refused as stale.
        """
        return run_to_end(self._engine.apply(plan, options, **changes))

    def control(self, run: str, verb: str, **data: Any) -> Result:
        """`pause resume cancel confirm approve rollback retry`, of a run or of one `task` of it, whoever drives it."""
        return run_to_end(self._engine.control(run, verb, **data))

    def take_up(self, row: RunRow, verb: str, data: Mapping[str, Any]) -> Result:
        """Do what is asked of a run that no living process drives."""
        return run_to_end(self._engine.take_up(row, verb, data))

    def pause(self, run: str, **data: Any) -> Result:
        """At the next boundary between steps; `task` for one of its tasks."""
        return run_to_end(self._engine.pause(run, **data))

    def resume(self, run: str, **data: Any) -> Result:
        """Go on with a paused run, or with one whose process died."""
        return run_to_end(self._engine.resume(run, **data))

    def cancel(self, run: str, **data: Any) -> Result:
        """Stop it, and take back what it did."""
        return run_to_end(self._engine.cancel(run, **data))

    def retry(self, run: str, *, scratch: bool = False, **data: Any) -> Result:
        """Try its failed tasks again: from the stage they came to, or from `scratch`."""
        return run_to_end(self._engine.retry(run, scratch=scratch, **data))

    def rollback(self, run: str, **data: Any) -> Result:
        """Undo a run that is over, or one `task` of it."""
        return run_to_end(self._engine.rollback(run, **data))

    def confirm(self, run: str) -> Result:
        """Keep what `confirm_within` would take back."""
        return run_to_end(self._engine.confirm(run))

    def approve(self, run: str, step: str) -> Result:
        """Say yes to what waits for it: a step of the kind `approve`, or `gate`."""
        return run_to_end(self._engine.approve(run, step))

    def recover(self, *, resume: bool = False, unanswered: bool = True) -> list[Result]:
        """Finish every run whose process died; and `unanswered` ones, which could not reach what they were to take back."""
        return run_to_end(self._engine.recover(resume=resume, unanswered=unanswered))

    def finish(self, row: RunRow, *, resume: bool) -> Result:
        return run_to_end(self._engine.finish(row, resume=resume))

    def settle(self, *, all_runs: bool = False) -> int:
        """Have runs that are no longer among the newest let go of what undoing them would need; how many did."""
        return run_to_end(self._engine.settle(all_runs=all_runs))

    def compact(self, *, keep_runs: int) -> Mapping[str, int]:
        """Drop the records of old runs, and whatever nobody needs any more."""
        return run_to_end(self._engine.compact(keep_runs=keep_runs))

    def drift(self, plan: str | None = None) -> list[dict[str, Any]]:
        """What is not as the newest run left it; of one plan, or of everything managed."""
        return run_to_end(self._engine.drift(plan))

    def rehearse(self, plan: Plan, **limits: int) -> Rehearsal:
        """Fail at every step of the plan, in memory."""
        return run_to_end(self._engine.rehearse(plan, **limits))

    def checkpoint_create(self, name: str, plan: str | None = None) -> Checkpoint:
        """Keep the state of everything that is managed, or of what one plan manages, under a name."""
        return run_to_end(self._engine.checkpoint_create(name, plan))

    def checkpoint_diff(self, name: str) -> Preview:
        """What going back to it would do."""
        return run_to_end(self._engine.checkpoint_diff(name))

    def checkpoint_restore(self, name: str, options: Options = DEFAULTS, **changes: Unpack[Changed]) -> Result:
        """Go back to it, by a run of its own."""
        return run_to_end(self._engine.checkpoint_restore(name, options, **changes))

    def events(self, run: str, *, since: int = 0) -> Iterator[dict[str, Any]]:
        """Every event of a run, from the past and as it happens, heartbeats as well; ends after the last one."""
        following = self.following(run, since)
        while True:
            yield from following.news()
            if following.over:
                return
            self.clock.pause(EVENT_POLL_S)


def _in_a_loop() -> bool:
    """A run on a loop of its own may come to finish another one, that a dead process left."""
    from asyncio import get_running_loop

    try:
        get_running_loop()
    except RuntimeError:
        return False
    return True


def _wishes(plan: Plan, options: Options, saved: SavedPlan | None) -> Wishes:
    policy = with_policy(plan, parallel=options.parallel, on_failure=options.on_failure, confirm_within=options.confirm_within)
    return Wishes(source=options.source or who(), policy=policy, expect=options.expect, saved=saved, wait=options.wait)


def _from(scratch: bool) -> dict[str, str]:
    return {"from": "scratch" if scratch else "checkpoint"}


def _unpack(plan: Plan | SavedPlan | Preview) -> tuple[Plan, SavedPlan | None]:
    if isinstance(plan, SavedPlan):
        return plan.plan, plan
    return (plan.plan, plan.exact) if isinstance(plan, Preview) else (plan, None)


@contextmanager
def someone_else_may_be_faster() -> Iterator[None]:
    """Two processes may find the same dead run; the locks of the run decide who finishes it."""
    try:
        yield
    except Refused as refusal:
        if refusal.code != "locked":
            raise
