"""Verification, replay and compaction."""

from __future__ import annotations

from typing import Any

from holdfast.core.events import Event
from holdfast.journal.contract import Journal, RunRow
from holdfast.testing.journal_suite.builders import (
    Again,
    begin,
    created,
    end,
    fill,
    state_of,
)


class Care:
    def test_a_sound_journal_verifies(self, journal: Journal) -> None:
        """J24"""
        assert journal.verify().ok
        fill(journal)
        found = journal.verify()
        assert (found.ok, found.problems, found.records) == (True, (), len(list(journal.records())))

    def test_a_replay_gives_what_is_there(self, journal: Journal, again: Again) -> None:
        """H14"""
        fill(journal)
        before = state_of(journal)
        journal.replay()
        assert state_of(again(journal)) == before

    def test_compaction_drops_records_of_old_runs_and_nothing_else(self, journal: Journal, again: Again) -> None:
        """J42, J43, J46, H13"""
        fill(journal)
        before, records = state_of(journal), list(journal.records())
        done = journal.compact(keep_runs=2, at=50.0)
        assert done["removed"] > 0 and done["runs"] > 0
        assert done["kept"] == len(records) - done["removed"] + 1  # and the marker
        journal = again(journal)
        after = state_of(journal)
        assert after.pop("last") == before.pop("last") + 1
        assert _forgetting(after) == _forgetting(before)
        assert journal.verify().ok
        gone = next(row.id for row in journal.runs() if row.compacted)
        assert list(journal.records(gone)) == [] and journal.outline(gone) is None
        assert len(list(journal.records(journal.runs(limit=1)[0].id))) > 0

    def test_a_replay_after_compaction_gives_what_is_there(self, journal: Journal, again: Again) -> None:
        """J40: state(snapshot + tail) == live"""
        fill(journal)
        journal.compact(keep_runs=1, at=50.0)
        fill(journal, prefix="later-")
        before = state_of(journal)
        journal.replay()
        journal = again(journal)
        assert state_of(journal) == before
        assert journal.verify().ok

    def test_compaction_can_be_repeated(self, journal: Journal, again: Again) -> None:
        """J52"""
        assert journal.compact(keep_runs=0, at=1.0)["removed"] == 0
        fill(journal)
        journal = again(journal)
        assert journal.compact(keep_runs=1, at=50.0)["removed"] > 0
        assert journal.compact(keep_runs=1, at=51.0)["removed"] == 0
        fill(journal, prefix="later-")
        assert journal.compact(keep_runs=0, at=52.0)["removed"] > 0
        found = journal.verify()
        assert found.ok, found.problems
        assert [record.seq for record in journal.records()][-1] == journal.last_seq()

    def test_what_may_still_be_undone_or_is_locked_stays(self, journal: Journal) -> None:
        begin(journal, "open")
        begin(journal, "unsettled")
        end(journal, "unsettled", settled=False)
        begin(journal, "held")
        end(journal, "held")
        journal.lock("held", "me", ["k"], at=1.0)
        begin(journal, "done")
        end(journal, "done")
        assert journal.compact(keep_runs=0, at=9.0)["runs"] == 1
        assert [len(list(journal.records(run))) > 0 for run in ("open", "unsettled", "held", "done")] == [
            True,
            True,
            True,
            False,
        ]
        assert [lock.keys for lock in journal.locks()] == [("k",)]

    def test_numbers_go_on_after_compaction(self, journal: Journal, again: Again) -> None:
        """J46"""
        fill(journal)
        last = journal.last_seq()
        journal.compact(keep_runs=0, at=9.0)
        assert again(journal).append("new", [created()], at=10.0).first == last + 2

    def test_a_run_may_say_something_after_its_records_went(self, journal: Journal, again: Again) -> None:
        """Its process settles it when another one has compacted the journal already, perhaps more than once."""
        begin(journal, "A")
        end(journal, "A", settled=False, ending="unchanged")
        journal.compact(keep_runs=0, at=9.0)
        journal.append("A", [Event("run.settled")], at=10.0)
        fill(journal)
        journal.compact(keep_runs=0, at=50.0)
        journal = again(journal)
        found = journal.verify()
        assert (found.ok, found.problems) == (True, ())
        assert [event.type for record in journal.records("A") for event in record.events] == ["run.settled"]

    def test_a_plan_goes_with_the_last_run_that_used_it(self, journal: Journal) -> None:
        for run, plan in (("A", "web"), ("B", "db"), ("C", "db")):
            journal.keep_plan(f"sha256:{plan}", plan.encode())
            begin(journal, run, plan=plan)
            end(journal, run)
        journal.compact(keep_runs=1, at=9.0)
        assert (journal.plan("sha256:web"), journal.plan("sha256:db")) == (None, b"db")


def _forgetting(state: dict[str, Any]) -> dict[str, Any]:
    """But for the mark that its records are gone, a run's row stays as it was."""
    return {name: _unmarked(value) for name, value in state.items()}


def _unmarked(value: Any) -> Any:
    if isinstance(value, RunRow):
        return (
            value.id,
            value.plan,
            value.state,
            value.ending,
            value.started_at,
            value.ended_at,
            value.fence,
            value.settled,
            value.error,
        )
    if isinstance(value, dict):
        return {name: _unmarked(each) for name, each in value.items()}
    return [_unmarked(each) for each in value] if isinstance(value, list) else value
