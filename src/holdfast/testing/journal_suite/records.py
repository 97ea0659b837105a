"""Numbers, and reading back what was appended."""

from __future__ import annotations

from typing import Any

from holdfast.core.errors import Bug
from holdfast.core.events import PUBLISHED_ONLY, Event, Outline, StageOutline, TaskOutline
from holdfast.journal.contract import Journal
from holdfast.testing.journal_suite.builders import (
    Again,
    begin,
    created,
    executed,
    plain,
    plain_event,
    refusal,
    state_of,
)


class Numbers:
    def test_numbers_begin_at_one_and_a_batch_takes_as_many_as_it_stands_for(self, journal: Journal) -> None:
        """E01, J09, J12"""
        batch = Event("step.applied", {"duration_s[]": [0.1, 0.2, 0.3]}, task=0, stage=0, steps=(0, 1, 2))
        first = journal.append("A", [created(sizes=(3,))], at=1.0)
        second = journal.append("A", [Event("task.started", task=0), batch], at=2.0)
        other = journal.append("B", [created()], at=3.0)
        assert [(receipt.first, receipt.last) for receipt in (first, second, other)] == [(1, 1), (2, 5), (6, 6)]
        assert [(record.plan_seq, dict(record.task_seqs)) for record in journal.records()] == [(1, {}), (2, {0: 1}), (1, {})]
        assert journal.last_seq() == 6

    def test_numbers_go_on_after_a_restart(self, journal: Journal, again: Again) -> None:
        """J10, E05"""
        begin(journal, "A")
        journal.append("A", [Event("step.applied", task=0, stage=0, steps=(0, 1))], at=2.0)
        journal = again(journal)
        receipt = journal.append("A", [Event("task.completed", task=0)], at=3.0)
        record = list(journal.records("A"))[-1]
        assert (receipt.first, record.plan_seq, dict(record.task_seqs)) == (5, 5, {0: 3})

    def test_task_numbers_are_kept_per_task(self, journal: Journal) -> None:
        journal.append("A", [created(sizes=(1, 1))], at=1.0)
        events = [
            Event("task.started", task=0),
            Event("task.started", task=1),
            Event("step.applied", task=1, stage=0, steps=(1,)),
        ]
        journal.append("A", events, at=2.0)
        journal.append("A", [Event("task.completed", task=1), Event("task.completed", task=0)], at=3.0)
        assert [dict(record.task_seqs) for record in journal.records("A")] == [{}, {0: 1, 1: 1}, {1: 3, 0: 2}]

    def test_a_failed_append_leaves_nothing_and_takes_no_number(self, journal: Journal) -> None:
        """J14"""
        begin(journal, "A")
        before = state_of(journal)
        refusal(lambda: journal.append("A", [Event("run.pausing"), created()], at=2.0))  # the second: there is such a run
        assert state_of(journal) == before
        assert journal.append("A", [Event("run.pausing")], at=2.0).first == 3
        assert [record.seq for record in journal.records()] == [1, 3]

    def test_what_is_only_published_is_not_journaled(self, journal: Journal) -> None:
        for kind in [*PUBLISHED_ONLY, "run.invented"]:
            assert isinstance(refusal(lambda kind=kind: journal.append("A", [Event(kind)], at=1.0)), Bug)  # type: ignore[misc]
        assert journal.last_seq() == 0

    def test_a_column_has_one_value_per_step(self, journal: Journal) -> None:
        event = Event("step.applied", {"duration_s[]": [0.1]}, task=0, stage=0, steps=(0, 1))
        assert isinstance(refusal(lambda: journal.append("A", [event], at=1.0)), Bug)

    def test_an_append_of_nothing_writes_nothing(self, journal: Journal) -> None:
        begin(journal, "A")
        receipt = journal.append("A", [], at=1.0)
        assert (receipt.first, receipt.last, journal.last_seq()) == (3, 2, 2)


class Reading:
    def test_what_was_appended_is_read_back(self, journal: Journal, again: Again) -> None:
        """J03, J10"""
        events = [
            Event(
                "step.failed",
                {"error[]": [{"code": "timeout", "message": "a\nb\u2028c ünï \x00 \\"}]},
                task=0,
                stage=0,
                steps=(5,),
            ),
            Event(
                "step.applied", {"duration_s[]": [0.5, 1e-7, 3], "output[]": [None, "", "x"]}, task=0, stage=0, steps=(7, 1, 2)
            ),
            Event("run.cancelling", {"by": "manual:\udcff", "why": None, "deep": {"a": [1, {"b": [True, None, 2.5]}]}}),
        ]
        journal.append("A", [created(sizes=(10,))], at=1.25)
        journal.append("A", events, at=2.5)
        given = list(journal.records())[1]
        found = plain(again(journal).records())
        assert found[1] == plain([given])[0]
        assert found[1][6] == [plain_event(event) for event in events]

    def test_records_of_one_run_and_after_a_number(self, journal: Journal) -> None:
        """E07"""
        for run in ("A", "B", "A", "B"):
            events = [Event("step.applying", {"attempt": 1}, task=0, stage=0, steps=range(10))]
            journal.append(run, [created(sizes=(10,))] if journal.run(run) is None else events, at=1.0)
        assert [record.seq for record in journal.records()] == [1, 2, 3, 13]
        assert [record.seq for record in journal.records("A")] == [1, 3]
        assert [record.seq for record in journal.records(after=2)] == [3, 13]
        assert [record.seq for record in journal.records(after=3)] == [3, 13]  # the record holds 3 to 12
        assert [record.seq for record in journal.records("B", after=12)] == [13]
        assert [record.seq for record in journal.records("A", after=12)] == []
        assert [record.seq for record in journal.records(after=22)] == []
        assert [record.seq for record in journal.records(limit=2)] == [1, 2]

    def test_many_records_come_in_order(self, journal: Journal) -> None:
        begin(journal, "A")
        for number in range(700):
            journal.append(
                "A" if number % 3 else None,
                [Event("run.pausing") if number % 3 else executed("a", number)],
                at=1.0,
                durable=False,
            )
        seqs = [record.seq for record in journal.records()]
        assert seqs == sorted(seqs) and len(seqs) == 701
        assert len(list(journal.records("A"))) == 467
        assert [record.seq for record in journal.records(after=300, limit=300)] == list(range(301, 601))

    def test_an_outline_is_read_back(self, journal: Journal, again: Again) -> None:
        kinds = ("link", "link", "file", "link")
        outline = Outline(
            (TaskOutline("web@1", "web1", (StageOutline("s", ("a", "b", "c", "d"), kinds), StageOutline("t", (), ())), "acme"),)
        )
        journal.append("A", [Event("run.created", {**created().data, "outline": outline})], at=1.0)
        journal = again(journal)
        assert journal.outline("A") == outline
        assert journal.outline("B") is None

    def test_a_change_of_any_kind_is_noticed(self, journal: Journal) -> None:
        seen = {journal.changed()}
        for write in (
            lambda: begin(journal, "A"),
            lambda: journal.ask("A", "pause", {}, at=1.0),
            lambda: journal.put("shelf", "name", b"x"),
        ):
            write()
            seen.add(journal.changed())
        assert len(seen) == 4
        assert journal.changed() == journal.changed()

    def test_states_become_plain_before_they_are_written(self, journal: Journal, again: Again) -> None:
        class Secretive:
            def plain(self) -> Any:
                return {"type": "file"}

        journal.append(
            "A", [created(), Event("run.prepared", {"changes": [[0, "local", "/x", Secretive(), None, "atomic"]]})], at=1.0
        )
        row = next(again(journal).records("A")).events[1].data["changes"][0]
        assert row[3] == {"type": "file"} or isinstance(row[3], Secretive)
