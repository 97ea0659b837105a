"""Runs as rows, locks, and what stands beside the records."""

from __future__ import annotations

from holdfast.core.errors import Bug, Refused
from holdfast.core.events import Event
from holdfast.journal.contract import Journal, RunRow
from holdfast.journal.folds import ENDINGS, STATES
from holdfast.testing.journal_suite.builders import (
    ENDED,
    Again,
    begin,
    created,
    end,
    refusal,
    row_of,
)


class Runs:
    def test_the_state_of_a_run_follows_its_events(self, journal: Journal) -> None:
        for number, (kind, state) in enumerate(STATES.items()):
            run = f"R{number:02}"
            if kind != "run.created":
                journal.append(run, [created()], at=1.0)
            journal.append(run, [created() if kind == "run.created" else Event(kind)], at=2.0)
            row = row_of(journal, run)
            assert (row.state, row.ending) == (state, state if state in ENDINGS else None), kind

    def test_the_row_of_a_run(self, journal: Journal, again: Again) -> None:
        journal.append("A", [created(sizes=(2, 3))], at=1.0)
        journal.append("A", [Event("run.started")], at=2.0)
        journal.append(
            "A", [Event("run.rolling_back", {"error": {"code": "timeout"}}), ENDED["rolled_back"], Event("run.settled")], at=5.0
        )
        expected = RunRow(
            "A", "web", "sha256:web", "manual:alice", "rolled_back", "rolled_back", 2.0, 5.0, "me", 0, True, 5, "timeout"
        )
        assert again(journal).run("A") == expected

    def test_what_a_run_waits_for_stands_in_its_row_until_it_is_answered(self, journal: Journal, again: Again) -> None:
        def waits(*events: Event) -> tuple[str, ...]:
            nonlocal journal
            journal.append("A", events, at=3.0)
            journal = again(journal)
            return row_of(journal, "A").questions

        asking = Event("step.applying", {"attempt": 1, "question": "ask"}, task=0, stage=0, steps=(1,))
        begin(journal, "A")
        assert waits(Event("step.applying", {"attempt": 1}, task=0, stage=0, steps=(0,))) == ()
        assert waits(asking, Event("run.gate_waiting", {"number": 1})) == ("ask", "gate")
        assert waits(Event("run.gate_opened", {"number": 1})) == ("ask",)
        assert waits(Event("step.approved", {}, task=0, stage=0, steps=(0,))) == ("ask",)
        assert waits(Event("step.approved", {}, task=0, stage=0, steps=(1,))) == ()
        assert waits(asking) == ("ask",)
        assert waits(Event("step.resolved", {"verdict": "not_applied"}, task=0, stage=0, steps=(0, 1))) == ()

    def test_committed_tells_its_ending_itself(self, journal: Journal) -> None:
        for ending in ("committed", "unchanged", "partial"):
            begin(journal, ending)
            end(journal, ending, ending=ending)
            assert row_of(journal, ending).ending == ending
        assert journal.endings() == {"committed": 1, "unchanged": 1, "partial": 1}

    def test_a_rollback_of_an_ended_run_takes_its_ending_until_it_has_another(self, journal: Journal) -> None:
        begin(journal, "A")
        end(journal, "A", settled=False)
        journal.append("A", [Event("run.rolling_back", {"by": "manual"})], at=3.0)
        row = row_of(journal, "A")
        assert (row.state, row.ending, row.ended_at, journal.endings()) == ("rolling_back", None, None, {})
        end(journal, "A", ending="rolled_back", at=4.0)
        assert (row_of(journal, "A").ending, journal.endings()) == ("rolled_back", {"rolled_back": 1})

    def test_a_resumed_run_has_a_new_owner(self, journal: Journal) -> None:
        begin(journal, "A", owner="dead")
        journal.append("A", [Event("run.interrupted", {"owner": "dead"}), Event("run.resumed", {"owner": "alive"})], at=2.0)
        assert row_of(journal, "A").owner == "alive"

    def test_a_refused_run_names_its_first_problem(self, journal: Journal) -> None:
        journal.append("A", [created(), ENDED["refused"]], at=1.0)
        assert row_of(journal, "A").error == "locked"

    def test_a_run_is_created_once(self, journal: Journal) -> None:
        """P08"""
        begin(journal, "A")
        assert isinstance(refusal(lambda: begin(journal, "A")), Bug)

    def test_runs_are_listed_newest_first_in_pages(self, journal: Journal) -> None:
        for number in range(7):
            begin(journal, f"R{number}", plan="web" if number % 2 else "db")
        ids = [row.id for row in journal.runs(limit=3)]
        assert ids == ["R6", "R5", "R4"]
        assert [row.id for row in journal.runs(limit=3, before="R4")] == ["R3", "R2", "R1"]
        assert [row.id for row in journal.runs(plan="web")] == ["R5", "R3", "R1"]
        assert [row.id for row in journal.runs(plan="web", before="R5", limit=1)] == ["R3"]
        assert journal.runs(plan="none") == []

    def test_runs_by_ending_and_those_still_open(self, journal: Journal) -> None:
        for number, ending in enumerate([None, "committed", "stuck", None, "committed"]):
            begin(journal, f"R{number}", plan="web" if number < 4 else "db")
            if ending:
                end(journal, f"R{number}", ending=ending)
        assert [row.id for row in journal.runs(ending="committed")] == ["R4", "R1"]
        for plan, runs in (("web", ["R1"]), ("db", ["R4"])):
            assert [row.id for row in journal.runs(ending="committed", plan=plan)] == runs
        assert [row.id for row in journal.runs(open_only=True)] == ["R3", "R0"]

    def test_runs_are_found_by_a_prefix(self, journal: Journal) -> None:
        for run in ("01AB", "01AC", "02"):
            begin(journal, run)
        assert [row.id for row in journal.find_runs("01A")] == ["01AB", "01AC"]
        assert [row.id for row in journal.find_runs("02")] == ["02"]
        assert [row.id for row in journal.find_runs("0", limit=1)] == ["01AB"]
        assert journal.find_runs("03") == []
        assert journal.run("01A") is None


class Locks:
    def test_a_key_is_held_by_one_run(self, journal: Journal, again: Again) -> None:
        """K03"""
        assert journal.lock("A", "me", ["tenant:acme", "local:/etc"], at=1.0) is None
        held = again(journal).lock("B", "you", ["tenant:acme"], at=2.0)
        assert held is not None
        assert (held.run, held.owner, held.keys, held.since) == ("A", "me", ("local:/etc", "tenant:acme"), 1.0)

    def test_a_path_stands_for_what_lies_beneath_it(self, journal: Journal) -> None:
        journal.lock("A", "me", ["local:/etc/app", "edge:firewall.alias/web"], at=1.0)
        for key in (
            "local:/etc/app",
            "local:/etc",
            "local:/",
            "local:/etc/app/x/y",
            "edge:firewall.alias",
            "edge:firewall.alias/web",
        ):
            assert journal.lock("B", "you", [key], at=2.0) is not None, key
        free = ["local:/etc/apple", "web1:/etc/app", "edge:firewall.alias/other", "local:/et", "/etc/app"]
        assert journal.lock("B", "you", free, at=2.0) is None

    def test_locks_are_acquired_together_or_not_at_all(self, journal: Journal) -> None:
        journal.lock("A", "me", ["b"], at=1.0)
        assert journal.lock("B", "you", ["a", "b", "c"], at=2.0) is not None
        assert journal.lock("C", "them", ["a", "c"], at=3.0) is None

    def test_a_released_lock_is_free_and_only_its_holder_releases_it(self, journal: Journal) -> None:
        """K04"""
        journal.lock("A", "me", ["k"], at=1.0)
        journal.unlock("B", at=2.0)
        assert [lock.run for lock in journal.locks()] == ["A"]
        journal.unlock("A", at=2.0)
        assert journal.locks() == []
        assert journal.lock("B", "you", ["k"], at=3.0) is None

    def test_a_denied_lock_is_journaled_once_per_run(self, journal: Journal) -> None:
        journal.lock("A", "me", ["k"], at=1.0)
        for _ in range(3):
            journal.lock("B", "you", ["k", "free"], at=2.0)
        denied = [event for record in journal.records("B") for event in record.events]
        assert [(event.type, dict(event.data)) for event in denied] == [("lock.denied", {"keys": ["k"], "holder": "A"})]

    def test_the_lock_of_a_dead_owner_is_reclaimed_where_it_stands_in_the_way(self, journal: Journal) -> None:
        """J34"""
        journal.lock("A", "dead", ["k"], at=1.0)
        journal.lock("C", "dead", ["other"], at=1.0)
        assert journal.lock("B", "you", ["k"], at=2.0, dead=["dead"]) is None
        assert [lock.run for lock in journal.locks()] == ["C", "B"]
        assert [event.type for record in journal.records("B") for event in record.events] == ["lock.reclaimed", "lock.acquired"]

    def test_a_run_taken_over_locks_out_its_former_owner(self, journal: Journal) -> None:
        """Law 6"""
        begin(journal, "A", owner="dead")
        journal.lock("A", "dead", ["k"], at=1.0)
        old = row_of(journal, "A").fence
        journal.append("A", [Event("run.pausing")], at=1.5, fence=old)
        assert journal.lock("A", "alive", ["k"], at=2.0) is not None
        assert journal.lock("A", "alive", ["k"], at=2.0, dead=["dead"]) is None
        new = row_of(journal, "A").fence
        assert new > old
        error = refusal(lambda: journal.append("A", [Event("run.paused")], at=3.0, fence=old))
        assert isinstance(error, Refused) and error.code == "wrong_state"
        journal.append("A", [Event("run.paused")], at=3.0, fence=new)

    def test_a_broken_lock_fences_its_holder_off(self, journal: Journal) -> None:
        begin(journal, "A")
        journal.lock("A", "me", ["k"], at=1.0)
        fence = row_of(journal, "A").fence
        broken = journal.break_lock(journal.locks()[0].id, at=2.0)
        assert broken is not None and broken.run == "A"
        assert journal.locks() == []
        assert journal.break_lock("L99", at=2.0) is None
        refusal(lambda: journal.append("A", [Event("run.pausing")], at=3.0, fence=fence))

    def test_locking_again_changes_what_is_held(self, journal: Journal) -> None:
        journal.lock("A", "me", ["k"], at=1.0)
        before = journal.locks()
        assert journal.lock("A", "me", ["k"], at=2.0) is None
        assert journal.locks() == before
        assert journal.lock("A", "me", ["l"], at=3.0) is None
        assert [lock.keys for lock in journal.locks()] == [("l",)]

    def test_locks_are_a_fold_of_their_events(self, journal: Journal, again: Again) -> None:
        journal.lock("A", "me", ["k"], at=1.0)
        journal.lock("B", "you", ["l"], at=2.0)
        journal.unlock("A", at=3.0)
        before = journal.locks()
        journal.replay()
        assert again(journal).locks() == before


class Beside:
    """Commands, plans, documents."""

    def test_commands_reach_the_run_they_are_for_in_order(self, journal: Journal, again: Again) -> None:
        first = journal.ask("A", "pause", {"task": "t"}, at=1.0)
        journal.ask("B", "cancel", {}, at=1.0)
        second = journal.ask("A", "resume", {}, at=2.0)
        journal = again(journal)
        assert [(command.verb, dict(command.data), command.at) for command in journal.asked("A")] == [
            ("pause", {"task": "t"}, 1.0),
            ("resume", {}, 2.0),
        ]
        assert [command.id for command in journal.asked("A", first.id)] == [second.id]
        assert journal.asked("A", second.id) == []
        assert journal.asked("C") == []

    def test_a_plan_is_kept_by_its_digest(self, journal: Journal, again: Again) -> None:
        journal.keep_plan("sha256:1", b"bytes \x00\xff")
        journal.keep_plan("sha256:1", b"bytes \x00\xff")
        journal = again(journal)
        assert journal.plan("sha256:1") == b"bytes \x00\xff"
        assert journal.plan("sha256:2") is None

    def test_documents_stand_on_shelves(self, journal: Journal, again: Again) -> None:
        journal.put("checkpoints", "b", b"1")
        journal.put("checkpoints", "a", b"2")
        journal.put("checkpoints", "a", b"3")
        journal.put("triggers", "a", b"4")
        journal = again(journal)
        assert list(journal.names("checkpoints")) == ["a", "b"]
        assert journal.get("checkpoints", "a") == b"3"
        assert (journal.drop("checkpoints", "a"), journal.drop("checkpoints", "a")) == (True, False)
        assert (journal.get("checkpoints", "a"), list(journal.names("checkpoints"))) == (None, ["b"])
        assert journal.get("triggers", "a") == b"4"
