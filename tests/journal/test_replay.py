"""Whatever happens, in whatever order: the projections are what a replay gives, also over a snapshot."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.core.errors import HoldfastError
from holdfast.core.events import Event
from holdfast.journal.contract import Journal
from holdfast.journal.memory import MemoryJournal
from holdfast.journal.records import decode_small, encode_small, pack_steps, unpack_steps
from holdfast.journal.sqlite import SqliteJournal
from holdfast.testing.journal_suite.builders import ENDED, created, executed, plain, state_of

RUNS = st.sampled_from(["A", "B", "C", "D"])
KINDS = st.sampled_from(
    [
        Event("run.started"),
        Event("run.interrupted", {"owner": "me"}),
        Event("run.resumed", {"owner": "you"}),
        Event("run.rolling_back", {"by": "manual"}),
        Event("run.settled"),
        Event("step.applied", {"duration_s[]": [0.5, None]}, task=1, stage=0, steps=(0, 1)),
        Event("task.started", task=0),
        *ENDED.values(),
    ]
)
ACTIONS = st.sampled_from(["started", "completed", "interrupted"])
DOINGS = st.one_of(
    st.tuples(st.just("create"), RUNS),
    st.tuples(st.just("happen"), RUNS, st.lists(KINDS, min_size=1, max_size=4)),
    st.tuples(st.just("act"), ACTIONS, st.integers(0, 4), st.integers(0, 5000)),
    st.tuples(st.just("lock"), RUNS, st.lists(st.sampled_from(["k", "l", "local:/a", "local:/a/b"]), min_size=1, max_size=3)),
    st.tuples(st.just("unlock"), RUNS),
    st.tuples(st.just("compact"), st.integers(0, 2)),
    st.tuples(st.just("replay")),
)


def do(journal: Journal, doing: Sequence[Any], at: float) -> None:
    match doing:
        case ("create", run):
            if journal.run(run) is None:
                journal.append(run, [created(sizes=(1, 2))], at=at, durable=False)
        case ("happen", run, events):
            journal.append(run, events, at=at, durable=False)
        case ("act", what, number, duration):
            done = executed("a", number, duration_ms=duration)
            event = Event("action.started", done.data) if what == "started" else done
            if what == "interrupted":
                event = Event("action.completed", {**done.data, "success": False, "interrupted": True})
            journal.append(None, [event], at=at, durable=False)
        case ("lock", run, keys):
            journal.lock(run, "me", keys, at=at, dead=["you"])
        case ("unlock", run):
            journal.unlock(run, at=at)
        case ("compact", keep):
            journal.compact(keep_runs=keep, at=at)
        case ("replay",):
            journal.replay()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(DOINGS, max_size=40))
def test_live_state_is_what_a_replay_gives(doings: list[tuple[Any, ...]]) -> None:
    """J40, H14: state(replay all) == state(snapshot + tail) == live, and memory agrees with SQLite"""
    with tempfile.TemporaryDirectory() as directory:
        memory, sqlite = MemoryJournal(executions_max=8), SqliteJournal.open(f"{directory}/state", executions_max=8)
        for number, doing in enumerate(doings):
            do(memory, doing, float(number))
            do(sqlite, doing, float(number))
        live = state_of(sqlite)
        assert state_of(memory) == live
        found = sqlite.verify()
        assert found.ok, found.problems
        sqlite.replay()
        memory.replay()
        assert state_of(sqlite) == live
        assert state_of(memory) == live
        sqlite.close()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=40))
def test_steps_of_any_order_are_packed_and_unpacked(steps: list[int]) -> None:
    assert unpack_steps(pack_steps(steps)) == tuple(steps)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=8).filter(lambda name: not name.endswith("[]")), JSON, max_size=4), st.floats(0, 1e10))
def test_any_value_comes_back_as_it_was_given(data: dict[str, Any], at: float) -> None:
    """J03"""
    with tempfile.TemporaryDirectory() as directory:
        journal = SqliteJournal.open(f"{directory}/state")
        journal.append("A", [Event("run.cancelling", data)], at=at, durable=False)
        ((_, _, _, _, _, when, (event,)),) = plain(journal.records())
        assert (when, event[1]) == (at, data)
        journal.close()


@settings(max_examples=100, deadline=None)
@given(JSON)
def test_a_program_that_has_not_loaded_the_faster_parser_reads_and_writes_the_same(value: Any) -> None:
    with_it = encode_small(value)
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, "msgspec")
        without = encode_small(value)
        assert decode_small(with_it) == value
    assert decode_small(without) == decode_small(with_it) == value


def long_history(directory: Path, executions: int = 400) -> SqliteJournal:
    journal = SqliteJournal.open(directory)
    for number in range(executions):
        journal.append(None, [executed(f"a{number % 7}", number)], at=float(number), durable=False)
    return journal


def change(directory: Path, *statements: str) -> None:
    with closing(sqlite3.connect(directory / "journal.db")) as connection:
        for statement in (*statements, "PRAGMA wal_checkpoint(TRUNCATE)"):
            connection.execute(statement)
            connection.commit()


def test_a_replay_mends_rows_that_are_not_what_the_records_say(tmp_path: Path) -> None:
    journal = long_history(tmp_path / "state")
    before = state_of(journal)
    change(
        tmp_path / "state",
        "DELETE FROM rows WHERE sheet = 'execution' AND key = 7",
        "UPDATE rows SET body = replace(body, '1', '2') WHERE sheet = 'stats'",
        "UPDATE rows SET seal = x'00' WHERE sheet = 'execution' AND key = 9",
        "INSERT INTO rows VALUES ('run', 1, CAST('{}' AS BLOB), x'00'), ('unheard-of', 'x', CAST('{}' AS BLOB), x'00')",
    )
    journal.replay()
    assert journal.verify().problems == ()
    assert state_of(journal) == before
    journal.close()


def test_a_replay_that_finds_all_rows_right_writes_none_of_them_again(tmp_path: Path) -> None:
    journal = long_history(tmp_path / "state")
    change(tmp_path / "state")
    journal.replay()
    assert (tmp_path / "state" / "journal.db-wal").stat().st_size < 32 * 1024  # all rows are more than 100 KiB
    journal.close()


def test_a_body_that_lacks_newer_fields_is_read_with_their_defaults() -> None:
    """J07"""
    from holdfast.journal.chain import ORIGIN, Chain, Link

    chain, body = Chain(b"k" * 32), b'{"at":1.0,"count":1,"events":[{"type":"run.paused"}],"unheard_of":{}}'
    record = chain.open(Link(7, 7, None, ORIGIN, body, chain.mac(ORIGIN, 7, body)))
    assert (record.run, record.plan_seq, record.task_seqs, record.events) == (None, 0, {}, (Event("run.paused"),))


def test_what_was_chained_is_found_changed_in_any_part() -> None:
    """J01, J02"""
    from holdfast.journal.chain import ORIGIN, Chain, Link

    chain, body = Chain(b"k" * 32), b'{"at":1.0,"count":1,"events":[{"type":"run.paused"}]}'
    link = Link(7, 7, None, ORIGIN, body, chain.mac(ORIGIN, 7, body))
    assert chain.holds(link)
    for changed in (link._replace(body=body.replace(b"1.0", b"2.0")), link._replace(seq=8), link._replace(prev=b"x" * 16)):
        assert not chain.holds(changed)
    assert not Chain(b"x" * 32).holds(link)
    try:
        chain.open(link._replace(body=body[:-5]))
    except HoldfastError as error:
        assert error.code == "corrupt_journal"


def test_a_record_that_is_right_by_itself_and_follows_another_one_is_found() -> None:
    """J02"""
    from holdfast.journal.chain import ORIGIN, Chain, Link, follow

    chain, body = Chain(b"k" * 32), b'{"at":1.0,"count":1,"events":[{"type":"run.paused"}]}'
    first = Link(1, 1, None, ORIGIN, body, chain.mac(ORIGIN, 1, body))
    second = Link(2, 2, None, first.mac, body, chain.mac(first.mac, 2, body))
    stranger = Link(2, 2, None, ORIGIN, body, chain.mac(ORIGIN, 2, body))
    assert [record.seq for record, _ in follow(chain, [first, second], {}, 0, ORIGIN)] == [1, 2]
    assert chain.holds(stranger)
    try:
        list(follow(chain, [first, stranger], {}, 0, ORIGIN))
    except HoldfastError as error:
        assert error.code == "corrupt_journal"
    else:
        raise AssertionError("a stranger was taken for what follows")
