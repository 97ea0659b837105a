"""The order of a plan: the author's first, then what the claims add; never a cycle, and never a guess."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.change import Claim
from holdfast.core.errors import PlanError, Problem
from holdfast.core.graph import Graph, build
from holdfast.core.plan import Stage, Step, Task


class Claiming:
    """An operation that is nothing but its claims."""

    kind = "claiming"
    family = "none"
    batched = True

    def __init__(self, *claims: Claim) -> None:
        self._claims = claims

    def claims(self) -> Sequence[Claim]:
        return self._claims

    def changes(self, view: Any, /) -> tuple[()]:
        return ()


class Heeding(Claiming):
    """One that writes a key, and comes after the writers of others."""

    def __init__(self, key: str, *heeded: str) -> None:
        super().__init__(writes(key))
        self._heeded = heeded

    def heeds(self) -> Sequence[str]:
        return self._heeded


def writes(key: str, **more: Any) -> Claim:
    return Claim(key, **more)


def reads(key: str, **more: Any) -> Claim:
    return Claim(key, writes=False, **more)


def a_step(name: str, *claims: Claim, needs: Sequence[str] = (), target: str = "local") -> Step:
    return Step(id=name, kind="claiming", operation=Claiming(*claims), needs=tuple(needs), target=target)


def heeding(name: str, key: str, *heeded: str, needs: Sequence[str] = (), target: str = "local") -> Step:
    return Step(id=name, kind="heeding", operation=Heeding(key, *heeded), needs=tuple(needs), target=target)


def a_task(name: str, *stages: Sequence[Step], needs: Sequence[str] = ()) -> Task:
    named = tuple(Stage(name=f"stage{number}", steps=tuple(steps)) for number, steps in enumerate(stages))
    return Task(name=name, stages=named, needs=tuple(needs))


def needs_in(*steps: Step) -> dict[str, set[str]]:
    """Who waits for whom when all steps stand in one stage."""
    return named(build([a_task("main", steps)]), steps)


def named(graph: Graph, steps: Sequence[Step]) -> dict[str, set[str]]:
    return {step.id: {steps[need].id for need in graph.needs[number]} for number, step in enumerate(steps)}


def problems_in(*tasks: Task) -> list[Problem]:
    with pytest.raises(PlanError) as caught:
        build(tasks)
    return list(caught.value.problems)


# -- what the claims add


def test_a_step_waits_for_the_maker_of_what_it_works_in():
    assert needs_in(a_step("dir", writes("/a")), a_step("file", writes("/a/b/c")), a_step("aside", writes("/ab"))) == {
        "dir": set(), "file": {"dir"}, "aside": set(),
    }  # fmt: skip


def test_a_reader_waits_for_the_earlier_writer_and_a_later_writer_for_the_readers():
    assert needs_in(a_step("make", writes("/a")), a_step("look", reads("/a")), a_step("change", writes("/a"))) == {
        "make": set(), "look": {"make"}, "change": {"look"},
    }  # fmt: skip


def test_a_reader_above_its_writer_in_the_file_is_before_it():
    assert needs_in(a_step("look", reads("/a")), a_step("make", writes("/a"))) == {"look": set(), "make": {"look"}}


def test_readers_do_not_wait_for_one_another():
    assert needs_in(a_step("one", reads("/a")), a_step("two", reads("/a"))) == {"one": set(), "two": set()}


def test_the_same_key_on_another_target_is_another_resource():
    assert needs_in(a_step("here", writes("/a")), a_step("there", writes("/a/b"), target="memory")) == {
        "here": set(),
        "there": set(),
    }


def test_a_claim_may_be_on_another_target_than_its_step():
    source = reads("/a/source", target="local")
    assert needs_in(a_step("make", writes("/a")), a_step("send", source, target="memory"))["send"] == {"make"}


def test_a_claim_beneath_a_path_meets_everything_below_it():
    found = needs_in(
        a_step("below", writes("/a/b")),
        a_step("look", reads("/a/c/d")),
        a_step("aside", writes("/ab")),
        a_step("tree", writes("/a", beneath=True)),
        a_step("late", reads("/a/b/e")),
    )
    assert found == {"below": set(), "look": set(), "aside": set(), "tree": {"below", "look"}, "late": {"tree", "below"}}


def test_readers_beneath_a_path_do_not_wait_for_readers_below_it():
    assert needs_in(a_step("low", reads("/a/b")), a_step("deep", reads("/a", beneath=True)))["deep"] == set()
    assert needs_in(a_step("deep", reads("/a", beneath=True)), a_step("low", writes("/a/b")))["low"] == {"deep"}


def test_the_root_is_above_everything():
    assert needs_in(a_step("root", writes("/")), a_step("any", writes("/a")), a_step("all", reads("/", beneath=True))) == {
        "root": set(), "any": {"root"}, "all": {"root", "any"},
    }  # fmt: skip


def test_keys_that_are_no_paths_have_nothing_above_them():
    assert needs_in(a_step("one", writes("alias")), a_step("two", writes("alias2"))) == {"one": set(), "two": set()}


def test_claims_follow_the_order_of_the_author_and_not_of_the_file():
    assert needs_in(a_step("file", writes("/a/b"), needs=["dir"]), a_step("dir", writes("/a"))) == {
        "file": {"dir"},
        "dir": set(),
    }
    assert needs_in(a_step("look", reads("/a"), needs=["make"]), a_step("make", writes("/a")))["make"] == set()


# -- two writers


def test_two_writers_without_an_order_are_a_problem_at_the_second():
    (problem,) = problems_in(a_task("main", [a_step("one", writes("/a")), a_step("two", writes("/a"))]))
    assert (problem.code, problem.step) == ("two_writers", "two")
    assert "`one` and `two` both write local:/a" in problem.message and "needs: [one]" in problem.hint


def test_every_pair_of_writers_is_told():
    steps = [a_step(f"s{n}", writes("/a"), writes("/b")) for n in range(3)]
    assert [problem.step for problem in problems_in(a_task("main", steps))] == ["s1", "s1", "s2", "s2"]


def test_needs_stages_or_tasks_order_two_writers():
    one, two = a_step("one", writes("/a")), a_step("two", writes("/a"))
    after = a_step("after", writes("/a"), needs=["between"])
    assert build([a_task("main", [one, a_step("between", needs=["one"]), after])])
    assert build([a_task("main", [one], [two])])
    assert build([a_task("first", [one]), a_task("between", needs=["first"]), a_task("last", [two], needs=["between"])])
    assert problems_in(a_task("first", [one]), a_task("second", [two]))
    assert problems_in(a_task("first", [one]), a_task("second", [], [two]))


def test_what_is_shared_is_written_by_many_one_after_the_other():
    one, two = a_step("one", writes("/a", shared=True)), a_step("two", writes("/a", shared=True))
    assert needs_in(one, two, a_step("three", writes("/a/b"))) == {"one": set(), "two": {"one"}, "three": {"two"}}


# -- stages and tasks


def test_numbers_run_through_all_tasks_and_stages():
    graph = build([a_task("a", [a_step("a0")], [a_step("a1"), a_step("a2")]), a_task("b", [], [a_step("b0")])])
    assert graph.positions == {"a0": 0, "a1": 1, "a2": 2, "b0": 3}
    assert (graph.task_of, graph.stage_of) == ((0, 0, 0, 1), (0, 1, 1, 1))


def test_a_task_that_is_needed_comes_first_in_the_order():
    graph = build([a_task("late", [a_step("l")], needs=["early"]), a_task("early", [a_step("e0")], [a_step("e1")])])
    assert graph.order == (1, 2, 0)


def test_the_order_is_the_one_of_the_file_where_nothing_else_is_asked():
    steps = [a_step("a", needs=["c"]), a_step("b"), a_step("c"), a_step("d", needs=["a"])]
    assert build([a_task("main", steps)]).order == (1, 2, 0, 3)


def test_who_feeds_whom_is_the_reverse_of_who_needs_whom():
    graph = build([a_task("main", [a_step("a"), a_step("b", needs=["a"]), a_step("c", needs=["b", "a"])])])
    assert (graph.needs, graph.feeds) == (((), (0,), (0, 1)), ((1, 2), (2,), ()))


# -- cycles


@pytest.mark.parametrize(
    ("tasks", "way"),
    [
        ([a_task("t", [a_step("a", needs=["a"])])], "`a` needs `a`"),
        (
            [a_task("t", [a_step("a", needs=["b"]), a_step("b", needs=["c"]), a_step("c", needs=["a"])])],
            "`a` needs `b` needs `c` needs `a`",
        ),
        ([a_task("one", needs=["two"]), a_task("two", needs=["one"])], "task `one` needs task `two` needs task `one`"),
        (
            [a_task("one", [a_step("a")], needs=["two"]), a_task("two", [a_step("b")], needs=["one"])],
            "task `two` needs task `one` needs task `two`",
        ),
    ],
)
def test_a_cycle_is_named_by_its_path(tasks, way):
    (problem,) = problems_in(*tasks)
    assert problem.code == "cycle" and problem.message == f"the order has a cycle: {way}"


def test_needs_against_the_order_of_stages_are_a_cycle():
    (problem,) = problems_in(a_task("t", [a_step("first", needs=["second"])], [a_step("second")]))
    assert problem.code == "cycle" and "`first` needs `second`" in problem.message


def test_needs_against_the_order_of_tasks_are_a_cycle():
    first = a_task("first", [a_step("one", needs=["two"])])
    (problem,) = problems_in(first, a_task("second", [a_step("two")], needs=["first"]))
    assert problem.code == "cycle" and "`one`" in problem.message


def test_a_long_chain_of_tasks_is_followed_to_its_end():
    chain = [a_task(f"t{n}", [a_step(f"s{n}", writes("/a"))], needs=[f"t{n - 1}"] if n else []) for n in range(1500)]
    assert build(chain).order == tuple(range(1500))


# -- what an operation heeds


def test_what_is_heeded_comes_first_wherever_it_stands():
    steps = (heeding("gone", "alias/a", "rule"), heeding("rule", "rule/web", "alias/b"), heeding("made", "alias/b"))
    assert needs_in(*steps) == {"gone": {"rule"}, "rule": {"made"}, "made": set()}


def test_a_need_comes_before_what_is_heeded():
    steps = (heeding("gone", "alias/a", "rule"), heeding("rule", "rule/web", needs=["gone"]))
    assert needs_in(*steps) == {"gone": set(), "rule": {"gone"}}


def test_two_that_heed_one_another_stay_in_the_order_of_the_file():
    steps = (heeding("one", "alias/a", "alias"), heeding("two", "alias/b", "alias"), heeding("three", "alias/c"))
    assert needs_in(*steps) == {"one": {"three"}, "two": {"one", "three"}, "three": set()}


def test_what_is_heeded_is_of_the_same_stage_and_target():
    elsewhere = heeding("elsewhere", "rule/a", target="edge")
    tasks = [a_task("main", [heeding("gone", "alias/a", "rule"), elsewhere], [heeding("later", "rule/b")])]
    assert set(build(tasks).needs) == {()}


# -- against another implementation

edges = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=24)


@given(edges)
def test_a_cycle_is_found_exactly_when_there_is_one(pairs):
    needs: dict[int, set[int]] = {number: set() for number in range(12)}
    for first, second in pairs:
        needs[second].add(first)
    tasks = [a_task("main", [a_step(f"s{n}", needs=[f"s{need}" for need in sorted(needs[n])]) for n in range(12)])]
    try:
        list(TopologicalSorter(needs).static_order())
    except CycleError:
        assert [problem.code for problem in problems_in(*tasks)] == ["cycle"]
    else:
        graph = build(tasks)
        assert [set(found) for found in graph.needs] == [needs[n] for n in range(12)]
        assert_keeps(graph.order, graph.needs)


keys = st.sampled_from(["/", "/a", "/a/b", "/a/b/c", "/a/c", "/ab", "x"])
claims = st.builds(
    lambda key, writes, beneath, shared: Claim(key, writes=writes, beneath=beneath, shared=shared),
    keys, st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip


@given(st.lists(st.lists(claims, max_size=3), max_size=8))
def test_claims_never_close_a_cycle(claimed):
    steps = [a_step(f"s{number}", *found) for number, found in enumerate(claimed)]
    try:
        graph = build([a_task("main", steps)])
    except PlanError as error:
        assert {problem.code for problem in error.problems} == {"two_writers"}
    else:
        assert_keeps(graph.order, graph.needs)
        for first, second in conflicts(claimed):
            assert reaches(graph, second, first), (first, second)


heeded = st.tuples(st.sampled_from("abc"), st.lists(st.sampled_from(["a", "b", "c", "a/0", "b/1"]), max_size=3))


@given(st.lists(heeded, max_size=8))
def test_what_is_heeded_never_closes_a_cycle(steps):
    graph = build([a_task("main", [heeding(f"s{n}", f"{key}/{n}", *wanted) for n, (key, wanted) in enumerate(steps)])])
    assert_keeps(graph.order, graph.needs)


def assert_keeps(order: Sequence[int], needs: Sequence[Sequence[int]]) -> None:
    ranks = {number: rank for rank, number in enumerate(order)}
    assert sorted(order) == list(range(len(needs)))
    assert all(ranks[need] < ranks[number] for number, wanted in enumerate(needs) for need in wanted)


def conflicts(claimed: Sequence[Sequence[Claim]]) -> Iterator[tuple[int, int]]:
    """Pairs of steps that must not be done side by side, by the rules taken one by one."""
    for second, later in enumerate(claimed):
        for first, earlier in enumerate(claimed[:second]):
            if any(meet(one, other) for one in earlier for other in later):
                yield first, second


def meet(one: Claim, other: Claim) -> bool:
    if not one.writes and not other.writes:
        return False
    if one.key == other.key:
        return True
    makes_parent = one.writes and beneath(other.key, one.key)
    return makes_parent or (one.beneath and beneath(other.key, one.key)) or (other.beneath and beneath(one.key, other.key))


def beneath(key: str, above: str) -> bool:
    return key != above and key.startswith("/") and key.startswith(above if above.endswith("/") else above + "/")


def reaches(graph: Graph, start: int, goal: int) -> bool:
    todo, seen = [start], {start}
    while todo:
        for need in graph.needs[todo.pop()]:
            if need == goal:
                return True
            if need not in seen:
                seen.add(need)
                todo.append(need)
    return False
