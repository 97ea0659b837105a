"""What a run hears (stimuli) and what it wants done (effects), as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from holdfast.core.change import Verdict
from holdfast.core.errors import Failure
from holdfast.core.events import Event


class Lane(NamedTuple):
    """Where the effects of a step travel: one driver of one target. Batched steps of a lane travel together."""

    target: str
    family: str
    batched: bool


# -- stimuli


@dataclass(frozen=True, slots=True)
class Began:
    now: float


class StepResult(NamedTuple):
    """What came back about one step. `ending`: done, unchanged, failed, in_doubt, or skipped (never begun)."""

    step: int
    ending: str
    failure: Failure | None = None
    duration_s: float = 0.0
    output: str = ""
    residue: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Returned:
    """An effect is over."""

    now: float
    effect: int
    results: Sequence[StepResult]


@dataclass(frozen=True, slots=True)
class Found:
    """An inspection of steps in doubt is over."""

    now: float
    effect: int
    verdicts: Mapping[int, Verdict]


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody wants something of the run."""

    now: float
    verb: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time passed; nothing else happened."""

    now: float


@dataclass(frozen=True, slots=True)
class Recovered:
    """The run was folded from the journal, because its owner is dead."""

    now: float
    resume: bool
    owner: str  # who goes on with it


@dataclass(frozen=True, slots=True)
class Disarmed:
    """The switches of the run are off; or one of them is not, or has fired already."""

    now: float
    effect: int
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Predicted:
    """The plan was predicted anew."""

    now: float
    effect: int


Stimulus = Began | Returned | Found | Asked | Ticked | Recovered | Disarmed | Predicted


# -- effects


@dataclass(frozen=True, slots=True)
class Apply:
    """Make the changes of these steps in this order; with `undo` take them back.

    Of `doubtful` steps nobody knows how far they came: before they are undone, the world is asked.
    """

    number: int
    lane: Lane
    steps: tuple[int, ...]
    undo: bool = False
    doubtful: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Inspect:
    """Look whether the changes of these steps were made."""

    number: int
    steps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Disarm:
    """Turn off the dead man's switches of the run: it was confirmed."""

    number: int
    targets: tuple[str, ...]
    steps: tuple[int, ...] = ()  # none: it is about the run


@dataclass(frozen=True, slots=True)
class Predict:
    """Work out anew what these steps need: the world was taken back to where they begin."""

    number: int
    steps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Halt:
    """Interrupt an effect in flight; it still returns."""

    number: int


Flying = Apply | Inspect | Disarm | Predict  # what comes back as a stimulus
Effect = Flying | Halt


@dataclass(frozen=True, slots=True)
class Decision:
    events: Sequence[Event]
    effects: Sequence[Effect]
    wake_at: float | None = None  # send a `Ticked` by then
