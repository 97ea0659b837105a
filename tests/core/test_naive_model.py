"""Runs, tasks, stages and steps against a model that knows only which steps are in the world, and what needs what."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from holdfast.core.change import Verdict
from holdfast.core.control import refusal
from holdfast.core.plan import Plan, Retry, Step
from holdfast.core.stimuli import Apply, Flying
from holdfast.testing.builders import Ring, a_plan, a_stage, a_step, a_task, snapshot
from tests.core.driven import Driven

VERBS: Final = ("pause", "resume", "cancel", "rollback", "retry", "confirm")


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    tasks: list[Any] = []
    names: list[str] = []
    for task in range(draw(st.integers(1, 3))):
        stages = []
        for stage in range(draw(st.integers(1, 3))):
            steps: list[Step] = []
            for _ in range(draw(st.integers(1, 2))):
                name = f"n{len(names)}"
                operation = draw(st.sampled_from([None, Ring(name, undo=True)]))
                retry = Retry(attempts=2, delay=1.0) if draw(st.integers(0, 4)) == 0 else Retry()
                needs = draw(st.lists(st.sampled_from([step.id for step in steps]), max_size=1)) if steps else []
                steps.append(a_step(name, operation, needs=needs, retry=retry))
                names.append(name)
            stages.append(a_stage(f"stage{stage}", *steps))
        needs = draw(st.lists(st.sampled_from([other.name for other in tasks]), max_size=1)) if tasks else []
        tasks.append(a_task(f"t{task}", *stages, needs=tuple(needs)))
    return a_plan(
        *tasks,
        on_failure=draw(st.sampled_from(["rollback", "stop", "continue"])),
        scope=draw(st.sampled_from(["plan", "task"])),
        parallel=draw(st.integers(1, 4)),
        tasks_at_once=draw(st.integers(1, 3)),
        confirm_within=draw(st.sampled_from([None, None, 5.0])),
    )


def foundations(plan: Plan) -> dict[str, set[str]]:
    """Of each step, all that must be in the world before it: read off the plan, without its graph."""
    whole = {task.name: {step.id for stage in task.stages for step in stage.steps} for task in plan.tasks}
    found: dict[str, set[str]] = {}
    for task in plan.tasks:
        earlier = {step for need in task.needs for step in whole[need]}
        for stage in task.stages:
            for step in stage.steps:
                found[step.id] = earlier | set(step.needs)
            earlier = earlier | {step.id for step in stage.steps}
    return found


class Model(RuleBasedStateMachine):
    """`world` is what a naive observer sees: the steps that are in place."""

    @initialize(plan=plans())
    def begin(self, plan: Plan) -> None:
        self.needs = foundations(plan)
        self.world: set[str] = set()
        self.given_up: set[str] = set()  # undoing them failed
        self.driven = Driven(plan)
        self._look(list(self.driven.flying.values()))

    # -- what a naive observer would object to

    def _look(self, begun: list[Flying]) -> None:
        for effect in begun:
            if isinstance(effect, Apply):
                self._follow(effect)
        self.given_up &= self.world

    def _follow(self, effect: Apply) -> None:
        seen = set(self.world)
        for step in map(self.driven.name, effect.steps):
            if effect.undo:
                built = {other for other in seen if step in self.needs[other]} - self.given_up
                assert not built, f"{step} is undone below {built}"
                seen.discard(step)
            else:
                assert self.needs[step] <= seen, f"{step} is made without {self.needs[step] - seen}"
                seen.add(step)

    @invariant()
    def the_world_is_what_the_run_tells(self) -> None:
        run = self.driven.run
        if not run.over:
            return
        assert not self.driven.flying
        told = {run.ids[number] for number, state in enumerate(run.steps) if state in ("applied", "undo_failed")}
        assert self.world <= told and told - self.world <= self.given_up | self.lost_undo, (self.world, told)
        if run.ending == "committed":
            assert self.world == set(self.needs)
        if run.ending in ("rolled_back", "unchanged"):
            assert not self.world

    @property
    def lost_undo(self) -> set[str]:
        run = self.driven.run
        return {run.ids[number] for number, state in enumerate(run.steps) if state == "undo_failed"}

    @invariant()
    def the_limits_hold(self) -> None:
        going = [effect for effect in self.driven.flying.values() if isinstance(effect, Apply)]
        assert len(going) <= self.driven.plan.policy.parallel
        if self.driven.run.state == "paused":
            assert not going

    @invariant()
    def something_is_always_to_come(self) -> None:
        driven, run = self.driven, self.driven.run
        rests = run.state == "paused" or any(task.state == "paused" for task in run.tasks)
        assert run.over or driven.flying or rests or driven.wake_at is not None, run.state

    @invariant()
    def whoever_reads_the_journal_sees_the_same_run(self) -> None:
        assert snapshot(self.driven.refolded()) == snapshot(self.driven.run)

    # -- what happens

    @precondition(lambda self: self.driven.flying)
    @rule(data=st.data())
    def something_comes_back(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.driven.flying)))
        effect = self.driven.flying[number]
        if isinstance(effect, Apply):
            lucks = ["well", "well", "well", "badly", "unheard", "badly, but made"]
            endings = self._make(effect, data.draw(st.sampled_from(lucks)), data.draw(st.integers(0, 3)))
            self._look(self.driven.land(number, endings))
        else:
            self._look(self.driven.tell(number, self._verdict))

    def _verdict(self, step: int) -> Verdict:
        return Verdict.APPLIED if self.driven.name(step) in self.world else Verdict.NOT_APPLIED

    def _make(self, effect: Apply, luck: str, at: int) -> dict[int, str]:
        """Steps of a batch are made in order; what comes behind a failure is not begun."""
        endings: dict[int, str] = {}
        struck = False
        for place, step in enumerate(effect.steps):
            if struck:
                endings[step] = "skipped"
            elif luck != "well" and place == min(at, len(effect.steps) - 1):
                struck = True
                endings[step] = self._strike(effect, step, luck)
            else:
                endings[step] = self._move(effect, step)
        return endings

    def _move(self, effect: Apply, step: int) -> str:
        name = self.driven.name(step)
        changed = (name in self.world) is effect.undo
        (self.world.discard if effect.undo else self.world.add)(name)
        return "done" if changed else "unchanged"

    def _strike(self, effect: Apply, step: int, luck: str) -> str:
        if luck == "badly, but made" and not effect.undo:
            self._move(effect, step)
        if effect.undo and self.driven.name(step) in self.world:
            self.given_up.add(self.driven.name(step))
        if luck == "unheard" and not effect.undo:
            if step % 2:
                self._move(effect, step)
            return "in_doubt"
        return "failed"

    @rule(verb=st.sampled_from(VERBS), task=st.sampled_from([None, None, "t0", "t1"]), scratch=st.booleans())
    def somebody_asks(self, verb: str, task: str | None, scratch: bool) -> None:
        data: dict[str, Any] = {"task": task} if task and verb != "confirm" else {}
        if verb == "retry":
            data["from"] = "scratch" if scratch else "checkpoint"
        before = snapshot(self.driven.run)
        refused = refusal(self.driven.run, verb, data)
        if verb == "rollback" and self.driven.run.ending == "unchanged":
            return  # whoever asks is refused before
        begun = self.driven.ask(verb, **data)
        if refused is not None and not begun:
            assert snapshot(self.driven.run) == before, refused
        self._look(begun)

    @rule(seconds=st.sampled_from([0.5, 2.0, 6.0]))
    def time_passes(self, seconds: float) -> None:
        self._look(self.driven.pass_until(self.driven.now + seconds))

    @precondition(lambda self: not self.driven.run.over and self.driven.run.state != "paused")
    @rule(resume=st.booleans(), landed=st.booleans())
    def its_process_dies(self, resume: bool, landed: bool) -> None:
        for effect in list(self.driven.flying.values()):
            if landed and isinstance(effect, Apply):
                for step in effect.steps:
                    self._move(effect, step)
        self._look(self.driven.die(resume=resume))

    def teardown(self) -> None:
        """Whatever has happened, everything that is still under way comes to an end."""
        if not hasattr(self, "driven"):
            return
        for _ in range(200):
            if self.driven.run.over or not self.driven.flying:
                break
            number, effect = next(iter(self.driven.flying.items()))
            if isinstance(effect, Apply):
                self._look(self.driven.land(number, self._make(effect, "well", 0)))
            else:
                self._look(self.driven.tell(number, self._verdict))
        assert self.driven.run.over or not self.driven.flying
        self.the_world_is_what_the_run_tells()


Model.TestCase.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
TestModel = Model.TestCase
