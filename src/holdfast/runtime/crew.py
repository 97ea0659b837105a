"""Who performs effects and brings back stimuli: one after the other without an event loop, or side by side on one.

`Inline` serves plans in which nothing waits: local files and memory. Their drivers never suspend, so a coroutine is
simply run to its end; importing and spinning an event loop would cost more than the work itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from holdfast.core.change import Verdict
from holdfast.core.errors import Bug, Failure
from holdfast.core.stimuli import (
    Asked,
    Disarm,
    Disarmed,
    Effect,
    Flying,
    Found,
    Halt,
    Inspect,
    Predict,
    Predicted,
    Returned,
    StepResult,
    Stimulus,
    Ticked,
)
from holdfast.journal.contract import Persisted
from holdfast.runtime.clock import Clock
from holdfast.runtime.perform import Performer

if TYPE_CHECKING:
    import asyncio

POLL_S: Final = 0.1  # how often a waiting run looks whether somebody asked something of it
Asks = Callable[[], Sequence[tuple[str, dict[str, Any]]]]  # what people asked of the run since the last call
T = TypeVar("T")


class Crew(Protocol):
    def start(self, effects: Sequence[Effect], receipt: Persisted) -> None:
        """Begin to perform. The receipt proves that the intents are durable."""
        ...

    async def next(self, wake_at: float | None) -> Stimulus:
        """The next thing that happens; a `Ticked` at `wake_at` at the latest."""
        ...


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends."""
    try:
        work.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    work.close()
    raise Bug("something waited where no event loop runs")


async def perform(performer: Performer, effect: Flying, clock: Clock) -> Stimulus:
    if isinstance(effect, Disarm):
        return Disarmed(clock.now(), effect.number, await performer.disarm(effect))
    if isinstance(effect, Inspect):
        verdicts = await performer.look(effect)
        return Found(clock.now(), effect.number, verdicts)
    if isinstance(effect, Predict):
        await performer.predict()
        return Predicted(clock.now(), effect.number)
    results = await performer.apply(effect)
    return Returned(clock.now(), effect.number, results)


def _interrupted(effect: Flying, now: float, *, begun: bool) -> Stimulus:
    """What a halted effect returns when its driver had nothing to say."""
    if isinstance(effect, Disarm):
        return Disarmed(now, effect.number, Failure(code="cancelled", message="it was interrupted"))
    if isinstance(effect, Inspect):
        return Found(now, effect.number, dict.fromkeys(effect.steps, Verdict.UNKNOWN))
    if isinstance(effect, Predict):
        return Predicted(now, effect.number)
    failure = Failure(code="in_doubt", message="it was interrupted", doubtful=True)
    return Returned(
        now, effect.number, [StepResult(step, "in_doubt" if begun else "skipped", failure) for step in effect.steps]
    )


class Inline:
    """One effect after the other, in the calling thread."""

    def __init__(self, performer: Performer, clock: Clock, asks: Asks) -> None:
        self._performer = performer
        self._clock = clock
        self._asks = asks
        self._asked: deque[tuple[str, dict[str, Any]]] = deque()
        self._todo: deque[Flying] = deque()

    def start(self, effects: Sequence[Effect], receipt: Persisted) -> None:
        self._todo.extend(effect for effect in effects if not isinstance(effect, Halt))

    async def next(self, wake_at: float | None) -> Stimulus:
        while True:
            self._asked.extend(self._asks())
            if self._asked:
                verb, data = self._asked.popleft()
                return Asked(self._clock.now(), verb, data)
            if self._todo:
                return await perform(self._performer, self._todo.popleft(), self._clock)
            now = self._clock.now()
            if wake_at is not None and now >= wake_at:
                return Ticked(now)
            self._clock.pause(POLL_S if wake_at is None else min(POLL_S, wake_at - now))


class SideBySide:
    """Effects as tasks of an event loop; what happens first is told first."""

    def __init__(self, performer: Performer, clock: Clock, asks: Asks) -> None:
        import asyncio

        self._asyncio = asyncio
        self._performer = performer
        self._clock = clock
        self._asks = asks
        self._inbox: asyncio.Queue[Stimulus | BaseException] = asyncio.Queue()
        self._tasks: dict[int, asyncio.Task[Stimulus]] = {}
        self._begun: set[int] = set()
        self._halted: set[int] = set()

    def start(self, effects: Sequence[Effect], receipt: Persisted) -> None:
        for effect in effects:
            if isinstance(effect, Halt):
                task = self._tasks.get(effect.number)
                if task is not None:
                    self._halted.add(effect.number)
                    task.cancel()
            else:
                self._tasks[effect.number] = task = self._asyncio.create_task(self._work(effect))
                task.add_done_callback(partial(self._landed, effect))

    async def _work(self, effect: Flying) -> Stimulus:
        self._begun.add(effect.number)
        return await perform(self._performer, effect, self._clock)

    def _landed(self, effect: Flying, task: asyncio.Task[Stimulus]) -> None:
        """Whatever happens, something comes back; also from what was halted before it began."""
        del self._tasks[effect.number]
        if not task.cancelled():
            self._inbox.put_nowait(task.exception() or task.result())
        elif effect.number in self._halted:
            self._inbox.put_nowait(_interrupted(effect, self._clock.now(), begun=effect.number in self._begun))

    async def next(self, wake_at: float | None) -> Stimulus:
        while True:
            for verb, data in self._asks():
                self._inbox.put_nowait(Asked(self._clock.now(), verb, data))
            found = await self._heard(wake_at)
            if isinstance(found, BaseException):  # a disk that failed, a mistake of ours: it ends the run
                raise found
            if found is not None:
                return found

    async def _heard(self, wake_at: float | None) -> Stimulus | BaseException | None:
        """What has come, else what comes within a moment. To wait for no time at all would not even get what has come."""
        now = self._clock.now()
        if self._inbox.empty() and wake_at is not None and now >= wake_at:
            await self._asyncio.sleep(0)  # who is told the time again and again still lets the effects go on
            if self._inbox.empty():
                return Ticked(now)
        if not self._inbox.empty():
            return self._inbox.get_nowait()
        try:
            return await self._asyncio.wait_for(self._inbox.get(), POLL_S if wake_at is None else min(POLL_S, wake_at - now))
        except TimeoutError:
            return None

    async def close(self) -> None:
        """Interrupt what is still under way and wait for it."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await self._asyncio.gather(*tasks, return_exceptions=True)
