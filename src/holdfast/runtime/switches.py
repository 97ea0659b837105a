"""The dead man's switches of one run: armed on every host before the first change there, off only when it was confirmed.

Which targets have one is a fact of the run, journaled before anything is changed; whoever recovers the run knows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from holdfast.core.errors import Failure, WorldError
from holdfast.core.events import Event
from holdfast.core.plan import Plan, Policy
from holdfast.core.run import Run
from holdfast.drivers.contract import Guard, Move
from holdfast.runtime.book import Book
from holdfast.runtime.fleet import Fleet

Watch = Callable[[Run, Sequence[Event]], None]


def guarded_events(plan: Plan, fleet: Fleet, policy: Policy) -> list[Event]:
    """Which targets will take the run back by themselves, when people have to confirm it."""
    if policy.confirm_within is None:
        return []
    targets = [target for target in sorted({step.target for step in plan.steps}) if _guard(fleet, target) is not None]
    return [Event("run.guarded", {"targets": targets, "within": policy.confirm_within})] if targets else []


def _guard(fleet: Fleet, target: str) -> Guard | None:
    driver = fleet.driver(target, "files")
    return driver if isinstance(driver, Guard) else None


class Switches:
    def __init__(self, plan: Plan, book: Book, fleet: Fleet, run: Run) -> None:
        from asyncio import Lock  # who has a switch has an event loop; who has none pays for neither

        assert run.policy.confirm_within is not None
        self._plan = plan
        self._book = book
        self._run = run.id
        self._within = run.policy.confirm_within
        self._locks = {target: Lock() for target in run.guarded}  # lanes of one target begin side by side
        self._guards = {target: guard for target in run.guarded if (guard := _guard(fleet, target)) is not None}
        self._armed: set[str] = set()
        for guard in self._guards.values():
            guard.expect(run.id, self._within)

    async def arm(self, target: str) -> None:
        guard = self._guards.get(target)
        if guard is None:
            return
        async with self._locks[target]:
            if target not in self._armed:
                await guard.arm(self._run, self._within, self._backwards(target))
                self._armed.add(target)

    async def disarm(self, targets: Sequence[str]) -> Failure | None:
        """All of them, or the reason why the run is not committed."""
        try:
            for target in targets:
                await self._guards[target].disarm(self._run)
        except WorldError as error:
            return error.as_failure()
        return None

    def watching(self, watch: Watch) -> Watch:
        """Tells the hosts when everything is in place."""

        def heard(run: Run, events: Sequence[Event]) -> None:
            if any(event.type == "run.confirming" for event in events):
                for guard in self._guards.values():
                    guard.last_word(run.id)
            watch(run, events)

        return heard

    def _backwards(self, target: str) -> list[Move]:
        steps = [step for step in reversed(self._plan.graph.order) if self._plan.steps[step].target == target]
        return [move for step in steps for move in self._book.moves(step, undo=True)]
