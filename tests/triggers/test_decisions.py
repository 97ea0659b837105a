"""The decisions of watchers under whatever happens: seeded lives of random watchers, folded by a real journal."""

from __future__ import annotations

import random

import pytest

from holdfast.core.events import Event
from holdfast.journal.memory import MemoryJournal
from holdfast.triggers.definitions import Condition, Response, Source, Watcher
from holdfast.triggers.values import Value
from holdfast.triggers.watching import TRIGGERED, Decision, Standing, decide


def some_watcher(chance: random.Random) -> Watcher:
    respond = [
        Response(
            action=f"a{number}", after=chance.choice([0.0, 0.0, 5.0, 60.0]), requires_previous_failure=chance.random() < 0.3
        )
        for number in range(chance.randrange(5))
    ]
    return Watcher(name="w", source=Source("runs"), condition=Condition(exceeds=1), interval=10.0, respond=respond)


class Life:
    """One watcher, and everything that is decided about it."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.watcher = some_watcher(self.chance)
        self.journal = MemoryJournal()
        self.now = 1000.0
        self.fired: list[int] = []  # since it was last at rest
        self.last_failed = False

    @property
    def standing(self) -> Standing:
        return Standing.of(self.journal.trigger_row("w"))

    def look(self) -> None:
        holds = self.chance.random() < 0.7
        while True:
            before = self.standing
            decision = decide(self.watcher, before, Value(text="2"), holds, self.now)
            self.check(before, decision, holds)
            if decision.events:
                self.journal.append(None, decision.events, at=self.now)
            if decision.fire is None:
                break
            self.respond(decision.fire)
            holds = self.chance.random() < 0.7
        self.now = max(decision.next_at, self.now + 0.001) if self.chance.random() < 0.8 else self.now + 3.0

    def respond(self, number: int) -> None:
        data = {"name": "w", "action_id": f"a{number}", "state": TRIGGERED, "response": number}
        self.journal.append(None, [Event("trigger.fired", data)], at=self.now)
        self.fired.append(number)
        self.now += self.chance.choice([0.1, 20.0])
        self.last_failed = self.chance.random() < 0.4
        done = {"id": "x", "action_id": f"a{number}", "source": "watcher:w", "success": not self.last_failed}
        self.journal.append(None, [Event("action.completed", done)], at=self.now)

    def check(self, before: Standing, decision: Decision, holds: bool) -> None:
        kinds = [event.type for event in decision.events]
        assert decision.fire is None or holds
        assert ("trigger.resolved" in kinds) == (before.state is not None and not holds)
        assert decision.fire is not None or decision.next_at > self.now
        assert decision.next_at <= self.now + self.watcher.interval
        if before.state is None:
            self.fired = []
        if decision.fire is not None:
            assert all(number < decision.fire for number in self.fired)
            assert self.last_failed or not self.fired or not self.watcher.respond[decision.fire].requires_previous_failure
        if "trigger.escalated" in kinds:
            assert holds
            left = self.watcher.respond[self.fired[-1] + 1 :]
            assert all(response.requires_previous_failure for response in left)
            assert not left or not self.last_failed


@pytest.mark.parametrize("seed", range(60))
def test_nobody_responds_out_of_turn_and_nothing_is_called_resolved_that_is_not(seed: int) -> None:
    """W01, W02, W03, W04, W05, W08"""
    life = Life(seed)
    for _ in range(80):
        life.look()
