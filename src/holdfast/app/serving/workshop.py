"""Runs that one process drives side by side: each in a thread of its own, at a desk of its own, with an owner of its own.

To the journal each of them looks like a run of a process of its own, so everything that holds between processes - locks,
commands, recovery - holds here as well. Nothing is decided here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillUnderWay
from contextlib import suppress
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Final

import msgspec

from holdfast.app.desk import Desk
from holdfast.app.engine import DEFAULTS, Holdfast, Options
from holdfast.app.looking import runs
from holdfast.app.plans.preview import Preview, SavedPlan
from holdfast.core.errors import HoldfastError, Refused
from holdfast.core.events import Event
from holdfast.core.plan import Plan
from holdfast.core.result import Result
from holdfast.core.run import Run
from holdfast.journal.contract import RunRow
from holdfast.runtime.clock import Clock

RUNS_MAX: Final = 100
ANSWER_S: Final = 20.0  # so long a command is waited for before its run is shown as it is
PARK_POLL_S: Final = 0.05
OPEN_MAX: Final = 10_000
STILL: Final = frozenset({"paused", "confirming"})  # states in which nothing of a run is in flight
SHELF: Final = "serve"  # of the journal: each server that may run beside others has one of its own
PARKED: Final = "parked"  # the runs that were paused because the server stopped
STOPPED: Final = "the server was stopped"

if TYPE_CHECKING:
    from holdfast.drivers.remote.hosts import Hosts

Do = Callable[[Holdfast], Result]


class Shift:
    """One thread and its desk, for as long as one run is driven."""

    def __init__(self, desk: Holdfast, do: Do, *, creates: bool) -> None:
        self.desk = desk
        self.run: Future[str] = Future()  # known once the run has said something
        self._creates = creates
        self._do = do
        desk.parts.watchers.append(self._hear)

    def begun(self) -> None:
        """Returns when its run is under way, or in its place in the queue; or soon: it may have to look at many hosts."""
        with suppress(StillUnderWay):
            self.run.result(ANSWER_S)

    def _hear(self, run: Run, events: Sequence[Event]) -> None:
        if not self.run.done() and (not self._creates or events[0].type == "run.created"):
            self.run.set_result(run.id)

    def work(self) -> None:
        try:
            result = self._do(self.desk)
            if not self.run.done():
                self.run.set_result(result.run)
        except Exception as error:  # told to whoever asked, or, when nobody waits any more, to the log
            if self.run.done():
                logging.getLogger("holdfast").exception("run_abandoned")
            else:
                self.run.set_exception(error)
        finally:
            self.desk.close()


class Workshop:
    def __init__(
        self, open_desk: Callable[[], Holdfast], clock: Clock, *, runs_max: int = RUNS_MAX, shelf: str = SHELF
    ) -> None:
        self._open_desk = open_desk
        self._clock = clock
        self._runs_max = runs_max
        self._shelf = shelf
        self._mutex = Lock()
        self._shifts: dict[Shift, Thread] = {}
        self._closing = False

    def start(self, plan: Plan | SavedPlan | Preview, options: Options = DEFAULTS) -> str:
        """Begin a run; returns its id as soon as it has one."""
        return self._employ(lambda desk: desk.apply(plan, options), creates=True).run.result()

    def restore(self, checkpoint: str, options: Options = DEFAULTS) -> str:
        return self._employ(lambda desk: desk.checkpoint_restore(checkpoint, options), creates=True).run.result()

    def control(self, row: RunRow, verb: str, data: dict[str, Any]) -> None:
        """Do to a run what no living process can be asked to do; returns when it has begun."""
        self._employ(lambda desk: desk.take_up(row, verb, data), creates=False).begun()

    def _employ(self, do: Do, *, creates: bool) -> Shift:
        with self._mutex:
            if self._closing:
                raise Refused("the server is stopping", code="overloaded", hint="ask again when it has started anew")
            if len(self._shifts) >= self._runs_max:
                raise Refused(f"{self._runs_max} runs are under way", code="overloaded", hint="wait until one has ended")
            shift = Shift(self._open_desk(), do, creates=creates)
            thread = Thread(target=self._work, args=(shift,), name="run", daemon=True)
            self._shifts[shift] = thread
        thread.start()
        return shift

    def _work(self, shift: Shift) -> None:
        try:
            shift.work()
        finally:
            with self._mutex:
                del self._shifts[shift]

    def hosts(self) -> dict[str, Hosts]:
        """By run: the hosts that it works on right now."""
        with self._mutex:
            shifts = [shift for shift in self._shifts if shift.run.done() and shift.run.exception() is None]
        return {shift.run.result(): shift.desk.parts.wiring.hosts for shift in shifts}

    # -- stopping, and going on

    def park(self, limit_s: float, *others: Desk) -> list[str]:
        """Let what is in flight be finished and every run rest, also those of other desks; keeps their names."""
        with self._mutex:
            self._closing = True
            desks = [*(shift.desk for shift in self._shifts), *others]
        owners = {desk.parts.owner.name for desk in desks}
        with self._open_desk() as desk:
            before = {row.id for row in _runs_of(desk, owners) if row.state == "paused"}
            for each in desks:
                each.interrupt(by=STOPPED, verb="pause", now=True)
            until = self._clock.monotonic() + limit_s
            while any(row.state not in STILL for row in _runs_of(desk, owners)) and self._clock.monotonic() < until:
                self._clock.pause(PARK_POLL_S)
            parked = [row.id for row in _runs_of(desk, owners) if row.id not in before]
            if desk.journal.damage is None:
                desk.journal.put(self._shelf, PARKED, msgspec.json.encode(parked))
        return parked

    def take_up(self, *, resume: bool) -> None:
        """Go on with the runs that rest because the server was stopped, and finish, or `resume`, what dead processes left.

        Those that still waited for locks come last, one after the other: by then every lock has its holder again.
        """
        with self._open_desk() as desk:
            parked = msgspec.json.decode(desk.journal.get(self._shelf, PARKED) or b"[]")
            desk.journal.drop(self._shelf, PARKED)
            rows = [row for row in map(desk.journal.run, sorted(parked)) if row is not None and row.state == "paused"]
            begun = {row.id for row in rows if runs.has_begun(desk.journal, row.id)}
            dead = desk.dead_runs()
        work = [_resuming(row) for row in rows if row.id in begun]
        work += [_recovering(row, resume or row.id in parked) for row in dead]
        shifts = [self._employ(do, creates=False) for do in work]
        waiting = [row for row in rows if row.id not in begun]
        for shift in shifts if waiting else ():
            _await(shift)
        for row in waiting:
            _await(self._employ(_resuming(row), creates=False))


def _await(shift: Shift) -> None:
    try:
        shift.begun()
    except HoldfastError:
        logging.getLogger("holdfast").exception("run_not_taken_up")


def _runs_of(desk: Desk, owners: Collection[str]) -> list[RunRow]:
    return [row for row in desk.journal.runs(open_only=True, limit=OPEN_MAX) if row.owner in owners]


def _recovering(row: RunRow, resume: bool) -> Do:
    return lambda desk: desk.finish(row, resume=resume)


def _resuming(row: RunRow) -> Do:
    return lambda desk: desk.take_up(row, "resume", {"by": "the server, started anew"})
