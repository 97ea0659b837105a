"""One check of a watcher: look, decide, respond, and look again before anything is called resolved."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from holdfast.app.engine import Engine
from holdfast.app.triggering.firing import Firing, Rejected
from holdfast.core.errors import Refused
from holdfast.core.events import Event
from holdfast.triggers.conditions import holds
from holdfast.triggers.definitions import Watcher
from holdfast.triggers.sources import Sources
from holdfast.triggers.values import Value
from holdfast.triggers.watching import TRIGGERED, Decision, Standing, decide


@dataclass(slots=True)
class Remembered:
    """What a watcher remembers between two checks, and may forget when its process ends."""

    looked_at: float | None = None
    failures: int = 0
    states: dict[str, float] = field(default_factory=dict)  # since when it is seen, where the source does not say
    trouble: str | None = None  # what was journaled already, so that it is not told again and again:
    put_off: str | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of it."""

    watcher: Watcher
    value: Value
    holds: bool
    next_at: float
    fired: tuple[str, ...] = ()  # actions

    def plain(self) -> dict[str, Any]:
        match = {"name": self.watcher.name, "value": self.value.shown, "actions": [r.action for r in self.watcher.respond]}
        return {"matches": [match] if self.holds else [], "fired": list(self.fired), "error": self.value.error}


class Watching:
    def __init__(self, engine: Engine, sources: Sources, firing: Firing) -> None:
        self._engine = engine
        self._sources = sources
        self._firing = firing

    async def check(self, watcher: Watcher, memory: Remembered, *, dry_run: bool = False) -> Checked:
        """With `dry_run` it only looks."""
        clock = self._engine.clock
        value, true = await self._look(watcher, memory)
        if dry_run:
            return Checked(watcher, value, true, clock.now())
        self._tell_trouble(watcher, memory, value.error)
        fired: list[str] = []
        while True:
            standing = Standing.of(self._engine.journal.trigger_row(watcher.name))
            if self._is_under_way(watcher, standing):
                return Checked(watcher, value, true, clock.now() + watcher.interval, tuple(fired))
            decision = decide(watcher, standing, value, true, clock.now())
            self._append(*decision.events)
            if decision.fire is None:
                return Checked(watcher, value, true, decision.next_at, tuple(fired))
            later = await self._respond(watcher, memory, decision, value)
            if later is not None:
                return Checked(watcher, value, true, later, tuple(fired))
            fired.append(watcher.respond[decision.fire].action)
            value, true = await self._look(watcher, memory)

    # -- look

    async def _look(self, watcher: Watcher, memory: Remembered) -> tuple[Value, bool]:
        now = self._engine.clock.now()
        since = now - watcher.interval if memory.looked_at is None else memory.looked_at
        value = _dated(await self._sources.value(watcher.source, since=since), memory, now)
        memory.looked_at = now
        memory.failures = 0 if value.error is None else memory.failures + 1
        return value, holds(watcher.condition, value, memory.failures, self._engine.clock.now())

    def _is_under_way(self, watcher: Watcher, standing: Standing) -> bool:
        """Does another process still respond? A response that never ended, and runs nowhere, failed with its process."""
        response = standing.response
        if standing.state != TRIGGERED or standing.done_at is not None or response is None or response >= len(watcher.respond):
            return False
        return self._firing.executes(watcher.respond[response].action)

    # -- respond

    async def _respond(self, watcher: Watcher, memory: Remembered, decision: Decision, value: Value) -> float | None:
        """Fire; or, when the action may not be fired now, the time at which to try again."""
        assert decision.fire is not None
        action = watcher.respond[decision.fire].action
        refusal = self._firing.refusal(action)
        if refusal is not None:
            return self._put_off(watcher, memory, refusal)
        data = {"name": watcher.name, "action_id": action, "state": TRIGGERED, "response": decision.fire, "value": value.shown}
        facts = {"value": value.text, "trigger": watcher.name}
        try:
            await self._firing.fire(
                action, source=f"watcher:{watcher.name}", facts=facts, because=[Event("trigger.fired", data)]
            )
        except Refused as refused:  # somebody else was faster
            return self._put_off(watcher, memory, refused)
        memory.put_off = None
        return None

    def _put_off(self, watcher: Watcher, memory: Remembered, refusal: Refused) -> float:
        """It stays where it is, and tries again."""
        remaining = refusal.remaining_s if isinstance(refusal, Rejected) else None
        why = refusal.message if remaining is None else "its action cools down"
        if memory.put_off != why:
            self._append(Event("trigger.skipped", {"name": watcher.name, "why": refusal.message}))
            memory.put_off = why
        wait = watcher.interval if remaining is None else min(watcher.interval, remaining)
        return self._engine.clock.now() + max(wait, 0.01)

    def _tell_trouble(self, watcher: Watcher, memory: Remembered, error: str | None) -> None:
        """A source that fails is journaled when it begins to, not at every check."""
        if error is not None and memory.trouble is None:
            self._append(Event("trigger.skipped", {"name": watcher.name, "why": f"its source failed: {error}"}))
        memory.trouble = error

    def _append(self, *events: Event) -> None:
        if events:
            self._engine.journal.append(None, events, at=self._engine.clock.now())


def _dated(value: Value, memory: Remembered, now: float) -> Value:
    """States of unknown age are as old as we know them."""
    names = {state for state, since in value.states if since is None}
    memory.states = {name: memory.states.get(name, now) for name in names}
    if not names:
        return value
    return replace(value, states=[(state, memory.states[state] if since is None else since) for state, since in value.states])
