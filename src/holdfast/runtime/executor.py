"""The whole loop. If a decision appears here, it is in the wrong file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf

from holdfast.core.decide import decide
from holdfast.core.draft import Flights
from holdfast.core.events import Event
from holdfast.core.run import Run
from holdfast.core.stimuli import Stimulus, Ticked
from holdfast.journal.contract import Journal
from holdfast.runtime.clock import Clock
from holdfast.runtime.crew import Crew
from holdfast.runtime.pulse import Pulse

Watch = Callable[[Run, Sequence[Event]], None]


async def drive(
    run: Run,
    stimulus: Stimulus,
    *,
    journal: Journal,
    crew: Crew,
    clock: Clock,
    watch: Watch,
    first: Sequence[Event] = (),
    fence: int | None = None,
    rests: bool = False,
) -> None:
    """Take a stimulus, decide, make it durable, have it done; until the run has an ending, or where it may, `rests`.

    `first` are events that are part of the run already and become durable together with the first decision.
    """
    flights = Flights()
    receipt = None
    pulse = Pulse(run, clock.now())
    while True:
        decision = decide(run, flights, stimulus)
        if decision.events:
            receipt = journal.append(run.id, [*first, *decision.events], at=clock.now(), fence=fence)
            watch(run, decision.events)
            pulse.hear(decision.events, clock.now())
            first = ()
        if run.over or (rests and run.state == "paused" and not flights.by_number):
            return
        if decision.effects and receipt is not None:
            crew.start(decision.effects, receipt)
        stimulus = await _next(crew, decision.wake_at, pulse, lambda events: watch(run, events), clock)


async def _next(
    crew: Crew, wake_at: float | None, pulse: Pulse, publish: Callable[[Sequence[Event]], None], clock: Clock
) -> Stimulus:
    """The next thing that happens; a heart beats meanwhile."""
    while True:
        beats = pulse.due(clock.now())
        if beats:
            publish(beats)
        until = min(pulse.next_at, inf if wake_at is None else wake_at)
        stimulus = await crew.next(None if until == inf else until)
        if not isinstance(stimulus, Ticked) or (wake_at is not None and stimulus.now >= wake_at):
            return stimulus
