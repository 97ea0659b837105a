"""A state directory, a folder with triggers.yaml and real programs, and a clock that only the test moves."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from holdfast.app.engine import Engine
from holdfast.app.home import Home
from holdfast.app.parts import Parts
from holdfast.app.triggering.loop import TriggerLoop
from holdfast.app.triggering.triggers import Triggers
from holdfast.app.wiring import Wiring
from holdfast.journal.sqlite import SqliteJournal
from holdfast.testing.builders import VirtualClock
from holdfast.triggers.definitions import Triggers as Definitions
from holdfast.triggers.file import parse

Test = Callable[..., Coroutine[Any, Any, None]]
MINUTE = 60.0
HOUR = 3600.0
DAY = 86400.0
NOON = 1_767_268_800.0  # 2026-01-01, a Thursday, 12:00 UTC


def on_loop(test: Test) -> Callable[..., None]:
    """The test is a coroutine."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


class Scene:
    """What a process sees. `opened` is one life of a process: what it knows, it knows from the journal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = VirtualClock(NOON)
        self.home = Home(str(folder / "state"))

    def program(self, name: str, script: str) -> str:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return f"./{name}"

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    async def until(self, name: str, lines: list[str]) -> None:
        """What was started goes on until a program wrote this."""
        async with asyncio.timeout(20):
            while self.lines(name) != lines:
                await asyncio.sleep(0.001)

    def old(self, name: str, age: float, content: str = "x") -> Path:
        """A file that was last changed so long ago."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        for each in (path, path.parent):
            os.utime(each, (self.clock.now() - age, self.clock.now() - age))
        return path

    def defined(self, text: str) -> Definitions:
        return parse(f"holdfast: 1\n{text}", base=str(self.folder))

    @contextmanager
    def opened(self, text: str) -> Iterator[Life]:
        self.home.make()
        parts = Parts(self.home, SqliteJournal.open(self.home.journal), Wiring(self.home), clock=self.clock)
        triggers = Triggers(Engine(parts), self.defined(text))
        try:
            yield Life(triggers, self.clock)
        finally:
            triggers.close()
            parts.close()


class Life:
    """A process with its loop, which moves only when the test says so."""

    def __init__(self, triggers: Triggers, clock: VirtualClock) -> None:
        self.triggers = triggers
        self.engine = triggers.engine
        self.clock = clock
        self.loop = TriggerLoop(triggers)

    async def tick(self, seconds: float = 0.0) -> None:
        """Let time pass, do everything that is due then, and wait for its end."""
        self.start(seconds)
        await self.loop.finish()

    def start(self, seconds: float = 0.0) -> None:
        """The same without waiting."""
        if seconds:
            self.clock.pause(seconds)
        self.loop.start_due()

    async def until(self, type_: str, count: int = 1) -> None:
        """What was started goes on until so many of these events are there."""
        await asyncio.sleep(0)  # so that it begins
        async with asyncio.timeout(20):
            while len(self.events(type_)) < count:
                await asyncio.sleep(0.001)

    async def fire(self, action: str, **variables: Any) -> Any:
        return (await self.triggers.fire(action, source="manual:alice", variables=variables)).execution

    def events(self, *types: str) -> list[dict[str, Any]]:
        found = [(e.type, e.data) for record in self.engine.journal.records() for e in record.events]
        return [{"type": type_, **data} for type_, data in found if not types or type_ in types]

    def types(self) -> list[str]:
        """What was journaled about triggers and actions, without what arms and what runs say."""
        wanted = ("trigger.", "action.", "cleanup.")
        return [event["type"] for event in self.events() if event["type"].startswith(wanted) and "changed" not in event["type"]]

    def listed(self, name: str) -> dict[str, Any]:
        return next(each for each in self.triggers.triggers() if each["name"] == name)

    def history(self) -> list[Any]:
        """Oldest first: action, source, success."""
        rows = self.engine.journal.executions(limit=1000)
        return [(row["action_id"], row["source"], row["success"]) for row in reversed(rows)]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)
