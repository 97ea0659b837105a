"""Cron: when a schedule is due, and what happens to what was missed, overlapped, edited or switched off."""

from __future__ import annotations

import asyncio
import os
from datetime import datetime

import pytest

from holdfast.triggers.cron import flaw_of, missed, next_time, times, zone_flaw

from .conftest import DAY, HOUR, MINUTE, NOON, Scene, on_loop

ACTION = "actions:\n  job: {command: [./job]}\n"


def cron(more: str = "", schedule: str = "0 * * * *", name: str = "hourly") -> str:
    return f"{ACTION}cron:\n  {name}: {{schedule: '{schedule}', action: job, enabled: true{more}}}\n"


# -- schedules


@pytest.mark.parametrize(
    ("schedule", "timezone", "start", "expected"),
    [
        ("0 3 * * *", "UTC", "2026-01-01T12:00:00+00:00", ["2026-01-02T03:00:00+00:00", "2026-01-03T03:00:00+00:00"]),
        ("0 3 * * *", "Asia/Tokyo", "2026-01-01T12:00:00+00:00", ["2026-01-01T18:00:00+00:00"]),
        ("@weekly", "UTC", "2026-01-01T12:00:00+00:00", ["2026-01-04T00:00:00+00:00"]),
        # Berlin, 2026-03-29: 02:00 becomes 03:00. A fixed time that is skipped fires when the clock has jumped.
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00:00+00:00",
            ["2026-03-29T01:00:00+00:00", "2026-03-30T00:30:00+00:00"],
        ),
        # What runs every half an hour goes on by the clock: no half hour is missing, none is there twice.
        (
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-03-29T00:15:00+00:00",
            ["2026-03-29T00:30:00+00:00", "2026-03-29T01:00:00+00:00"],
        ),
        # Berlin, 2026-10-25: 03:00 becomes 02:00. A fixed time that comes twice fires once.
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00+00:00",
            ["2026-10-25T00:30:00+00:00", "2026-10-26T01:30:00+00:00"],
        ),
        (
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-10-25T00:15:00+00:00",
            ["2026-10-25T00:30:00+00:00", "2026-10-25T01:00:00+00:00", "2026-10-25T01:30:00+00:00"],
        ),
    ],
)
def test_schedules_are_kept_in_their_time_zone_also_when_its_clock_changes(
    schedule: str, timezone: str, start: str, expected: list[str]
) -> None:
    after = datetime.fromisoformat(start).timestamp()
    found = times(schedule, timezone, after)
    assert [next(found) for _ in expected] == [datetime.fromisoformat(each).timestamp() for each in expected]


@pytest.mark.parametrize("schedule", ["", "* * * *", "61 * * * *", "0 3 30 2 *", "0 3 * * nonsense", "@never"])
def test_a_schedule_that_nobody_can_keep_has_a_flaw(schedule: str) -> None:
    assert flaw_of(schedule)


def test_a_zone_that_nobody_knows_is_guessed() -> None:
    assert zone_flaw("Europe/Berlin") is None
    assert zone_flaw("Europe/Berlni") == ("there is no time zone `Europe/Berlni`", "did you mean `Europe/Berlin`?")


@pytest.mark.parametrize(
    ("misfire", "away", "fire", "skip"),
    [
        ("once", 0.0, 1, 0),
        ("skip", 0.0, 1, 0),
        ("all", 0.0, 1, 0),
        ("once", 3 * HOUR + 30 * MINUTE, 1, 3),
        ("skip", 3 * HOUR + 30 * MINUTE, 0, 4),
        ("all", 3 * HOUR + 30 * MINUTE, 4, 0),
        ("skip", 3 * HOUR, 1, 3),
    ],
)
def test_what_was_missed_is_fired_once_not_at_all_or_one_by_one(misfire: str, away: float, fire: int, skip: int) -> None:
    found = missed("0 * * * *", "UTC", NOON, NOON + HOUR + away, misfire)
    assert found is not None
    assert (len(found.fire), found.skip) == (fire, skip)
    assert found.due == NOON + HOUR + away // HOUR * HOUR


def test_nothing_is_due_before_its_time() -> None:
    assert missed("0 * * * *", "UTC", NOON, NOON + HOUR - 1, "once") is None
    assert next_time("0 * * * *", "UTC", NOON) == NOON + HOUR


# -- the life of a cron


@on_loop
async def test_a_new_cron_is_disabled_and_an_enabled_one_has_a_next_time(scene: Scene) -> None:
    """T01"""
    with scene.opened(cron().replace(", enabled: true", "")) as life:
        assert (life.listed("hourly")["enabled"], life.listed("hourly")["next_at"]) == (False, None)
        life.triggers.enable("hourly", by="manual:alice")
        assert (life.listed("hourly")["enabled"], life.listed("hourly")["next_at"]) == (True, "2026-01-01T13:00:00.000Z")


@on_loop
async def test_a_cron_fires_at_its_time_with_its_source(scene: Scene) -> None:
    scene.program("job", "echo did")
    with scene.opened(cron()) as life:
        life.loop.arm()
        await life.tick(HOUR - 1)
        assert life.history() == []
        await life.tick(1)
        assert life.history() == [("job", "cron:hourly", True)]
        assert life.events("trigger.fired")[0]["due"] == NOON + HOUR


@on_loop
async def test_what_is_due_while_the_last_one_runs_is_skipped_and_recorded(scene: Scene) -> None:
    """T02, T11"""
    os.mkfifo(scene.folder / "gate")
    scene.program("job", "echo on >> begun; cat gate")
    with scene.opened(cron()) as life:
        life.loop.arm()
        for _ in range(3):
            life.start(HOUR)
            await life.until("action.started")
        await life.until("trigger.skipped", 2)
        assert life.types() == ["trigger.fired", "action.started", "trigger.skipped", "trigger.skipped"]
        assert life.listed("hourly")["skipped"] == 2
        await open_gate(scene)
        await life.loop.finish()
        await life.tick(HOUR)
        assert life.types().count("trigger.fired") == 2


async def open_gate(scene: Scene) -> None:
    """Let the job that waits end, and the jobs after it not wait."""
    await scene.until("begun", ["on"])
    scene.program("job", "true")
    await asyncio.to_thread((scene.folder / "gate").write_text, "on")


@on_loop
async def test_with_overlap_wait_it_is_fired_when_the_last_one_ends(scene: Scene) -> None:
    os.mkfifo(scene.folder / "gate")
    scene.program("job", "echo on >> begun; cat gate")
    with scene.opened(cron(", overlap: wait")) as life:
        life.loop.arm()
        for _ in range(2):
            life.start(HOUR)
            await life.until("action.started")
        assert life.types() == ["trigger.fired", "action.started"]
        life.start(HOUR)
        await life.until("trigger.skipped")
        await open_gate(scene)
        await life.loop.finish()
        fired = ["trigger.fired", "action.started", "action.completed"]
        assert life.types() == [*fired[:2], "trigger.skipped", *fired[2:], *fired]
        assert [event["due"] for event in life.events("trigger.fired")] == [NOON + HOUR, NOON + 2 * HOUR]


@on_loop
async def test_a_job_that_fails_is_fired_again_at_the_next_time(scene: Scene) -> None:
    """T03, T07"""
    scene.program("job", "exit 1")
    with scene.opened(cron()) as life:
        life.loop.arm()
        for _ in range(3):
            await life.tick(HOUR)
        assert life.history() == [("job", "cron:hourly", False)] * 3
        assert life.engine.journal.stats("job")[0]["failures"] == 3
        assert life.listed("hourly")["next_at"] == "2026-01-01T16:00:00.000Z"


@on_loop
async def test_who_is_disabled_while_its_job_runs_stays_disabled_and_the_job_ends_well(scene: Scene) -> None:
    """T04, T08"""
    os.mkfifo(scene.folder / "gate")
    scene.program("job", "echo on >> begun; cat gate")
    with scene.opened(cron()) as life:
        life.loop.arm()
        life.start(HOUR)
        await life.until("action.started")
        life.triggers.disable("hourly", by="manual:alice")
        await open_gate(scene)
        await life.loop.finish()
        assert life.history() == [("job", "cron:hourly", True)]
        assert (life.listed("hourly")["state"], life.listed("hourly")["next_at"]) == ("disabled", None)
        await life.tick(5 * HOUR)
        assert len(life.history()) == 1


@on_loop
async def test_who_is_disabled_and_enabled_while_its_job_runs_still_runs_one_at_a_time(scene: Scene) -> None:
    """T05"""
    os.mkfifo(scene.folder / "gate")
    scene.program("job", "echo on >> begun; cat gate")
    with scene.opened(cron()) as life:
        life.loop.arm()
        life.start(HOUR)
        await life.until("action.started")
        life.triggers.disable("hourly", by="manual:alice")
        life.triggers.enable("hourly", by="manual:alice")
        life.loop.hear()
        life.start(HOUR)
        await life.until("trigger.skipped")
        assert life.types() == ["trigger.fired", "action.started", "trigger.skipped"]
        await open_gate(scene)
        await life.loop.finish()


@on_loop
async def test_a_cron_can_let_watchers_and_scanners_look(scene: Scene) -> None:
    """T06"""
    scene.program("look", 'echo "$1" >> looked; echo "[]"')
    looks = "".join(
        f"{section}:\n"
        + "".join(
            f"  {name}: {{source: {{command: [./look, {name}]}}, condition: {condition}, interval: 30d{more}}}\n"
            for name in names
        )
        for section, names, condition, more in (
            ("watchers", ("w1", "w2"), "{exceeds: 9}", ""),
            ("scanners", ("s1", "s2"), "{stale: 1h}", ", cleanup: {action: job}"),
        )
    )
    with scene.opened(cron(", check: [w1, w2, s1, s2]") + looks) as life:
        life.loop.arm()
        await life.tick()
        assert sorted(scene.lines("looked")) == ["s1", "s2", "w1", "w2"]
        await life.tick(HOUR)
        assert sorted(scene.lines("looked")) == sorted(["s1", "s2", "w1", "w2"] * 2)


@on_loop
async def test_an_edited_schedule_counts_from_the_next_start_and_owes_nothing(scene: Scene) -> None:
    """T09"""
    scene.program("job", "true")
    with scene.opened(cron()) as life:
        life.loop.arm()
    scene.clock.pause(DAY)
    with scene.opened(cron(schedule="30 * * * *")) as life:
        life.loop.arm()
        await life.tick()
        assert life.history() == []
        await life.tick(30 * MINUTE)
        assert [event["due"] for event in life.events("trigger.fired")] == [NOON + DAY + 30 * MINUTE]


@on_loop
async def test_a_cron_that_is_fired_by_hand_keeps_its_schedule(scene: Scene) -> None:
    """T10"""
    scene.program("job", "true")
    with scene.opened(cron()) as life:
        life.loop.arm()
        scene.clock.pause(10 * MINUTE)
        assert (await life.triggers.check("hourly"))["fired"] == ["job"]
        assert life.listed("hourly")["next_at"] == "2026-01-01T13:00:00.000Z"
        await life.tick(50 * MINUTE)
        assert life.history() == [("job", "cron:hourly", True)] * 2


@on_loop
async def test_a_dry_check_of_a_cron_fires_nothing(scene: Scene) -> None:
    with scene.opened(cron()) as life:
        assert (await life.triggers.check("hourly", dry_run=True))["matches"][0]["action"] == "job"
        assert life.types() == []


@pytest.mark.parametrize(("misfire", "fired", "skipped"), [("once", 1, 2), ("skip", 0, 3), ("all", 3, 0)])
@on_loop
async def test_after_a_restart_the_schedule_goes_on_and_what_was_missed_is_answered_for(
    scene: Scene, misfire: str, fired: int, skipped: int
) -> None:
    """T12"""
    scene.program("job", "true")
    with scene.opened(cron(f", misfire: {misfire}")) as life:
        life.loop.arm()
        await life.tick(HOUR)
    scene.clock.pause(3 * HOUR + 30 * MINUTE)
    with scene.opened(cron(f", misfire: {misfire}")) as life:
        life.loop.arm()
        await life.tick()
        assert len(life.history()) == 1 + fired
        assert sum(event.get("count", 1) for event in life.events("trigger.skipped")) == skipped
        assert life.listed("hourly")["skipped"] == skipped
        await life.tick(30 * MINUTE)
        assert len(life.history()) == 2 + fired
    with scene.opened(cron(f", misfire: {misfire}")) as life:
        life.loop.arm()
        await life.tick()
        assert len(life.history()) == 2 + fired


@on_loop
async def test_what_is_rejected_by_a_cooldown_is_recorded_as_skipped(scene: Scene) -> None:
    scene.program("job", "true")
    with scene.opened(cron().replace("[./job]", "[./job], cooldown: 90m")) as life:
        life.loop.arm()
        await life.tick(HOUR)
        await life.tick(HOUR)
        assert life.types()[-3:] == ["action.completed", "action.rejected", "trigger.skipped"]
        assert "cools down" in life.events("trigger.skipped")[0]["why"]


@on_loop
async def test_the_journal_gives_the_same_state_when_it_is_replayed(scene: Scene) -> None:
    """H14"""
    scene.program("job", "true")
    with scene.opened(cron()) as life:
        life.loop.arm()
        await life.tick(3 * HOUR + 1)
        before = [life.engine.journal.trigger_row("hourly"), life.engine.journal.action_row("job")]
        life.engine.journal.replay()
        assert [life.engine.journal.trigger_row("hourly"), life.engine.journal.action_row("job")] == before
        assert life.engine.journal.verify().ok
        await life.engine.compact(keep_runs=0)
        assert [life.engine.journal.trigger_row("hourly"), life.engine.journal.action_row("job")] == before
        assert life.engine.journal.verify().ok
