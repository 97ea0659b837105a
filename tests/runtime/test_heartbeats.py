"""A task that is worked on says so: at once, every ten seconds, also in a long step, and never after its end."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import holdfast
from holdfast.core.events import Event
from holdfast.core.evolve import evolve
from holdfast.core.run import Run, outline_of
from holdfast.core.stimuli import Effect, Flying, Stimulus, Ticked
from holdfast.journal.contract import Persisted
from holdfast.runtime import pulse as beating
from holdfast.runtime.crew import perform
from holdfast.runtime.pulse import Pulse
from holdfast.testing.builders import EPOCH, Trial, VirtualClock, a_plan, a_stage, a_task

PLAN = a_plan(a_task("t", a_stage("one", "a"), a_stage("two", "b"), a_stage("three", "c")), a_task("u", "d"))


def followed(*events: Event) -> tuple[Run, Pulse]:
    run = Run.told("R1", outline_of(PLAN))
    run.state = "running"
    pulse = Pulse(run, 0.0)
    tell(run, pulse, 0.0, *events)
    return run, pulse


def tell(run: Run, pulse: Pulse, now: float, *events: Event) -> None:
    for event in events:
        evolve(run, event)
    pulse.hear(events, now)


def beats(pulse: Pulse, now: float) -> list[tuple[int | None, int, int]]:
    found = [event for event in pulse.due(now) if event.type == "task.heartbeat"]
    return [(event.task, event.data["done"], event.data["total"]) for event in found]


STARTED = Event("task.started", task=0)


def test_b01_the_first_beat_comes_at_once_and_the_last_tells_how_far_it_is() -> None:
    run, pulse = followed(STARTED, Event("stage.started", task=0, stage=0))
    assert beats(pulse, 0.0) == [(0, 0, 3)]
    assert beats(pulse, 9.9) == []
    tell(run, pulse, 9.9, Event("step.applying", task=0, steps=(0,)), Event("step.applied", task=0, steps=(0,)))
    assert beats(pulse, 10.0) == [(0, 1, 3)]
    assert beats(pulse, 25.0) == [(0, 1, 3)]


def test_b03_after_its_end_a_task_does_not_beat() -> None:
    run, pulse = followed(STARTED)
    assert len(beats(pulse, 0.0)) == 1
    tell(run, pulse, 5.0, Event("task.failed", {"error": {}}, task=0))
    assert beats(pulse, 100.0) == []


def test_a_task_that_rests_does_not_beat_and_one_that_goes_on_does_at_once() -> None:
    run, pulse = followed(STARTED)
    beats(pulse, 0.0)
    tell(run, pulse, 1.0, Event("task.pausing", task=0), Event("task.paused", task=0))
    assert beats(pulse, 50.0) == []
    tell(run, pulse, 60.0, Event("task.resumed", task=0))
    assert beats(pulse, 60.0) == [(0, 0, 3)]


def test_progress_is_told_once_a_second_at_most_and_only_when_there_is_some() -> None:
    run, pulse = followed(STARTED, Event("stage.started", task=0, stage=0))
    tell(run, pulse, 0.5, Event("step.applying", task=0, steps=(0,)), Event("step.applied", task=0, steps=(0,)))
    told = [event.data for at in (0.5, 0.9, 1.0, 1.5, 9.0) for event in pulse.due(at) if event.type == "run.progress"]
    assert told == [{"done": 1, "total": 4, "percent": 25.0}]


# -- while a run is driven


class Long:
    """A crew whose effects take their time."""

    def __init__(self, performer: Any, clock: VirtualClock, takes: float) -> None:
        self._performer, self._clock, self._takes = performer, clock, takes
        self._flying: list[tuple[float, Flying]] = []

    def start(self, effects: Sequence[Effect], receipt: Persisted) -> None:
        self._flying += [(self._clock.now() + self._takes, effect) for effect in effects]  # type: ignore[misc]

    async def next(self, wake_at: float | None) -> Stimulus:
        at, effect = self._flying[0]
        if wake_at is not None and wake_at < at:
            self._clock.pause(max(0.0, wake_at - self._clock.now()))
            return Ticked(self._clock.now())
        self._clock.pause(at - self._clock.now())
        self._flying.pop(0)
        return await perform(self._performer, effect, self._clock)


class Watched(Trial):
    """Each stage of its plan takes 35 seconds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.seen: list[tuple[float, Event]] = []
        self.watch = lambda run, events: self.seen.extend((self.clock.now() - EPOCH, event) for event in events)

    def _crew(self, run: Run, book: Any) -> Any:
        return Long(super()._crew(run, book)._performer, self.clock, 35.0)


def test_b04_a_long_step_beats_all_the_while_and_nothing_of_it_is_journaled() -> None:
    trial = Watched(a_plan(a_task("t", a_stage("one", "a"), a_stage("two", "b"))))
    trial.go()
    found = [(at, event.data["done"]) for at, event in trial.seen if event.type == "task.heartbeat"]
    assert found == [(0, 0), (10, 0), (20, 0), (30, 0), (40, 1), (50, 1), (60, 1)]
    assert [at for at, event in trial.seen if event.type == "task.completed"] == [70]
    assert not {"task.heartbeat", "run.progress"} & {event.type for event in trial.events}


# -- as subscribers of an engine see it


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beating, "BEAT_S", 0.2)


def waiting(tmp_path: Path) -> holdfast.Plan:
    wait = [{"wait": "900ms"}]
    stages = [{"name": name, "steps": wait} for name in ("one", "two")]
    return holdfast.parse({"holdfast": 1, "name": "slow", "tasks": [{"name": "t", "tenant": "acme", "stages": stages}]})


def test_a_heart_that_beats_without_a_rest_does_not_keep_the_steps_from_their_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a machine so slow that the next beat is due when one was told."""
    monkeypatch.setattr(beating, "BEAT_S", 0.0)
    plan = holdfast.parse({"holdfast": 1, "name": "short", "steps": [{"wait": "10ms"}]})
    with holdfast.open(tmp_path / "state") as hf:
        assert hf.apply(plan).ending == "committed"


def test_a_subscriber_hears_the_heart_beat_between_the_events(tmp_path: Path, quick: None) -> None:
    async def listen() -> tuple[list[dict[str, Any]], float]:
        began = time.monotonic()
        async with holdfast.Engine.open(str(tmp_path / "state")) as engine:
            driving = asyncio.create_task(engine.apply(waiting(tmp_path)))
            while not engine.runs():
                await asyncio.sleep(0.01)
            found = [event async for event in engine.events("last")]
            await driving
            return found, time.monotonic() - began

    events, took = asyncio.run(listen())
    journaled = [event for event in events if event["seq"] is not None]
    assert [event["plan_seq"] for event in journaled] == list(range(1, len(journaled) + 1))
    published = [event for event in events if event["seq"] is None]
    assert {event["type"] for event in published} >= {"task.heartbeat"}
    assert all(event["task"] == "t" for event in published if event["type"] == "task.heartbeat")
    assert 2 <= sum(event["type"] == "task.heartbeat" for event in published) <= took / 0.2 + 2
    assert events[-1]["seq"] is not None


def test_e06_a_subscriber_that_fails_disturbs_neither_the_run_nor_the_others(tmp_path: Path, quick: None) -> None:
    heard: list[str] = []

    def bad(run: Run, events: Sequence[Event]) -> None:
        raise RuntimeError("I am broken")

    with holdfast.open(str(tmp_path / "state")) as hf:
        hf.parts.watchers += [bad, lambda run, events: heard.extend(event.type for event in events)]
        assert hf.apply(waiting(tmp_path)).ending == "committed"
    assert "task.heartbeat" in heard and heard[-1] in ("run.committed", "lock.released")


def test_b03_no_thread_is_left(tmp_path: Path, quick: None) -> None:
    before = threading.active_count()
    with holdfast.open(str(tmp_path / "state")) as hf:
        hf.apply(waiting(tmp_path))
    assert threading.active_count() == before
