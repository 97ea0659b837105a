"""Commands to a run at its edges: while it is being prepared, and when it is just over. Who was told yes is heard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread

import pytest

import holdfast
from holdfast import Holdfast
from holdfast.core.events import Event as Told
from holdfast.core.run import Run
from holdfast.runtime.clock import SystemClock
from tests.app.conftest import PlanOf


@pytest.mark.parametrize("on_loop", [False, True])
def test_a_run_that_is_cancelled_before_it_begins_does_not_commit(
    hf: Holdfast, state: str, plan_of: PlanOf, root: Path, on_loop: bool
) -> None:
    def cancel(run: Run, events: Sequence[Told]) -> None:
        """Somebody else asks, as soon as there is something to ask it of."""
        if events[0].type == "run.created":
            with holdfast.open(state) as other:
                assert other.ask(run.id, "cancel", by="manual:bob") is not None

    hf.parts.watchers.append(cancel)
    steps = [{"file": "a", "content": "new\n"}, *([{"command": ["true"], "undo": ["true"]}] if on_loop else [])]
    result = hf.apply(plan_of(*steps))
    assert (result.ending, result.errors[0]["code"]) == ("rolled_back", "cancelled")
    assert not (root / "a").exists()


class Patient(SystemClock):
    """Tells when somebody begins to wait."""

    def __init__(self) -> None:
        self.waits = Event()

    def pause(self, seconds: float) -> None:
        self.waits.set()
        super().pause(seconds)


def test_a_run_that_is_told_to_be_over_can_be_rolled_back_at_once(
    hf: Holdfast, state: str, plan_of: PlanOf, root: Path
) -> None:
    """Its locks are given back a moment later, which is nothing that anybody has to know of."""
    clock, endings = Patient(), []

    def roll_back(run: str) -> None:
        try:
            with holdfast.open(state, clock=clock) as other:
                endings.append(other.rollback(run).ending)
        finally:
            clock.waits.set()

    def hear(run: Run, events: Sequence[Told]) -> None:
        if events[-1].type == "run.committed":
            asking.append(Thread(target=roll_back, args=(run.id,)))
            asking[0].start()
            clock.waits.wait()

    asking: list[Thread] = []
    hf.parts.watchers.append(hear)
    assert hf.apply(plan_of({"file": "a", "content": "new\n"})).ending == "committed"
    asking[0].join()
    assert (endings, (root / "a").exists()) == (["rolled_back"], False)


def test_what_only_undo_needed_is_dropped_before_the_locks_are_free(hf: Holdfast, plan_of: PlanOf) -> None:
    """Who gets the locks may try the run again, and would keep anew what is dropped."""
    run = hf.apply(plan_of({"file": "a", "content": "new\n"}, {"command": ["false"], "undo": ["true"], "needs": []})).run
    last = [event["type"] for event in hf.events(run)][-3:]
    assert last == ["run.rolled_back", "run.settled", "lock.released"]
