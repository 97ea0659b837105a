"""Executions, cleanups and stats."""

from __future__ import annotations

from typing import Any

from holdfast.core.events import Event
from holdfast.journal.contract import Journal
from holdfast.journal.folds import ENDINGS
from holdfast.testing.journal_suite.builders import (
    ENDED,
    RING,
    Again,
    begin,
    end,
    executed,
)


class Tracking:
    def test_a_run_is_an_execution(self, journal: Journal) -> None:
        begin(journal, "A", at=10.0)
        assert journal.executions()[0]["completed_at"] is None
        end(journal, "A", at=11.5)
        row = dict(journal.executions()[0])
        assert row.pop("number") == 1
        assert row == {
            "id": "A",
            "action_id": "web",
            "source": "manual:alice",
            "execution_type": "plan",
            "success": True,
            "started_at": 10_000,
            "completed_at": 11_500,
            "duration_ms": 1500,
            "output": None,
            "error": None,
            "interrupted": False,
            "run": "A",
        }

    def test_how_a_run_ended_is_how_its_execution_did(self, journal: Journal) -> None:
        for ending in ENDINGS:
            begin(journal, ending, plan=ending)
            end(journal, ending, ending=ending)
            assert journal.executions(limit=1)[0]["success"] is (ending in ("committed", "unchanged"))
        assert {row["action_id"]: row["failures"] for row in journal.stats()} == {
            "committed": 0,
            "unchanged": 0,
            "refused": 1,
            "rolled_back": 1,
            "partial": 1,
            "stuck": 1,
        }

    def test_a_rollback_by_hand_is_no_execution(self, journal: Journal) -> None:
        begin(journal, "A")
        end(journal, "A", settled=False)
        before = journal.executions(), journal.stats()
        journal.append("A", [Event("run.rolling_back", {"by": "manual"}), ENDED["rolled_back"]], at=9.0)
        assert (journal.executions(), journal.stats()) == before

    def test_a_resumed_run_is_the_same_execution(self, journal: Journal) -> None:
        begin(journal, "A")
        end(journal, "A", ending="partial", settled=False)
        journal.append("A", [Event("run.resumed", {"by": "manual"})], at=3.0)
        assert journal.stats()[0]["total_executions"] == 0
        end(journal, "A", at=4.0)
        stats = journal.stats("web")[0]
        assert (stats["total_executions"], stats["successes"], stats["failures"]) == (1, 1, 0)
        assert len(journal.executions()) == 1

    def test_an_interrupted_run_is_an_interrupted_execution_until_it_goes_on(self, journal: Journal) -> None:
        """H12"""
        begin(journal, "A")
        journal.append("A", [Event("run.interrupted", {"owner": "me"})], at=3.0)
        assert (journal.executions()[0]["interrupted"], journal.stats()[0]["interrupted"]) == (True, 1)
        journal.append("A", [Event("run.rolling_back"), ENDED["rolled_back"]], at=4.0)
        assert (journal.executions()[0]["interrupted"], journal.executions()[0]["success"]) == (True, False)
        assert (journal.stats()[0]["interrupted"], journal.stats()[0]["total_executions"]) == (1, 1)

    def test_started_and_completed_meet_by_their_own_id(self, journal: Journal) -> None:
        """H11"""
        for number, source in ((1, "cron:nightly"), (2, "manual")):
            data = {"id": f"x{number}", "action_id": "deploy", "source": source, "execution_type": "command", "owner": "p"}
            journal.append(None, [Event("action.started", data)], at=float(number))
        assert [row["id"] for row in journal.in_flight()] == ["x1", "x2"]
        assert journal.in_flight()[0]["owner"] == "p"
        for number, success in ((1, True), (2, False)):
            ended: dict[str, Any] = {
                "id": f"x{number}",
                "action_id": "deploy",
                "success": success,
                "output": "o",
                "error": None,
                "duration_ms": 150 * number,
            }
            journal.append(None, [Event("action.completed", ended)], at=5.0)
        rows = journal.executions()
        assert [(row["source"], row["success"], row["duration_ms"]) for row in rows] == [
            ("manual", False, 300),
            ("cron:nightly", True, 150),
        ]
        assert journal.in_flight() == []
        assert "owner" not in rows[0]

    def test_an_interrupted_action_counts_as_such(self, journal: Journal) -> None:
        """H12"""
        journal.append(
            None, [Event("action.started", {"id": "x", "action_id": "a", "source": "api", "execution_type": "task"})], at=1.0
        )
        journal.append(
            None, [Event("action.completed", {"id": "x", "action_id": "a", "success": False, "interrupted": True})], at=2.0
        )
        stats = journal.stats("a")[0]
        assert (stats["total_executions"], stats["failures"], stats["interrupted"], stats["avg_duration_ms"]) == (1, 0, 1, 0)

    def test_stats_of_many(self, journal: Journal) -> None:
        """H06, H08"""
        assert (journal.stats(), journal.stats("a"), journal.endings()) == ([], [], {})
        for number in range(1, 101):
            journal.append(
                None, [executed("a", number, duration_ms=number, success=number % 2 == 0)], at=float(number), durable=False
            )
        stats = journal.stats("a")[0]
        assert stats == {
            "action_id": "a",
            "total_executions": 100,
            "successes": 50,
            "failures": 50,
            "interrupted": 0,
            "avg_duration_ms": 50.5,
            "p95_duration_ms": 95,
            "last_run_at": 100_000,
        }

    def test_the_ring_keeps_the_newest_and_the_stats_keep_all(self, journal: Journal, again: Again) -> None:
        """H05, H10"""
        for number in range(RING + 10):
            journal.append(None, [executed("a", number)], at=float(number), durable=False)
        journal = again(journal)
        rows = journal.executions(limit=1000)
        assert [row["id"] for row in rows] == [f"a-{number}" for number in range(RING + 9, 9, -1)]
        assert journal.stats()[0]["total_executions"] == RING + 10

    def test_executions_come_in_pages(self, journal: Journal) -> None:
        for number in range(10):
            journal.append(None, [executed("a", number)], at=float(number), durable=False)
        first = journal.executions(limit=4)
        second = journal.executions(limit=4, before=first[-1]["number"])
        assert [row["id"] for row in (*first, *second)] == [f"a-{number}" for number in range(9, 1, -1)]

    def test_cleanups_are_told_newest_first(self, journal: Journal, again: Again) -> None:
        """H03, H09"""
        for number, error in enumerate([None, "busy"]):
            data = {
                "scanner_id": "s",
                "resource_id": f"lock:{number}",
                "action": "release",
                "success": error is None,
                "error": error,
            }
            journal.append(None, [Event("cleanup.executed", data)], at=float(number))
        found = again(journal).cleanups()
        assert [(row["resource_id"], row["success"], row["error"], row["executed_at"]) for row in found] == [
            ("lock:1", False, "busy", 1000),
            ("lock:0", True, None, 0),
        ]

    def test_an_action_is_in_flight_until_it_ends_whoever_asks(self, journal: Journal, again: Again) -> None:
        about = {"id": "x", "action_id": "a", "source": "watcher:w", "execution_type": "command"}
        assert journal.action_row("a") is None
        fired = Event("trigger.fired", {"name": "w", "action_id": "a", "state": "triggered", "response": 0})
        journal.append(None, [fired, Event("action.started", {**about, "owner": "me"})], at=1.0)
        row = again(journal).action_row("a")
        assert row is not None
        assert (row["execution"], row["owner"], row["started_at"], row["completed_at"]) == ("x", "me", 1.0, None)
        journal = again(journal)
        journal.append(None, [Event("action.completed", {**about, "success": False})], at=2.0)
        rows = again(journal).action_rows()
        assert {name: (row["execution"], row["completed_at"], row["success"]) for name, row in rows.items()} == {
            "a": (None, 2.0, False)
        }
        (standing,) = again(journal).trigger_rows().values()
        assert (standing["state"], standing["response"], standing["failed"]) == ("triggered", 0, True)

    def test_a_trigger_stands_where_its_events_say(self, journal: Journal, again: Again) -> None:
        journal.append(None, [Event("trigger.changed", {"name": "c", "enabled": True, "definition": "d"})], at=1.0)
        journal.append(None, [Event("trigger.fired", {"name": "c", "action_id": "a", "due": 5.0, "state": None})], at=5.0)
        journal.append(None, [Event("trigger.skipped", {"name": "c", "why": "missed", "count": 2, "due": 7.0})], at=8.0)
        row = again(journal).trigger_row("c")
        assert row is not None
        assert (row["enabled"], row["fired_at"], row["due"], row["skipped"], row["state"]) == (True, 5.0, 7.0, 2, None)
        journal = again(journal)
        journal.append(None, [Event("trigger.changed", {"name": "c", "enabled": False})], at=9.0)
        assert again(journal).trigger_rows()["c"]["due"] is None
