"""The laws of every driver and of every kind, whatever its family, as suites for those that other packages bring.

Subclass `DriverSuite` or `KindSuite` in a test module and say what is to be tried; pytest collects the methods. A driver of
paths is held to more by `holdfast.testing.conformance`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.core.change import Change, Depth, Look, Resource, State
from holdfast.core.plan import Operation, Plan, Stage, Step, Task
from holdfast.core.predict import Prediction, predict
from holdfast.drivers.contract import Batch, Driver, Ending, Outcome
from holdfast.testing.conformance import moves_of, undoing

TARGET = "local"


@dataclass
class Trial:
    """A driver, changes that it can make in the world as it is, each of a resource of its own, and two eyes.

    `manifest` sees everything there is; `disturb` is somebody else, who brings a resource into neither of its two states.
    """

    driver: Driver
    changes: Sequence[Change]
    manifest: Callable[[], Any]
    disturb: Callable[[str], None]
    run: Callable[[Coroutine[Any, Any, Any]], Any] = asyncio.run

    def apply(self, *moves: Any, keep_going: bool = False) -> list[Outcome]:
        return list(self.run(self.driver.apply(Batch(moves, keep_going))))

    def endings(self, *moves: Any, keep_going: bool = False) -> list[Ending]:
        return [outcome.ending for outcome in self.apply(*moves, keep_going=keep_going)]


class DriverSuite:
    """The laws that stand in `holdfast.drivers.contract`."""

    def trial(self, tmp_path: Any) -> Trial:
        raise NotImplementedError

    def test_undo_restores_the_world_exactly(self, tmp_path: Any) -> None:
        t = self.trial(tmp_path)
        before, moves = t.manifest(), moves_of(t.changes)
        for _ in range(2):
            assert t.endings(*moves) == [Ending.DONE] * len(moves)
            assert t.manifest() != before
            assert t.endings(*undoing(moves)) == [Ending.DONE] * len(moves)
            assert t.manifest() == before

    def test_what_is_there_already_is_unchanged(self, tmp_path: Any) -> None:
        t = self.trial(tmp_path)
        before, moves = t.manifest(), moves_of(t.changes)
        assert t.endings(*undoing(moves)) == [Ending.UNCHANGED] * len(moves)
        assert t.manifest() == before
        t.apply(*moves)
        after = t.manifest()
        assert t.endings(*moves) == [Ending.UNCHANGED] * len(moves)
        assert t.manifest() == after

    def test_looking_leaves_no_trace_and_tells_both_states(self, tmp_path: Any) -> None:
        t = self.trial(tmp_path)
        looks = [Look(change.key) for change in t.changes]
        before = t.manifest()
        assert all(t.run(t.driver.inspect(looks))[change.key].same(change.before) for change in t.changes)
        assert t.manifest() == before
        t.apply(*moves_of(t.changes))
        assert all(t.run(t.driver.inspect(looks))[change.key].same(change.after) for change in t.changes)

    def test_what_somebody_else_changed_is_refused_and_stays(self, tmp_path: Any) -> None:
        t = self.trial(tmp_path)
        moves = moves_of(t.changes)
        t.disturb(t.changes[0].key)
        disturbed = t.manifest()
        for move in (moves[0], undoing(moves)[-1]):
            (outcome,) = t.apply(move)
            assert outcome.ending is Ending.FAILED
            assert outcome.failure is not None and outcome.failure.code == "foreign_change"
            assert t.manifest() == disturbed

    def test_a_failure_stops_what_comes_after_it_unless_the_rest_is_to_go_on(self, tmp_path: Any) -> None:
        t = self.trial(tmp_path)
        moves = moves_of(t.changes)
        t.disturb(t.changes[0].key)
        rest = len(moves) - 1
        assert t.endings(*moves) == [Ending.FAILED, *[Ending.SKIPPED] * rest]
        assert t.endings(*moves, keep_going=True) == [Ending.FAILED, *[Ending.DONE] * rest]

    def test_settling_can_be_repeated_and_changes_nothing_that_can_be_seen(self, tmp_path: Any) -> None:
        t = self.trial(tmp_path)
        moves = moves_of(t.changes)
        t.apply(*moves)
        after = t.manifest()
        for _ in range(2):
            t.run(t.driver.settle(moves))
        assert t.manifest() == after


class KindSuite:
    """What `holdfast.core.plan.Operation` promises. `seen` is what the driver would say of each key that is claimed."""

    def operation(self) -> Operation:
        raise NotImplementedError

    def seen(self) -> Mapping[str, State]:
        raise NotImplementedError

    def _predicted(self) -> Prediction:
        """One step after the other, both of the same operation."""
        operation, seen = self.operation(), self.seen()
        one, other = (Step(id=name, kind=operation.kind, operation=operation, target=TARGET) for name in ("one", "other"))
        stages = (Stage(name="first", steps=(one,)), Stage(name="then", steps=(other,)))
        plan = Plan(name="trial", tasks=(Task(name="main", stages=stages, target=TARGET),))
        return predict(plan, {Resource(TARGET, key): (Depth.NODE, state) for key, state in seen.items()})

    def test_it_fits_what_was_seen_and_does_something(self) -> None:
        found = self._predicted()
        assert (found.problems, found.missing) == ((), ())
        assert any(change.changes for change in found.changes[0])

    def test_everything_it_changes_is_claimed(self) -> None:
        claimed = {claim.key for claim in self.operation().claims() if claim.writes}
        assert {change.key for change in self._predicted().changes[0]} <= claimed

    def test_the_same_view_gives_the_same_changes(self) -> None:
        assert self._predicted().changes == self._predicted().changes

    def test_what_it_did_it_need_not_do_again(self) -> None:
        assert not any(change.changes and not change.runs for change in self._predicted().changes[1])
