"""Every state with every event of each table."""

from __future__ import annotations

import pytest

from holdfast.core.errors import Bug
from holdfast.core.events import EVENTS
from holdfast.core.states import COMMANDS, OVER, RUN, STAGE, STEP, TASK, Table, after

TABLES = {"run": RUN, "task": TASK, "stage": STAGE, "step": STEP}
FIRST = {"run": "created", "task": "pending", "stage": "pending", "step": "pending"}
LAST = {
    "run": OVER,
    "task": frozenset({"completed", "failed", "cancelled", "rolled_back", "rollback_failed", "validation_failed"}),
    "stage": frozenset({"committed", "failed", "skipped", "rolled_back", "rollback_failed"}),
    "step": frozenset({"applied", "unchanged", "failed", "skipped", "undone", "undo_failed"}),
}
FOLDED = {"partial"}  # a state that no event names: `run.committed` with its ending leads there

every_table = pytest.mark.parametrize("family", TABLES)


def reachable(table: Table, start: str) -> set[str]:
    found, todo = {start}, [start]
    while todo:
        for state in set(table[todo.pop()].values()) - found:
            found.add(state)
            todo.append(state)
    return found


@every_table
def test_an_event_happens_where_the_table_lists_it_and_is_a_bug_anywhere_else(family: str) -> None:
    table = TABLES[family]
    for state in table:
        for event in EVENTS:
            if event in table[state]:
                assert after(table, state, event) == table[state][event]
            else:
                with pytest.raises(Bug, match=f"`{event}` cannot happen in the state `{state}`"):
                    after(table, state, event)


@every_table
def test_tables_know_only_events_of_their_own_family(family: str) -> None:
    events = {event for row in TABLES[family].values() for event in row}
    ends = {"run.refused"} if family == "task" else set()  # with its run a task is refused as well
    assert events - ends <= {event for event in EVENTS if event.startswith(f"{family}.")}


@every_table
def test_every_state_has_a_row_and_can_be_reached(family: str) -> None:
    table = TABLES[family]
    assert {state for row in table.values() for state in row.values()} <= set(table)
    assert reachable(table, FIRST[family]) == set(table) - FOLDED


@every_table
def test_from_every_state_an_end_can_be_reached(family: str) -> None:
    table = TABLES[family]
    assert LAST[family] <= set(table)
    for state in table:
        assert reachable(table, state) & LAST[family], f"{family} {state} leads nowhere"


def test_an_unknown_state_is_a_bug() -> None:
    with pytest.raises(Bug):
        after(RUN, "dreaming", "run.started")


def test_a_run_that_is_over_goes_on_only_when_it_is_asked_to() -> None:
    ways_out = {event for state in OVER for event, follower in RUN[state].items() if follower not in OVER}
    assert ways_out == {"run.rolling_back", "run.resumed"}


def test_what_people_may_ask_is_possible_where_they_may_ask_it() -> None:
    first = {
        "cancel": "run.cancelling",
        "confirm": "run.confirmed",
        "rollback": "run.rolling_back",
        "recover": "run.interrupted",
    }
    for verb, event in first.items():
        for state in COMMANDS[verb]:
            assert event in RUN[state], f"{verb} in {state}"
