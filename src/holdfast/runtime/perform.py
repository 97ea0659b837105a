"""Do what an effect says, with the drivers of a fleet, and tell what came back. No decision is made here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from holdfast.core.change import Change, Depth, Look, Verdict, classify
from holdfast.core.errors import Failure, WorldError
from holdfast.core.plan import Plan
from holdfast.core.stimuli import Apply, Disarm, Inspect, Lane, StepResult
from holdfast.drivers.contract import UNCHANGED, Activating, Batch, Ending, Keeper, Move, Outcome
from holdfast.kinds.states import depth_of
from holdfast.runtime.book import Book, entries_of
from holdfast.runtime.chains import Chains, chains_of, never_made
from holdfast.runtime.fleet import Fleet, Together, family_of, one_after_the_other
from holdfast.runtime.prepare import prepare

if TYPE_CHECKING:
    from holdfast.runtime.switches import Switches

# Families whose effects may simply be made again: nobody is harmed by being asked or told twice.
REPEATABLE: Final = frozenset({"probe", "approval", "service"})


class Performer:
    """Performs the effects of one run."""

    def __init__(
        self,
        plan: Plan,
        book: Book,
        fleet: Fleet,
        *,
        keep_going: bool,
        switches: Switches | None = None,
        together: Together = one_after_the_other,
    ) -> None:
        self.plan = plan
        self.book = book
        self.fleet = fleet
        self.keep_going = keep_going
        self.keeps = plan.policy.on_failure == "stop"
        self._switches = switches
        self._together = together
        self._chains: dict[Lane, Chains] = {}

    async def apply(self, effect: Apply) -> list[StepResult]:
        moves, spans = self._moves(effect)
        if not moves:
            return [StepResult(step, "unchanged") for step in effect.steps]
        try:
            idle = await self._never_made(effect) if effect.doubtful else set()
            outcomes = await self._make(effect, moves, idle)
        except WorldError as error:
            if error.code == "storage_failed":
                raise
            outcomes = [Outcome(Ending.FAILED, error.as_failure())] * len(moves)
        return [self._result(effect, step, moves[span], outcomes[span]) for step, span in zip(effect.steps, spans, strict=True)]

    async def predict(self) -> None:
        """The world stands again as it was predicted from: take from it what making the changes needs."""
        prepared = await prepare(self.plan, self.fleet, self._together)
        self.book.renew(entries_of(self.plan, prepared.prediction))

    async def disarm(self, effect: Disarm) -> Failure | None:
        return None if self._switches is None else await self._switches.disarm(effect.targets)

    async def _make(self, effect: Apply, moves: Sequence[Move], idle: set[str]) -> Sequence[Outcome]:
        if self._switches is not None and not effect.undo:
            await self._switches.arm(effect.lane.target)
        driver = self.fleet.driver(effect.lane.target, effect.lane.family)
        wanted = tuple(move for move in moves if move.id not in idle) if idle else tuple(moves)
        made = iter(await driver.apply(Batch(wanted, effect.undo or self.keep_going, self.keeps))) if wanted else iter(())
        return [UNCHANGED if move.id in idle else next(made) for move in moves]

    async def _never_made(self, effect: Apply) -> set[str]:
        """Of resources that several steps change: the changes the world shows no trace of."""
        chains = self._chains_on(effect.lane)
        if not chains.turns:
            return set()
        looks = [
            Look(key, max((depth_of(state) for turn in turns for state in (turn.before, turn.after)), key=_depth))
            for key, turns in chains.turns.items()
        ]
        driver = self.fleet.driver(effect.lane.target, effect.lane.family)
        found = await driver.inspect(looks)
        moves = {turn.id: Move(turn.id, turn.change) for turns in chains.turns.values() for turn in turns}
        untouched = await driver.untouched(list(moves.values())) if isinstance(driver, Keeper) else set()
        sure = {name for name, step in self._names(effect) if step not in effect.doubtful}
        return never_made(chains, found, untouched, sure)

    def _names(self, effect: Apply) -> Iterator[tuple[str, int]]:
        """The ids of all changes of an effect, with their steps."""
        for step in effect.steps:
            for number in range(len(self.book.by_step.get(step, ()))):
                yield self.book.id_of(step, number), step

    def _chains_on(self, lane: Lane) -> Chains:
        found = self._chains.get(lane)
        if found is None:
            order = [step for step in self.plan.graph.order if self._is_of(step, lane)]
            changes = [
                (self.book.id_of(step, number), change)
                for step in order
                for number, change in enumerate(self.book.by_step.get(step, ()))
            ]
            found = self._chains[lane] = chains_of(changes)
        return found

    def _is_of(self, step: int, lane: Lane) -> bool:
        found = self.plan.steps[step]
        return found.target == lane.target and found.operation.family == lane.family

    def _moves(self, effect: Apply) -> tuple[list[Move], list[slice]]:
        """All moves of the batch, and which of them belong to each step."""
        moves: list[Move] = []
        spans: list[slice] = []
        last: dict[int, int] = {}  # by step: the position of its last move
        graph, steps = self.plan.graph, self.plan.steps
        for step in effect.steps:
            needs = () if effect.undo else tuple([last[need] for need in graph.needs[step] if need in last])
            start = len(moves)
            moves += self.book.moves(step, undo=effect.undo, timeout=steps[step].timeout, needs=needs)
            if not effect.undo and len(moves) - start > 1:
                moves[start + 1 :] = [
                    move._replace(needs=(position,)) for position, move in enumerate(moves[start + 1 :], start)
                ]
            spans.append(slice(start, len(moves)))
            if len(moves) > start:
                last[step] = len(moves) - 1
        return moves, spans

    def _result(self, effect: Apply, step: int, moves: Sequence[Move], outcomes: Sequence[Outcome]) -> StepResult:
        if not outcomes:
            return StepResult(step, "unchanged")
        outcome, culprit = (outcomes[0], 0) if len(outcomes) == 1 else _sum_up(outcomes)
        residue = self._residue(step, moves[culprit].change, outcome) if effect.undo and outcome.failure else None
        return StepResult(step, outcome.ending.value, outcome.failure, outcome.duration_s, outcome.output, residue)

    def _residue(self, step: int, change: Change, outcome: Outcome) -> Mapping[str, str]:
        assert outcome.failure is not None
        failure = outcome.failure
        return {
            "step": self.plan.steps[step].id,
            "resource": f"{self.plan.steps[step].target}:{change.key}",
            "reason": f"{failure.code}: {failure.message}",
            "what_to_do": failure.hint,
            "kept": outcome.kept,
        }

    async def look(self, effect: Inspect) -> dict[int, Verdict]:
        """What became of steps in doubt."""
        verdicts = {step: await self._verdict(step) for step in effect.steps}
        made: dict[Lane, list[int]] = {}
        for step, verdict in verdicts.items():
            if verdict is Verdict.APPLIED:
                operation = self.plan.steps[step].operation
                made.setdefault(Lane(self.plan.steps[step].target, operation.family, operation.batched), []).append(step)
        for lane, steps in made.items():
            if not await self._is_effective(lane, steps):
                verdicts |= dict.fromkeys(steps, Verdict.UNKNOWN)
        return verdicts

    async def _is_effective(self, lane: Lane, steps: Sequence[int]) -> bool:
        """Where changes are configured first and made effective later, the second may not have happened."""
        driver = self.fleet.driver(lane.target, lane.family)
        if not isinstance(driver, Activating):
            return True
        try:
            await driver.confirm([change for step in steps for change in self.book.by_step[step] if change.changes])
        except WorldError:
            return False
        return True

    async def _verdict(self, step: int) -> Verdict:
        verdicts = {await self._classify(step, change) for change in self.book.by_step.get(step, ()) if change.changes}
        if verdicts <= {Verdict.APPLIED}:
            return Verdict.APPLIED
        for verdict in (Verdict.FOREIGN, Verdict.UNKNOWN):
            if verdict in verdicts:
                return verdict
        return Verdict.NOT_APPLIED  # also when half of it was: applying again goes on where it stopped

    async def _classify(self, step: int, change: Change) -> Verdict:
        operation = self.plan.steps[step].operation
        if change.runs and operation.family in REPEATABLE:
            return Verdict.NOT_APPLIED
        key = getattr(operation, "question", None) if change.runs else change.key  # the check of a command, if it has one
        if key is None:
            return Verdict.UNKNOWN
        driver = self.fleet.driver(self.plan.steps[step].target, family_of(key))
        depth = max(depth_of(change.before), depth_of(change.after), key=_depth)
        try:
            found = await driver.inspect([Look(key, depth)])
        except WorldError:
            return Verdict.UNKNOWN
        return classify(change, found[key])


def _depth(depth: Depth) -> int:
    return int(depth.value)


def _sum_up(outcomes: Sequence[Outcome]) -> tuple[Outcome, int]:
    """What came of a step whose changes ended like these, and which of them says why."""
    ending, culprit = _worst([outcome.ending for outcome in outcomes])
    said = "\n".join(outcome.output for outcome in outcomes if outcome.output)
    took = sum(outcome.duration_s for outcome in outcomes)
    return replace(outcomes[culprit], ending=ending, duration_s=took, output=said), culprit


def _worst(endings: Sequence[Ending]) -> tuple[Ending, int]:
    for worst in (Ending.IN_DOUBT, Ending.FAILED):
        if worst in endings:
            return worst, endings.index(worst)
    if all(ending is Ending.SKIPPED for ending in endings):
        return Ending.SKIPPED, 0
    if Ending.DONE in endings:
        return Ending.DONE, endings.index(Ending.DONE)
    return Ending.UNCHANGED, 0
