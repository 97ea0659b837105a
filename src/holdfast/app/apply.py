"""Applying a plan: prepare under lock, drive, settle. Going on with a run that another process left. Rolling one back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from holdfast.app.asking import FINISHING, is_orphan, refuse
from holdfast.app.looking.folding import heading_of
from holdfast.app.looking.locks import locked_by
from holdfast.app.looking.runs import has_begun
from holdfast.app.parts import Parts
from holdfast.app.plans.cautions import warnings
from holdfast.app.plans.preview import SavedPlan, no_step, read_sources, seal
from holdfast.collecting import undisturbed
from holdfast.core.errors import Problem, Refused, StorageFailed, WorldError
from holdfast.core.events import Event
from holdfast.core.evolve import evolve
from holdfast.core.plan import Plan, Policy
from holdfast.core.predict import Seen
from holdfast.core.result import Result, result_of
from holdfast.core.run import Run
from holdfast.core.shares import together
from holdfast.core.stimuli import Asked, Began, Recovered, Stimulus
from holdfast.drivers.contract import Move
from holdfast.journal import queue
from holdfast.journal.contract import Journal, LockRow, RunRow
from holdfast.journal.queue import Waiter
from holdfast.kinds.states import parse_state
from holdfast.runtime.book import Book, entries_from, entries_of, prepared_events, rows_in
from holdfast.runtime.crew import Crew, Inline, SideBySide
from holdfast.runtime.executor import drive
from holdfast.runtime.fleet import Fleet, Together, Unreadable, one_after_the_other
from holdfast.runtime.perform import Performer
from holdfast.runtime.prepare import Prepared, foresee, prepare, problems_of
from holdfast.runtime.switches import Switches, guarded_events

T = TypeVar("T")

LOCK_POLL_S = 0.2
LETTING_GO_POLL_S = 0.01
LETTING_GO_S = 3.0  # so long a run that is over may take to give its locks back
Holder = LockRow | Waiter
Waiting = Callable[[Holder], None]  # told whom a run waits for
Recover = Callable[[], Awaitable[object]]  # finishes what dead processes left


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What whoever starts a run wants of it, beyond the plan."""

    source: str
    policy: Policy
    expect: str | None = None  # the digest that was reviewed
    saved: SavedPlan | None = None
    wait: bool = True  # for locks; else refuse


class Session:
    """One plan, one fleet, for as long as something is done with them."""

    def __init__(self, parts: Parts, plan: Plan, recover: Recover, *, on_loop: bool) -> None:
        self.parts = parts
        self.plan = plan
        self._recover = recover
        self.on_loop = on_loop
        self.fleet: Fleet = parts.wiring.fleet(plan, on_loop=on_loop)
        self.asked: list[tuple[str, dict[str, Any]]] = []  # from this process: signals
        self._run: Run | None = None  # the one that is worked for
        self._heard = 0  # the last command to it that counts no more: of a new run none was ever given

    @property
    def together(self) -> Together:
        return _gather if self.on_loop else one_after_the_other

    async def prepare(self) -> tuple[str, Prepared]:
        sources = await read_sources(self.plan, self.fleet, self.together)
        return seal(self.plan, sources), await foresee(self.plan, self.fleet, self.together, sources)

    # -- a new run

    async def apply(self, wishes: Wishes, waiting: Waiting | None = None) -> Result:
        with undisturbed():
            sources = await read_sources(self.plan, self.fleet, self.together)
            run = self._create(wishes, seal(self.plan, sources))
            book, first = await self._begin(run, wishes, sources, waiting)
        return await self._carry_out(run, book, first)

    async def _carry_out(self, run: Run, book: Book | None, first: Sequence[Event]) -> Result:
        if book is None:
            return self._result(run)
        await self._drive(run, book, Began(self.parts.clock.now()), first=first)
        return await self._close(run, book)

    async def _begin(
        self, run: Run, wishes: Wishes, sources: Seen, waiting: Waiting | None = None
    ) -> tuple[Book | None, Sequence[Event]]:
        """Everything before the first change; without a book when the run was refused."""
        plan = self.plan
        problems = self._refusals(wishes, seal(plan, sources)) or await self._lock(run, wishes, waiting)
        if problems:
            return self._refuse(run, problems)
        if run.over:
            return None, ()
        try:
            prepared = await prepare(plan, self.fleet, self.together, sources)
        except Unreadable as unreadable:
            return self._refuse(run, problems_of(plan, unreadable))
        except StorageFailed:
            raise
        except WorldError as error:
            return self._refuse(run, [Problem(code=error.code, message=error.message, hint=error.hint)])
        problems = wishes.saved.stale(prepared) if wishes.saved else list(prepared.prediction.problems)
        if problems:
            return self._refuse(run, problems)
        first = prepared_events(plan, prepared.prediction)
        first += guarded_events(plan, self.fleet, run.policy)
        for event in first:
            evolve(run, event)
        self.parts.watch(run, first)
        return Book(run.id, entries_of(plan, prepared.prediction)), first

    def _create(self, wishes: Wishes, digest: str) -> Run:
        parts, plan = self.parts, self.plan
        run = Run.of(parts.ids.make(parts.clock.now()), plan, wishes.policy)
        parts.journal.keep_plan(digest, plan.document)
        created = {
            "plan": plan.name,
            "digest": digest,
            "source": wishes.source,
            "outline": run.outline,
            "policy": asdict(wishes.policy),
            "owner": parts.owner.name,
            **({"warnings": found} if (found := warnings(plan)) else {}),
        }
        tasks = [Event("task.created", task=number) for number in range(len(plan.tasks))]
        self._tell(run, Event("run.created", created), *tasks, durable=False)
        self._run = run
        return run

    def _refusals(self, wishes: Wishes, digest: str) -> list[Problem]:
        """Why this run is not even prepared."""
        if not self.plan.steps:
            return no_step(self.plan)
        expected = wishes.saved.digest if wishes.saved else wishes.expect
        if expected is not None and expected not in (digest, digest.removeprefix("sha256:")):
            return [Problem(code="stale_plan", message=f"the digest is {digest}, not the {expected} that was reviewed")]
        return []

    async def _lock(self, run: Run, wishes: Wishes, waiting: Waiting | None) -> list[Problem]:
        """Take everything together, in turn. A run that need not wait leaves no place in the queue behind."""
        journal, keys = self.parts.journal, lock_keys(self.plan)
        holder = await self._lasting(lambda: self._in_the_way(run.id, keys))
        if holder is None:
            return []
        if not wishes.wait:
            return [Problem(code="locked", message=locked_by(holder))]
        self._stand_in_line(run, keys)
        try:
            await self._wait(run, keys, wishes, waiting)
        finally:
            queue.leave(journal, run.id)
        return []

    def _stand_in_line(self, run: Run, keys: Sequence[str]) -> None:
        parts = self.parts
        queue.enter(parts.journal, Waiter(run=run.id, owner=parts.owner.name, keys=tuple(keys), since=parts.clock.now()))

    async def _wait(self, run: Run, keys: Sequence[str], wishes: Wishes, waiting: Waiting | None) -> None:
        """Until the locks are taken, or the run is over because somebody cancelled it."""
        asks, told = self._asks(run.id), None
        while (holder := self._in_the_way(run.id, keys)) is not None:
            if told != holder.run and waiting is not None:
                waiting(holder)
                told = holder.run
            if self._is_dead(holder):
                await self._recover()  # nobody builds on what it left half-done
            resting = True
            while resting:
                for verb, data in asks():
                    await self._asked_in_line(run, keys, wishes, verb, data)
                if run.over:
                    return
                await self._rest()
                resting = run.state == "paused"

    async def _asked_in_line(self, run: Run, keys: Sequence[str], wishes: Wishes, verb: str, data: Mapping[str, Any]) -> None:
        """A server that stops has what waits give up its place; mostly it is the next one that takes it again."""
        if verb == "pause" and run.state == "created":
            exact = {"exact": wishes.saved.rows} if wishes.saved else {}
            self._tell(run, Event("run.pausing", data), Event("run.paused", exact))
            queue.leave(self.parts.journal, run.id)
        elif verb == "resume" and run.state == "paused":
            self._stand_in_line(run, keys)
            self._tell(run, Event("run.queued", {"by": data.get("by"), "owner": self.parts.owner.name}))
        elif verb == "cancel":
            await self._drive(run, Book(run.id, ()), Asked(self.parts.clock.now(), "cancel", data))

    def _in_the_way(self, run: str, keys: Sequence[str]) -> Holder | None:
        """Whom a run must wait for; where there is nobody, it has its locks now."""
        parts = self.parts
        earlier = queue.before(queue.line(parts.journal, parts.owner.is_alive), run, keys)
        return self._take(run, keys) if earlier is None else earlier

    async def _lasting(self, held: Callable[[], Holder | None]) -> Holder | None:
        """Who is in the way, and is not just leaving: a run is told to be over a moment before its locks are free."""
        clock = self.parts.clock
        until = clock.monotonic() + LETTING_GO_S
        while (holder := held()) is not None and self._is_over(holder.run) and clock.monotonic() < until:
            await self._rest(LETTING_GO_POLL_S)
        return holder

    def _is_dead(self, holder: Holder) -> bool:
        row = self.parts.journal.run(holder.run)
        left = row is not None and (row.ending is not None or is_orphan(row))
        return left and not self.parts.owner.is_alive(holder.owner)

    def _is_over(self, run: str) -> bool:
        row = self.parts.journal.run(run)
        return row is not None and row.ending is not None

    async def _rest(self, seconds: float = LOCK_POLL_S) -> None:
        """On an event loop the run that holds the lock may be one of this process: let it go on."""
        if not self.on_loop:
            return self.parts.clock.pause(seconds)
        from asyncio import sleep

        await sleep(seconds)

    def _refuse(self, run: Run, problems: Sequence[Problem]) -> tuple[None, Sequence[Event]]:
        self._tell(run, Event("run.refused", {"problems": [problem.plain() for problem in problems]}))
        self.parts.journal.unlock(run.id, at=self.parts.clock.now())
        return None, ()

    # -- a run that is there already

    async def recover(self, row: RunRow, *, resume: bool) -> Result:
        """Finish what a dead process left: the same fold, the same decisions."""
        parts = self.parts
        run, book = reopen(parts.journal, row, self.plan)
        await self._take_over(row)
        if resume and book.by_step:
            prepared = await prepare(self.plan, self.fleet, self.together)
            pending = {step for step, state in enumerate(run.steps) if state in ("pending", "waiting", "applying", "in_doubt")}
            stale = pending.intersection(book.renew(entries_of(self.plan, prepared.prediction)))
            resume = not prepared.prediction.problems and not stale
        await self._drive(run, book, Recovered(parts.clock.now(), resume, parts.owner.name))
        return await self._close(run, book)

    async def command(self, row: RunRow, verb: str, data: Mapping[str, Any]) -> Result:
        """Something is asked of a run that no living process drives: this one does, until the run rests again."""
        if is_orphan(row) and verb in FINISHING and "task" not in data:
            return await self.recover(row, resume=FINISHING[verb])
        parts = self.parts
        if verb == "rollback" and row.ending == "unchanged":
            raise Refused(f"the run {row.id} changed nothing", code="wrong_state")
        await self._take_over(row)
        run, book = reopen(parts.journal, row, self.plan)
        try:
            refuse(run, verb, data)  # once more: under its locks nobody else changes it
        except Refused:
            if run.over:
                parts.journal.unlock(row.id, at=parts.clock.now())
            raise
        if verb == "resume" and run.started_at is None:
            return await self._queue_again(run, row, data)
        if verb == "rollback" and self._is_settled(row):
            parts.journal.unlock(row.id, at=parts.clock.now())
            message = f"the before-images of the run {row.id} are no longer held"
            raise Refused(message, code="no_previous", hint="restore a checkpoint instead")
        if verb in ("resume", "retry"):
            prepared = await prepare(self.plan, self.fleet, self.together)
            book.renew(entries_of(self.plan, prepared.prediction))
        await self._drive(run, book, Asked(parts.clock.now(), verb, {**data, "owner": parts.owner.name}), rests=True)
        return await self._close(run, book) if run.over else self._result(run)

    async def _queue_again(self, run: Run, row: RunRow, data: Mapping[str, Any]) -> Result:
        """Go on with a run that rested before it had its locks, as if it had never left its place."""
        journal, self._run = self.parts.journal, run
        wishes = Wishes(source=row.source, policy=run.policy, expect=row.digest, saved=exact_in(journal, row, self.plan))
        try:
            await self._asked_in_line(run, lock_keys(self.plan), wishes, "resume", data)
            sources = await read_sources(self.plan, self.fleet, self.together)
            book, first = await self._begin(run, wishes, sources)
        finally:
            queue.leave(journal, run.id)
        return await self._carry_out(run, book, first)

    async def let_go(self, row: RunRow) -> None:
        """Drop what undoing this run would need; under its locks, because somebody may be about to undo it."""
        run, book = reopen(self.parts.journal, row, self.plan)
        await self._take_over(row)
        try:
            if not self._is_settled(row):
                await self.settle(run, book)
        finally:
            self.parts.journal.unlock(row.id, at=self.parts.clock.now())

    def _is_settled(self, row: RunRow) -> bool:
        found = self.parts.journal.run(row.id)
        return found is None or found.settled

    async def _take_over(self, row: RunRow) -> None:
        """From here on commands to the run are commands to this session. What has not begun needs no key for that."""
        journal = self.parts.journal
        keys = lock_keys(self.plan) if has_begun(journal, row.id) else []
        self._heard = max((command.id for command in journal.asked(row.id)), default=0)
        holder = await self._lasting(lambda: self._take(row.id, keys))
        if holder is not None:
            raise Refused(locked_by(holder), code="locked")

    def _take(self, run: str, keys: Sequence[str]) -> LockRow | None:
        parts = self.parts
        return parts.journal.lock(run, parts.owner.name, keys, at=parts.clock.now(), dead=self._dead_owners(run))

    def _dead_owners(self, run: str) -> set[str]:
        """Whose locks are free to be taken. A run that has not ended keeps its own: it rests, or has to be finished first."""
        parts = self.parts
        dead = {lock.owner for lock in parts.journal.locks() if not parts.owner.is_alive(lock.owner)}
        if dead:
            unfinished = parts.journal.runs(open_only=True, limit=10_000)
            dead -= {row.owner for row in unfinished if row.id != run and row.owner}
        return dead

    # -- common

    async def _drive(
        self, run: Run, book: Book, stimulus: Stimulus, first: Sequence[Event] = (), *, rests: bool = False
    ) -> None:
        parts, self._run = self.parts, run
        keep_going = run.policy.on_failure == "continue" or run.policy.scope == "task"
        switches = Switches(self.plan, book, self.fleet, run) if run.guarded else None
        performer = Performer(self.plan, book, self.fleet, keep_going=keep_going, switches=switches, together=self.together)
        performer.keeps = run.policy.on_failure == "stop"
        asks = self._asks(run.id)
        row = parts.journal.run(run.id)
        crew: Crew = SideBySide(performer, parts.clock, asks) if self.on_loop else Inline(performer, parts.clock, asks)
        try:
            await drive(
                run,
                stimulus,
                journal=parts.journal,
                crew=crew,
                clock=parts.clock,
                watch=switches.watching(parts.watch) if switches else parts.watch,
                first=first,
                fence=row.fence if row else None,
                rests=rests,
            )
        finally:
            if isinstance(crew, SideBySide):
                await crew.close()

    def _asks(self, run: str) -> Callable[[], Sequence[tuple[str, dict[str, Any]]]]:
        """What people ask of the run: here by signals, elsewhere through the journal; also while it is being prepared."""
        journal, version = self.parts.journal, -1

        def asks() -> Sequence[tuple[str, dict[str, Any]]]:
            nonlocal version
            found, self.asked = self.asked, []
            now = journal.changed()
            if now != version:
                version = now
                for command in journal.asked(run, self._heard):
                    self._heard = command.id
                    found.append((command.verb, dict(command.data)))
            return found

        return asks

    def hear(self, event: Event) -> None:
        """What a driver has to tell, once there is a run that it can belong to."""
        if self._run is not None:
            self._tell(self._run, event, durable=False)

    def _tell(self, run: Run, *events: Event, durable: bool = True) -> None:
        for event in events:
            evolve(run, event)
        self.parts.journal.append(run.id, events, at=self.parts.clock.now(), durable=durable)
        self.parts.watch(run, events)

    async def _close(self, run: Run, book: Book) -> Result:
        """The run has an ending: drop what only undo needed where nothing can be undone any more, and free its locks.

        In this order: whoever gets the locks may try the run again, and make anew what is dropped here.
        """
        try:
            if run.ending == "rolled_back":
                await self.settle(run, book)
        finally:
            self.parts.journal.unlock(run.id, at=self.parts.clock.now())
        return self._result(run)

    async def settle(self, run: Run, book: Book) -> None:
        by_driver: dict[tuple[str, str], list[Move]] = {}
        for step, move in book.all_moves():
            family = self.plan.steps[step].operation.family
            if family != "approval":  # nothing was done, somebody said something: no driver knows of it
                by_driver.setdefault((self.plan.steps[step].target, family), []).append(move)
        for (target, family), moves in by_driver.items():
            await self.fleet.driver(target, family).settle(moves)
        self._tell(run, Event("run.settled"), durable=False)

    def _result(self, run: Run) -> Result:
        row = self.parts.journal.run(run.id)
        assert row is not None
        with undisturbed():
            return result_of(run, heading_of(row))


async def _gather(waiting: Sequence[Awaitable[T]]) -> Sequence[T]:
    import asyncio

    return await asyncio.gather(*waiting)


def reopen(journal: Journal, row: RunRow, plan: Plan) -> tuple[Run, Book]:
    """Fold a run with its plan, to go on with it: the same fold of the same events as while it lived."""
    events = [event for record in journal.records(row.id) for event in record.events]
    run = Run.of(row.id, plan, policy_in(events[0].data.get("policy", {})) if events else plan.policy)
    for event in events:
        evolve(run, event)
    book = Book(row.id, entries_from(rows_in(events), parse_state))
    book.equip(plan)
    return run, book


def exact_in(journal: Journal, row: RunRow, plan: Plan) -> SavedPlan | None:
    """What a run that rests must find as it was when its plan was reviewed."""
    paused = (event for record in journal.records(row.id) for event in record.events if event.type == "run.paused")
    rows = [event.data.get("exact") for event in paused]
    return SavedPlan(plan, row.digest, rows[-1]) if rows and rows[-1] is not None else None


def policy_in(document: Mapping[str, Any]) -> Policy:
    known = dict(document)
    known["batches"] = tuple(known.get("batches", ()))
    return Policy(**known)


def lock_keys(plan: Plan) -> list[str]:
    """What a run of this plan holds: the resources it writes and the keys it declares, sorted."""
    keys = {
        f"{claim.target or step.target}:{claim.key}"
        for step in plan.steps
        if step.target != "memory"
        for claim in step.operation.claims()
        if claim.writes and not claim.shared
    }
    keys |= {place_of(plan, step.target) for step in plan.steps if getattr(step.operation, "exclusive", False)}
    keys |= {share.key for share in together(share for task in plan.tasks for share in task.shares)}
    return sorted(keys | {lock for task in plan.tasks for lock in task.locks})


def place_of(plan: Plan, target: str) -> str:
    """What a target is, whatever plans call it: what is locked where only one run at a time may work."""
    declared = plan.targets.get(target, {})
    return next((f"{kind}:{place}" for kind, place in declared.items() if isinstance(place, str)), target)


def with_policy(plan: Plan, **changes: Any) -> Policy:
    return replace(plan.policy, **{name: value for name, value in changes.items() if value is not None})
