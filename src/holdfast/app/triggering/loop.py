"""The loop: everything that is armed, each at its time. One heap of times and one sleep; nothing is asked in between.

It is woken by what is due, by new events in the journal - a trigger that was enabled elsewhere, an event that a watcher
waits for - and by files that change. Only one loop lives over one state directory; another stands by, and takes over
when the first is gone.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from fnmatch import fnmatchcase
from typing import Any, Final

from holdfast.app.triggering.triggers import Triggers, armed_since, is_enabled
from holdfast.app.triggering.watching import Remembered
from holdfast.core.errors import HoldfastError, Refused
from holdfast.core.events import Event
from holdfast.journal.contract import Record
from holdfast.triggers import cron
from holdfast.triggers.agenda import Agenda
from holdfast.triggers.changes import changes, directory_of
from holdfast.triggers.changes import need as need_changes
from holdfast.triggers.definitions import Cron, Scanner, Trigger, Watcher
from holdfast.triggers.patterns import any_fits

WATCH: Final = "watch"  # the lock file of the one loop
STANDBY_S: Final = 1.0
PATIENCE_S: Final = 10.0  # of who wants only one round
SLEEP_MAX_S: Final = 60.0  # the clock of the machine may be set, or stand still while it sleeps
AT_ONCE_MAX: Final = 16  # looks at sources
FAILED_MAX: Final = 100
RETRY_S: Final = 60.0  # a schedule that could not be kept
OURSELVES: Final = "file"  # who armed what the file says is enabled

Row = Mapping[str, Any]
Tell = Callable[[Record], None]


class TriggerLoop:
    def __init__(self, triggers: Triggers, tell: Tell = lambda record: None) -> None:
        self._triggers = triggers
        self._engine = triggers.engine
        self._journal = triggers.engine.journal
        self._tell = tell
        self._agenda = Agenda()
        self._memories: dict[str, Remembered] = {}
        self._busy: dict[str, asyncio.Task[None]] = {}  # triggers that are being looked at
        self._flights: dict[str, asyncio.Task[None]] = {}  # what cron fired, until its end
        self._pending: dict[str, list[float]] = {}  # of crons whose flight has not ended: times that wait for it
        watchers = [trigger for trigger in triggers.definitions.triggers.values() if isinstance(trigger, Watcher)]
        self._listeners = [watcher for watcher in watchers if _patterns(watcher)]
        self._files = {watcher.source.what: watcher for watcher in watchers if watcher.source.type in ("file", "files")}
        self._answered: dict[str, float] = {}  # by cron: the newest time that this process has taken care of
        self._gate = asyncio.Semaphore(AT_ONCE_MAX)
        self._seen = self._journal.last_seq()
        self._wake = asyncio.Event()
        self.failed: deque[str] = deque(maxlen=FAILED_MAX)  # the last things that ended badly

    # -- running

    async def run(self, stop: asyncio.Event) -> None:
        """Until it is told to stop; then what has begun goes on to its end."""
        need_changes()
        async with self._alone(stop) as alone:
            if not alone:
                return
            self.arm()
            async with asyncio.TaskGroup() as group:
                listening = [group.create_task(self._listen(stop)), group.create_task(self._until(stop))]
                while not stop.is_set():
                    self.start_due()
                    await self._sleep()
                for task in listening:
                    task.cancel()
            await self.finish()

    async def once(self) -> None:
        """Everything that is due, and one look at every watcher and scanner."""
        async with self._alone(None):
            self.arm()
            self.start_due()
            await self.finish()

    async def finish(self) -> None:
        """Wait until nothing is under way any more."""
        while self._busy or self._flights:
            await asyncio.wait([*self._busy.values(), *self._flights.values()])
        self.hear()

    async def _sleep(self) -> None:
        next_at = self._agenda.next_at
        wait = SLEEP_MAX_S if next_at is None else min(SLEEP_MAX_S, max(0.0, next_at - self._engine.clock.now()))
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._wake.wait()
        self._wake.clear()

    async def _until(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake.set()

    @asynccontextmanager
    async def _alone(self, stop: asyncio.Event | None) -> AsyncIterator[bool]:
        """Hold the lock of the one loop. Who runs for ever stands by until it is free, who runs once is refused."""
        path = os.path.join(self._engine.parts.home.path, WATCH)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        waited = 0.0
        try:
            while not _locked(lock):
                if stop is None and waited >= PATIENCE_S:
                    raise Refused("another process looks after the triggers", code="locked", hint="it does what is due")
                if stop is not None and stop.is_set():
                    yield False
                    return
                await asyncio.sleep(STANDBY_S)
                waited += STANDBY_S
            yield True
        finally:
            os.close(lock)

    # -- arming

    def arm(self) -> None:
        """Everything that is enabled gets its time, and what was fired by who is dead now its end."""
        self._triggers.firing.interrupt_the_dead()
        for name, row in self._triggers.arm().items():
            self._put(self._triggers.definitions.triggers[name], row)

    def _put(self, trigger: Trigger, row: Row | None) -> None:
        if not is_enabled(trigger, row):
            self._agenda.put(trigger.name, None)
        elif isinstance(trigger, Cron):
            assert row is not None  # armed, so known
            self._agenda.put(trigger.name, cron.next_time(trigger.schedule, trigger.timezone, armed_since(row)))
        elif trigger.name not in self._busy:
            self._agenda.put(trigger.name, self._engine.clock.now())

    # -- waking

    async def _listen(self, stop: asyncio.Event) -> None:
        """What changes: the journal, and files that somebody watches."""
        journal = self._engine.parts.home.journal
        async for paths in changes({journal, *map(directory_of, self._files)}, stop):
            for pattern, watcher in self._files.items():
                if any(fnmatchcase(path, pattern) for path in paths):
                    self._look_now(watcher)
            if any(path.startswith(journal) for path in paths):
                self.hear()

    def hear(self) -> None:
        """Everything that was journaled since the last time, by whomever."""
        for record in self._journal.records(after=self._seen):
            self._seen = record.seq + record.count - 1
            self._tell(record)
            for event in record.events:
                self._heard(event)

    def _heard(self, event: Event) -> None:
        if event.type == "trigger.changed":
            changed = self._triggers.definitions.triggers.get(event.data["name"])
            if changed is not None and event.data.get("by") != OURSELVES:
                self._put(changed, self._journal.trigger_row(changed.name))
                self._wake.set()
        for watcher in self._listeners:
            if any_fits(_patterns(watcher), event.type) and not _is_own(watcher, event):
                self._look_now(watcher)

    def _look_now(self, trigger: Trigger) -> None:
        if trigger.name not in self._busy and self._agenda.at(trigger.name) is not None:
            self._agenda.put(trigger.name, self._engine.clock.now())
            self._wake.set()

    # -- what is due

    def start_due(self) -> None:
        for name in self._agenda.take_due(self._engine.clock.now()):
            self._start(self._triggers.definitions.triggers[name])

    def _start(self, trigger: Trigger) -> None:
        if trigger.name in self._busy:
            return
        task = asyncio.get_running_loop().create_task(self._attend(trigger))
        self._busy[trigger.name] = task

    async def _attend(self, trigger: Trigger) -> None:
        next_at: float | None = None
        try:
            if isinstance(trigger, Cron):
                next_at = self._cron_due(trigger)
            else:
                async with self._gate:
                    next_at = await self._look(trigger)
        except Exception as error:  # whatever goes wrong with one trigger is journaled, and must not stop the others
            if not isinstance(error, HoldfastError):
                logging.getLogger("holdfast").exception("trigger_failed")
            self._skip(trigger, str(error) or type(error).__name__)
            next_at = self._engine.clock.now() + (RETRY_S if isinstance(trigger, Cron) else trigger.interval)
        finally:
            del self._busy[trigger.name]
        if is_enabled(trigger, self._journal.trigger_row(trigger.name)):
            self._agenda.put(trigger.name, next_at)
        self._wake.set()

    async def _look(self, trigger: Watcher | Scanner) -> float:
        if isinstance(trigger, Scanner):
            scan = await self._triggers.scanning.scan(trigger)
            self.failed.extend(f"{trigger.name}: {error}" for error in [scan.error, *scan.done.values()] if error)
            return self._engine.clock.now() + trigger.interval
        memory = self._memories.setdefault(trigger.name, Remembered())
        return (await self._triggers.watching.check(trigger, memory)).next_at

    # -- cron

    def _cron_due(self, trigger: Cron) -> float | None:
        """Answer for everything since the last time; returns when the next is due."""
        now = self._engine.clock.now()
        row = self._journal.trigger_row(trigger.name)
        assert row is not None  # armed, so known
        since = max(armed_since(row), self._answered.get(trigger.name, 0.0))
        missed = cron.missed(trigger.schedule, trigger.timezone, since, now, trigger.misfire)
        if missed is not None:
            self._answered[trigger.name] = missed.due
            if missed.skip:
                self._skip(trigger, "it was missed", count=missed.skip, due=missed.due if not missed.fire else missed.fire[0])
            for number, due in enumerate(missed.fire):
                self._fire_cron(trigger, due, in_turn=number > 0)
        return cron.next_time(trigger.schedule, trigger.timezone, now)

    def _fire_cron(self, trigger: Cron, due: float, *, in_turn: bool) -> None:
        if trigger.name not in self._flights:
            self._take_off(trigger, due)
        elif in_turn or (trigger.overlap == "wait" and not self._pending.get(trigger.name)):
            self._pending.setdefault(trigger.name, []).append(due)
        else:
            self._skip(trigger, "what it fired before has not ended", due=due)

    def _take_off(self, trigger: Cron, due: float) -> None:
        self._flights[trigger.name] = asyncio.get_running_loop().create_task(self._fly(trigger, due))

    async def _fly(self, trigger: Cron, due: float) -> None:
        try:
            await asyncio.gather(self._fire(trigger, due), *(self._check(name) for name in trigger.check))
        finally:
            del self._flights[trigger.name]
            waiting = self._pending.get(trigger.name)
            if waiting:
                self._take_off(trigger, waiting.pop(0))
            self._wake.set()

    async def _fire(self, trigger: Cron, due: float) -> None:
        """That it was due is answered with the start of the action, in one record."""
        fired = Event("trigger.fired", {"name": trigger.name, "action_id": trigger.action, "due": due, "state": None})
        if trigger.action is None:
            self._append(fired)
            return
        source, facts = f"cron:{trigger.name}", {"trigger": trigger.name}
        try:
            done = await self._triggers.firing.fire(trigger.action, source=source, facts=facts, because=[fired])
        except HoldfastError as error:
            self._skip(trigger, error.message, due=due)
        else:
            if not done.execution.success:
                self.failed.append(f"{trigger.name}: {done.execution.error}")

    async def _check(self, name: str) -> None:
        """A watcher or a scanner, now; whatever its own time is."""
        trigger = self._triggers.definitions.triggers[name]
        if is_enabled(trigger, self._journal.trigger_row(name)):
            self._start(trigger)
            await self._busy[name]

    def _skip(self, trigger: Trigger, why: str, **more: Any) -> None:
        self._append(Event("trigger.skipped", {"name": trigger.name, "why": why, **more}))
        self.failed.append(f"{trigger.name}: {why}")

    def _append(self, event: Event) -> None:
        self._journal.append(None, [event], at=self._engine.clock.now())


def _is_own(watcher: Watcher, event: Event) -> bool:
    """Nobody is woken by what he did himself."""
    return event.data.get("name") == watcher.name or event.data.get("source") == f"watcher:{watcher.name}"


def _patterns(watcher: Watcher) -> tuple[str, ...]:
    return (*watcher.wake_on, *([watcher.source.what] if watcher.source.type == "events" else []))


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
