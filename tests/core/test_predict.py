"""The fold over all steps: what it asks for, what it says, and that it says the same twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from holdfast.core.change import FACTS, Change, Claim, Depth, Facts, Guarantee, Resource
from holdfast.core.plan import Plan, Stage, Step, Task
from holdfast.core.predict import Prediction, Unfit, View, looks_of, predict
from holdfast.kinds.node import ABSENT, Node

HERE = Node("file")


@dataclass(frozen=True)
class Toggle:
    """Makes or takes away a key, if another one is there."""

    kind: ClassVar[str] = "toggle"
    family: ClassVar[str] = "files"
    batched: ClassVar[bool] = True

    key: str
    there: bool = True
    needs: str | None = None
    deep: bool = False
    effect: bool = False

    def claims(self) -> Sequence[Claim]:
        return [Claim(self.key, depth=Depth.TREE if self.deep else Depth.NODE)]

    def changes(self, view: View, /) -> Sequence[Change]:
        if self.needs is not None and not state(view, self.needs).exists:
            raise Unfit("source_not_found", f"no {self.needs}", missing=self.needs)
        after = HERE if self.there else ABSENT
        return [
            Change(
                self.key,
                state(view, self.key),
                after,
                Guarantee.COMPENSABLE if self.effect else Guarantee.ATOMIC,
                runs=self.effect,
            )
        ]


def state(view: View, key: str) -> Node:
    made = view.made(key)
    found = view.seen(key) if made is None else made.after
    assert isinstance(found, Node)
    return found


def plan(*operations: Toggle, needs: dict[int, int] | None = None) -> Plan:
    before = needs or {}
    steps = tuple(
        Step(id=f"s{n}", kind="toggle", operation=op, needs=(f"s{before[n]}",) if n in before else ())
        for n, op in enumerate(operations)
    )
    return Plan(name="p", tasks=(Task(name="t", stages=(Stage(name="g", steps=steps),)),))


def seen(**states: Node):
    found = {Resource("local", key): (Depth.NODE, node) for key, node in states.items()}
    return {Resource("local", FACTS): (Depth.NODE, Facts()), **found}


def test_a_step_sees_what_the_steps_before_it_made():
    found = predict(plan(Toggle("a"), Toggle("b", needs="a"), needs={1: 0}), seen(a=ABSENT, b=ABSENT))
    assert not found.problems and [c.action.value for step in found.changes for c in step] == ["create", "create"]


def test_what_was_not_looked_at_is_asked_for_at_once():
    found = predict(plan(Toggle("a", needs="x"), Toggle("b", needs="y")), seen(a=ABSENT, b=ABSENT))
    assert found.missing == ((Resource("local", "x"), Depth.NODE), (Resource("local", "y"), Depth.NODE))


def test_a_problem_is_told_once_where_it_arises():
    steps = plan(Toggle("a", needs="x"), Toggle("b", needs="a"), Toggle("c"), needs={1: 0})
    found = predict(steps, seen(a=ABSENT, b=ABSENT, c=ABSENT, x=ABSENT))
    assert [(problem.step, problem.code) for problem in found.problems] == [("s0", "source_not_found")]
    assert found.changes[1] == () and len(found.changes[2]) == 1


def test_the_step_that_comes_too_late_is_named():
    found = predict(plan(Toggle("b", needs="a"), Toggle("a")), seen(a=ABSENT, b=ABSENT))
    assert "needs: [s1]" in found.problems[0].hint


def test_a_step_that_came_before_is_not_named():
    steps = plan(Toggle("a", there=False), Toggle("b", needs="a"), needs={1: 0})
    found = predict(steps, seen(a=HERE, b=ABSENT))
    assert "needs" not in found.problems[0].hint


def test_each_key_is_looked_at_once_and_as_deep_as_anybody_asks():
    looks = looks_of(plan(Toggle("a"), Toggle("a", deep=True), Toggle("a"), needs={1: 0, 2: 1}))
    assert [(look.key, look.depth) for look in looks["local"]] == [(FACTS, Depth.NODE), ("a", Depth.TREE)]


def test_effects_leave_no_state_behind():
    found = predict(plan(Toggle("a", effect=True), Toggle("b", needs="a"), needs={1: 0}), seen(a=ABSENT, b=ABSENT))
    assert found.problems[0].code == "source_not_found"


def test_a_step_is_as_safe_as_its_least_safe_change():
    one, other = Change("a", ABSENT, HERE), Change("b", ABSENT, HERE, Guarantee.COMPENSABLE)
    assert Prediction(((one,),), ()).guarantee(0) is Guarantee.ATOMIC
    assert Prediction(((one, one),), ()).guarantee(0) is Guarantee.REVERSIBLE
    assert Prediction(((one, other),), ()).guarantee(0) is Guarantee.COMPENSABLE
    assert Prediction(((one, Change("b", HERE, HERE, Guarantee.COMPENSABLE)),), ()).guarantee(0) is Guarantee.ATOMIC


def test_the_same_world_gives_the_same_prediction():
    steps, world = plan(Toggle("a"), Toggle("b", needs="a"), Toggle("c", needs="z")), seen(a=ABSENT, b=HERE, c=ABSENT, z=ABSENT)
    before = dict(world)
    assert predict(steps, world) == predict(steps, world)
    assert world == before
