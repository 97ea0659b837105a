"""Behaviour as wrappers around any driver, never as flags inside one.

`ReadOnly` lets nothing be changed, `DryRun` only pretends, `Traced` tells what was asked, `Faulty` fails where it is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from holdfast.core.change import Look, State, Verdict, classify
from holdfast.core.errors import Failure
from holdfast.drivers.contract import (
    DONE,
    SKIPPED,
    UNCHANGED,
    Activating,
    Batch,
    Carrier,
    Driver,
    Ending,
    Guard,
    Keeper,
    Move,
    Outcome,
)
from holdfast.drivers.one_by_one import one_by_one
from holdfast.kinds.states import depth_of

_BESIDE: Final = tuple(
    verb for ability in (Activating, Carrier, Guard, Keeper) for verb in vars(ability) if not verb.startswith("_")
)
_LANDED: Final = (Ending.DONE, Ending.UNCHANGED)
_REFUSED: Final = Outcome(
    Ending.FAILED, Failure(code="permission_denied", message="this driver may only look", hint="use another one")
)


class Wrapper:
    """Passes everything on."""

    def __init__(self, inner: Driver) -> None:
        self.inner = inner
        # Found by isinstance only where they really stand: since Python 3.12 it does not ask `__getattr__`.
        vars(self).update(
            (verb, getattr(inner, verb)) for verb in _BESIDE if hasattr(inner, verb) and not hasattr(type(self), verb)
        )

    async def inspect(self, looks: Sequence[Look]) -> Mapping[str, State]:
        return await self.inner.inspect(looks)

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        return await self.inner.apply(batch)

    async def settle(self, moves: Sequence[Move]) -> None:
        await self.inner.settle(moves)

    async def close(self) -> None:
        await self.inner.close()

    def __getattr__(self, name: str) -> Any:
        """Whatever else the driver inside can do."""
        return getattr(self.inner, name)


# -- looking only


class ReadOnly(Wrapper):
    """Every move is refused."""

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        return [_REFUSED] * len(batch.moves)

    async def settle(self, moves: Sequence[Move]) -> None:
        """Dropping what was kept would be a change as well."""


class DryRun(Wrapper):
    """Looks where it would move, answers what would come of it, and from then on sees what it pretends."""

    def __init__(self, inner: Driver) -> None:
        super().__init__(inner)
        self.pretended: dict[str, State] = {}

    async def inspect(self, looks: Sequence[Look]) -> Mapping[str, State]:
        found = dict(await self.inner.inspect([look for look in looks if look.key not in self.pretended]))
        found.update((look.key, self.pretended[look.key]) for look in looks if look.key in self.pretended)
        return found

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        return await one_by_one(batch, self._pretend)

    async def _pretend(self, move: Move) -> Outcome:
        change = move.change
        if change.runs or change.origin is not None:  # an effect has no state to compare, and a move has two
            self.pretended[change.key] = change.after
            return DONE
        depth = max(depth_of(change.before), depth_of(change.after), key=lambda d: d.value)
        verdict = classify(change, (await self.inspect([Look(change.key, depth)]))[change.key])
        if verdict is Verdict.APPLIED:
            return UNCHANGED
        if verdict is Verdict.FOREIGN:
            return Outcome(Ending.FAILED, Failure(code="foreign_change", message=f"{change.key} is not what was expected"))
        self.pretended[change.key] = change.after
        return DONE

    async def settle(self, moves: Sequence[Move]) -> None:
        """Nothing was kept."""


# -- telling what was asked


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a driver: what was asked for, what came back, and how long it took."""

    verb: str
    asked: Sequence[Any]
    answer: Any
    duration_s: float


class Traced(Wrapper):
    """Tells of every call after it returned; one that raises is not told."""

    def __init__(self, inner: Driver, tell: Callable[[Call], None], monotonic: Callable[[], float]) -> None:
        super().__init__(inner)
        self._tell = tell
        self._monotonic = monotonic

    async def inspect(self, looks: Sequence[Look]) -> Mapping[str, State]:
        began = self._monotonic()
        found = await self.inner.inspect(looks)
        self._tell(Call("inspect", looks, found, self._monotonic() - began))
        return found

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        began = self._monotonic()
        outcomes = await self.inner.apply(batch)
        self._tell(Call("apply", batch.moves, outcomes, self._monotonic() - began))
        return outcomes

    async def settle(self, moves: Sequence[Move]) -> None:
        began = self._monotonic()
        await self.inner.settle(moves)
        self._tell(Call("settle", moves, None, self._monotonic() - began))


# -- failing on purpose


class Moment(str, Enum):
    """When a fault strikes the move that it is meant for."""

    BEFORE = "before"  # nothing of the move was made
    DURING = "during"  # it was made, but its answer is lost
    AFTER = "after"  # it was made, and then it failed all the same


class Died(Exception):
    """The process was killed here. No driver raises it, and nothing but a test or a rehearsal catches it."""


_FAILURE: Final = Failure(code="io_error", message="a failure was injected here")
_UNHEARD: Final = Outcome(Ending.IN_DOUBT, Failure(code="in_doubt", message="an answer was lost on purpose", doubtful=True))


class Faulty(Wrapper):
    """Fails at the `at`-th move (the first is 1) that goes forward, or with `undo` at one that goes back; then never again.

    Instead of a number `at` may be the id of the move that is meant.
    `deadly` kills instead of failing: whoever called the driver does not live to hear of it.
    """

    def __init__(
        self,
        inner: Driver,
        at: int | str,
        moment: Moment = Moment.BEFORE,
        *,
        deadly: bool = False,
        undo: bool = False,
        failure: Failure = _FAILURE,
    ) -> None:
        super().__init__(inner)
        self.at = at
        self.moment = moment
        self.deadly = deadly
        self.undo = undo
        self.failure = failure
        self.struck: Move | None = None
        self._made = 0

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        place = self._place(batch)
        return await self.inner.apply(batch) if place is None else await self._apply_around(batch, place)

    def _place(self, batch: Batch) -> int | None:
        """Where in the batch the fault strikes."""
        counted = [place for place, move in enumerate(batch.moves) if move.undo is self.undo]
        if isinstance(self.at, str):
            return next((place for place in counted if batch.moves[place].id == self.at and self.struck is None), None)
        first, self._made = self._made, self._made + len(counted)
        return counted[self.at - first - 1] if first < self.at <= self._made else None

    async def _apply_around(self, batch: Batch, place: int) -> list[Outcome]:
        outcomes = list(await self.inner.apply(replace(batch, moves=batch.moves[:place])))
        lost = {number for number, outcome in enumerate(outcomes) if outcome.ending not in _LANDED}
        move = batch.moves[place]
        if lost.intersection(move.needs) if batch.keep_going else lost:
            outcomes.append(SKIPPED)
        else:
            outcomes.append(await self._strike(move))
        lost.add(place)
        rest = batch.moves[place + 1 :]
        if not batch.keep_going:
            return [*outcomes, *[SKIPPED] * len(rest)]
        return [*outcomes, *await self._go_on(rest, place + 1, lost)]

    async def _strike(self, move: Move) -> Outcome:
        self.struck = move
        if self.moment is not Moment.BEFORE:
            (outcome,) = await self.inner.apply(Batch((move._replace(needs=()),)))
            if outcome.ending not in _LANDED:
                return outcome
        if self.deadly:
            raise Died(move.id)
        return _UNHEARD if self.moment is Moment.DURING else Outcome(Ending.FAILED, self.failure)

    async def _go_on(self, moves: Sequence[Move], start: int, lost: set[int]) -> list[Outcome]:
        """The rest of a batch that keeps going: what needs a lost move is skipped, everything else is made."""
        going: list[int] = []
        for place, move in enumerate(moves, start):
            if lost.intersection(move.needs):
                lost.add(place)
            else:
                going.append(place)
        positions = {place: number for number, place in enumerate(going)}
        some = [moves[place - start] for place in going]
        some = [move._replace(needs=tuple(positions[need] for need in move.needs if need in positions)) for move in some]
        made = dict(zip(going, await self.inner.apply(Batch(tuple(some), True)), strict=True))
        return [made.get(place, SKIPPED) for place in range(start, start + len(moves))]
