"""The whole loop. If a decision appears here, it is in the wrong file."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from holdfast.core.decide import decide
from holdfast.core.draft import Flights
from holdfast.core.events import Event
from holdfast.core.run import Run
from holdfast.core.stimuli import Stimulus
from holdfast.journal.contract import Journal
from holdfast.runtime.clock import Clock
from holdfast.runtime.crew import Crew

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
) -> None:
    """Take a stimulus, decide, make it durable, have it done; until the run has an ending.

    `first` are events that are part of the run already and become durable together with the first decision.
    """
    flights = Flights()
    receipt = None
    while True:
        decision = decide(run, flights, stimulus)
        if decision.events:
            receipt = journal.append(run.id, [*first, *decision.events], at=clock.now(), fence=fence)
            watch(run, decision.events)
            first = ()
        if run.over:
            return
        if decision.effects and receipt is not None:
            crew.start(decision.effects, receipt)
        stimulus = await crew.next(decision.wake_at)
