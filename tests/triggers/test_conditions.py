"""Values, conditions and patterns as truth tables."""

from __future__ import annotations

import pytest

from holdfast.triggers.agenda import Agenda
from holdfast.triggers.conditions import Finding, Parent, holds, is_protected, matches, resources_in
from holdfast.triggers.definitions import Condition, Match
from holdfast.triggers.patterns import any_fits, fits
from holdfast.triggers.sources import listed
from holdfast.triggers.values import Value, value_of

NOW = 1000.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("42\n", {"number": 42.0}),
        ("-1.5", {"number": -1.5}),
        ("true", {"number": 1.0}),
        ("5m", {"number": 300.0, "idle": 300.0}),
        ("500ms", {"number": 0.5, "idle": 0.5}),
        ("busy", {"number": None, "states": (("busy", None),)}),
        ("", {"number": None, "states": ()}),
        ('"quoted"', {"states": (("quoted", None),)}),
        ('{"idle_seconds": 12}', {"idle": 12.0}),
        ('{"count": 7}', {"number": 7.0}),
        ('{"state": "dead", "since": 900}', {"states": (("dead", 900.0),)}),
        ('{"state": "dead", "since": "1970-01-01T00:15:00Z"}', {"states": (("dead", 900.0),)}),
        ('{"state": "dead", "since": "yesterday"}', {"states": (("dead", None),)}),
        ('{"error": "out of order"}', {"error": "out of order"}),
        ("[1, 2, 3]", {"number": 3.0}),
        ("null", {"number": None}),
        ("{broken", {"number": None, "states": (("{broken", None),)}),
    ],
)
def test_what_a_source_says_becomes_a_number_a_duration_a_state_or_a_text(text: str, expected: dict[str, object]) -> None:
    """W10"""
    found = value_of(text)
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("condition", "value", "failures", "expected"),
    [
        (Condition(exceeds=100), value_of("101"), 0, True),
        (Condition(exceeds=100), value_of("100"), 0, False),
        (Condition(exceeds=100), value_of("text"), 0, False),
        (Condition(exceeds=240), value_of("5m"), 0, True),
        (Condition(below=1), value_of("0"), 0, True),
        (Condition(below=1), value_of("1"), 0, False),
        (Condition(exceeds=1, below=3), value_of("2"), 0, True),
        (Condition(exceeds=1, below=3), value_of("4"), 0, False),
        (Condition(matches="hot"), value_of("too hot here"), 0, True),
        (Condition(matches="hot"), value_of("cold"), 0, False),
        (Condition(idle=300), value_of("5m"), 0, True),
        (Condition(idle=300), value_of("299s"), 0, False),
        (Condition(idle=300), value_of('{"idle_seconds": 301}'), 0, True),
        (Condition(idle=300), value_of("text"), 0, False),
        (Condition(stuck_state="busy", stuck_for=100), Value(states=[("busy", NOW - 100)]), 0, True),
        (Condition(stuck_state="busy", stuck_for=100), Value(states=[("busy", NOW - 99)]), 0, False),
        (Condition(stuck_state="busy", stuck_for=100), Value(states=[("idle", 0.0)]), 0, False),
        (Condition(stuck_state="busy", stuck_for=0), Value(states=[("busy", None)]), 0, False),
        (Condition(stuck_state="b", stuck_for=10), Value(states=[("a", 0.0), ("b", 0.0)]), 0, True),
        (Condition(consecutive_failures=3), Value(error="no"), 3, True),
        (Condition(consecutive_failures=3), Value(error="no"), 2, False),
        (Condition(consecutive_failures=3), Value(failures=3), 0, True),
        (Condition(consecutive_failures=1), value_of("fine"), 0, False),
        (Condition(exceeds=1), Value(error="no"), 9, False),
        (Condition(matches=""), Value(error="no"), 9, False),
    ],
)
def test_conditions_of_watchers(condition: Condition, value: Value, failures: int, expected: bool) -> None:
    """W07"""
    assert holds(condition, value, failures, NOW) is expected


@pytest.mark.parametrize(
    ("condition", "resource", "expected"),
    [
        (Match(stale=60), Finding(id="x", age=60), True),
        (Match(stale=60), Finding(id="x", age=59.9), False),
        (Match(stale=0), Finding(id="x"), False),
        (Match(attempts=3), Finding(id="x", attempts=3), True),
        (Match(attempts=3), Finding(id="x", attempts=2), False),
        (Match(attempts=1), Finding(id="x"), False),
        (Match(terminal_for=60), Finding(id="x", state="failed", age=60), True),
        (Match(terminal_for=60), Finding(id="x", state="failed", age=100, ended_for=59), False),
        (Match(terminal_for=60), Finding(id="x", state="rolled_back", ended_for=60), True),
        (Match(terminal_for=60), Finding(id="x", state="running", age=100), False),
        (Match(terminal_for=0), Finding(id="x", age=100), False),
        (Match(matches="old"), Finding(id="x", texts=["an old thing"]), True),
        (Match(matches="old"), Finding(id="new"), False),
        (Match(matches="old"), Finding(id="cold"), True),
        (Match(stale=60, attempts=3), Finding(id="x", age=60, attempts=3), True),
        (Match(stale=60, attempts=3), Finding(id="x", age=60, attempts=1), False),
        (Match(orphaned=True), Finding(id="x", parent=Parent.NONE), True),
        (Match(orphaned=True), Finding(id="x", parent=Parent.SOME), False),
        (Match(orphaned=True), Finding(id="x", parent=Parent.UNKNOWN), False),
    ],
)
def test_conditions_of_scanners_hold_from_the_limit_on_and_never_for_what_nobody_knows(
    condition: Match, resource: Finding, expected: bool
) -> None:
    """S05, S12"""
    assert matches(condition, resource) is expected


@pytest.mark.parametrize(
    ("given", "parent"), [({"parent": None}, Parent.NONE), ({"parent_id": "p"}, Parent.SOME), ({}, Parent.UNKNOWN)]
)
def test_only_who_says_that_there_is_no_parent_is_an_orphan(given: dict[str, object], parent: Parent) -> None:
    """S12"""
    (found,) = resources_in([{"id": "x", **given}])
    assert found.parent is parent


def test_a_list_is_json_or_one_id_per_line() -> None:
    """S08"""
    rich, poor = listed('[{"id": "a", "age_seconds": 5, "attempts": 2, "holder": "me"}, {"name": "b"}]')
    assert (rich.id, rich.age, rich.attempts, rich.facts["holder"]) == ("a", 5.0, 2, "me")
    assert (poor.id, poor.age, poor.attempts) == ("b", None, None)
    assert [each.id for each in listed("a b\n\n c\n")] == ["a b", "c"]
    assert listed("") == []


@pytest.mark.parametrize("given", ["x", 5, None, {"a": 1}, [{"nothing": 1}], [None], [[1]]])
def test_a_list_of_nonsense_is_an_error_and_not_an_empty_list(given: object) -> None:
    with pytest.raises(ValueError, match=r"it|entry"):
        list(resources_in(given))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("file:/srv/keep", True), ("/srv/keep", True), ("/srv/*", True), ("kee?", True), ("keeper", False)],
)
def test_protection_goes_by_id_path_or_last_name(pattern: str, expected: bool) -> None:
    assert is_protected(Finding(id="file:/srv/keep"), [pattern]) is expected


@pytest.mark.parametrize(
    ("pattern", "type_", "expected"),
    [
        ("run.committed", "run.committed", True),
        ("run.committed", "run.committed_twice", False),
        ("run", "run.committed", True),
        ("run", "runner.up", False),
        ("run.*", "run.committed", True),
        ("run.*", "task.started", False),
        ("*", "task.started", True),
    ],
)
def test_patterns_are_exact_a_prefix_or_everything(pattern: str, type_: str, expected: bool) -> None:
    """W09"""
    assert fits(pattern, type_) is expected
    assert any_fits(["nothing", pattern], type_) is expected


def test_an_agenda_gives_what_is_due_in_order_and_counts_only_the_newest_time() -> None:
    agenda = Agenda()
    for name, at in (("a", 5.0), ("b", 3.0), ("c", 9.0), ("a", 7.0), ("d", 1.0)):
        agenda.put(name, at)
    agenda.put("d", None)
    assert agenda.next_at == 3.0
    assert agenda.take_due(7.0) == ["b", "a"]
    assert (agenda.take_due(8.0), agenda.next_at, agenda.at("c"), agenda.at("a")) == ([], 9.0, 9.0, None)
    agenda.put("c", None)
    agenda.put("c", 9.0)
    assert (agenda.take_due(9.0), agenda.next_at) == (["c"], None)
