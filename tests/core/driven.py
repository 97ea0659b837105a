"""A run that is driven by hand: its effects come back when and how a test says, and it may die between any two."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from holdfast.core.change import Verdict
from holdfast.core.decide import decide
from holdfast.core.draft import Flights
from holdfast.core.errors import Failure
from holdfast.core.events import Event
from holdfast.core.evolve import evolve
from holdfast.core.plan import Plan
from holdfast.core.run import Run, outline_of
from holdfast.core.stimuli import (
    Apply,
    Asked,
    Began,
    Flying,
    Found,
    Halt,
    Inspect,
    Predict,
    Predicted,
    Recovered,
    Returned,
    StepResult,
    Stimulus,
    Ticked,
)

BROKEN = Failure(code="io_error", message="it broke")


class Driven:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.now = 0.0
        self.events: list[Event] = []
        self.flying: dict[int, Flying] = {}
        self.wake_at: float | None = None
        self._fresh()
        created = {"plan": plan.name, "outline": outline_of(plan), "policy": asdict(plan.policy)}
        for event in (Event("run.created", created), Event("run.prepared", {})):
            evolve(self.run, event)
            self.events.append(event)
        self.hear(Began(self.now))

    def _fresh(self) -> None:
        self.run = Run.of("R1", self.plan, self.plan.policy)
        self._flights = Flights()
        self.flying.clear()

    def refolded(self) -> Run:
        run = Run.of("R1", self.plan, self.plan.policy)
        for event in self.events:
            evolve(run, event)
        return run

    def hear(self, stimulus: Stimulus) -> list[Flying]:
        """What is begun because of it."""
        decision = decide(self.run, self._flights, stimulus)
        self.events += decision.events
        self.wake_at = decision.wake_at
        begun = [effect for effect in decision.effects if not isinstance(effect, Halt)]
        self.flying.update((effect.number, effect) for effect in begun)
        return begun

    def ask(self, verb: str, **data: Any) -> list[Flying]:
        return self.hear(Asked(self.now, verb, {"by": "a person", **data}))

    def pass_until(self, at: float) -> list[Flying]:
        self.now = max(self.now, at)
        return self.hear(Ticked(self.now))

    def die(self, *, resume: bool) -> list[Flying]:
        """Whatever was in flight is never heard of."""
        self._fresh()
        self.run = self.refolded()
        return self.hear(Recovered(self.now, resume, "another"))

    def land(self, number: int, endings: dict[int, str]) -> list[Flying]:
        """An effect that changes comes back; of each of its steps, how."""
        effect = self.flying.pop(number)
        assert isinstance(effect, Apply)
        results = [StepResult(step, endings[step], BROKEN if endings[step] == "failed" else None) for step in effect.steps]
        return self.hear(Returned(self.now, number, results))

    def tell(self, number: int, verdict: Any) -> list[Flying]:
        """An effect that only looks comes back."""
        effect = self.flying.pop(number)
        if isinstance(effect, Inspect):
            return self.hear(Found(self.now, number, {step: verdict(step) for step in effect.steps}))
        assert isinstance(effect, Predict)
        return self.hear(Predicted(self.now, number))

    def name(self, step: int) -> str:
        return self.run.ids[step]

    def number_of(self, name: str) -> int:
        """The effect in flight that is about this step."""
        return next(n for n, effect in self.flying.items() if any(self.name(step) == name for step in effect.steps))

    def comes_back(self, name: str, ending: str = "done") -> list[Flying]:
        number = self.number_of(name)
        return self.land(number, dict.fromkeys(self.flying[number].steps, ending))

    def finish(self) -> Run:
        """Everything goes well from here on; the world is as the run believes."""
        while self.flying:
            number, effect = next(iter(self.flying.items()))
            if isinstance(effect, Apply):
                self.land(number, dict.fromkeys(effect.steps, "done"))
            else:
                self.tell(number, lambda step: Verdict.APPLIED)
        return self.run
