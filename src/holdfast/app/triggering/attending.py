"""Triggers beside other work: in one thread with an event loop of its own, asked from any other thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillUnderWay
from contextlib import closing
from threading import Thread
from typing import Any, Final, TypeVar

from holdfast.app.engine import Engine
from holdfast.app.looking.tracking import execution
from holdfast.app.triggering.loop import TriggerLoop
from holdfast.app.triggering.triggers import Triggers
from holdfast.core.errors import Refused
from holdfast.triggers.definitions import Triggers as Definitions

ANSWER_S: Final = 20.0  # so long an action is waited for before it is told to be under way

T = TypeVar("T")


class Attending:
    def __init__(self, open_engine: Callable[[], Engine], definitions: Definitions) -> None:
        self.definitions = definitions
        self._open_engine = open_engine
        self._up: Future[tuple[Triggers, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = Thread(target=lambda: asyncio.run(self._attend()), name="triggers", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._up.result()

    async def _attend(self) -> None:
        stop = asyncio.Event()
        async with self._open_engine() as engine:
            with closing(Triggers(engine, self.definitions)) as triggers:
                self._up.set_result((triggers, asyncio.get_running_loop(), stop))
                await TriggerLoop(triggers).run(stop)

    @property
    def engine(self) -> Engine:
        """Whose runs the actions begin."""
        return self._up.result()[0].engine

    def stop(self) -> None:
        """Nothing more is fired; what was begun goes on."""
        _, loop, stop = self._up.result()
        if self._thread.is_alive():
            loop.call_soon_threadsafe(stop.set)

    def join(self, limit_s: float) -> None:
        self._thread.join(limit_s)

    # -- asked from other threads

    def fire(self, action: str, *, source: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The execution: complete, or, when it takes long, as it was begun."""
        asked = self._ask(lambda triggers: triggers.fire(action, source=source, variables=variables))
        try:
            return asked.result(ANSWER_S).plain()
        except StillUnderWay:
            journal = self.engine.journal
            row = journal.action_row(action)
            found = None if row is None or row["execution"] is None else journal.execution(row["execution"])
            return {**execution(found), "ending": None} if found is not None else asked.result().plain()

    def check(self, trigger: str, *, dry_run: bool) -> dict[str, Any]:
        return self._ask(lambda triggers: triggers.check(trigger, dry_run=dry_run)).result()

    def switch(self, trigger: str, on: bool, *, by: str) -> dict[str, Any]:
        triggers = self._up.result()[0]
        return triggers.enable(trigger, by=by) if on else triggers.disable(trigger, by=by)

    def _ask(self, do: Callable[[Triggers], Coroutine[Any, Any, T]]) -> Future[T]:
        triggers, loop, _ = self._up.result()
        if not self._thread.is_alive():
            raise Refused("the server is stopping", code="overloaded")
        return asyncio.run_coroutine_threadsafe(do(triggers), loop)
