"""Scanners: what they find, what they leave alone, and that what they take away can come back."""

from __future__ import annotations

import json
import os

import pytest

from holdfast.core.errors import PlanError
from holdfast.core.events import Event

from .conftest import DAY, HOUR, Life, Scene, on_loop

FILES = "{files: 'spool/*'}"


def scanner(
    source: str = FILES, condition: str = "{stale: 1d}", cleanup: str = "delete", more: str = "", actions: str = ""
) -> str:
    return f"{actions}scanners:\n  s: {{source: {source}, condition: {condition}, cleanup: {cleanup}, interval: 1h{more}}}\n"


def left(scene: Scene, folder: str = "spool") -> list[str]:
    return sorted(path.name for path in (scene.folder / folder).iterdir())


def cleanups(life: Life) -> list[tuple[str, str, bool]]:
    """Oldest first."""
    rows = life.engine.journal.cleanups()
    return [(row["resource_id"].rpartition("/")[2], row["action"], row["success"]) for row in reversed(rows)]


@on_loop
async def test_a_scan_that_finds_nothing_says_nothing_and_comes_again(scene: Scene) -> None:
    """S01"""
    scene.old("spool/young", HOUR)
    with scene.opened(scanner()) as life:
        life.loop.arm()
        await life.tick()
        assert life.types() == []
        scene.clock.pause(DAY)
        await life.tick()
        assert left(scene) == []


@on_loop
async def test_each_resource_is_cleaned_up_and_journaled_on_its_own(scene: Scene) -> None:
    """S02"""
    for name in ("a", "b", "c"):
        scene.old(f"spool/{name}", 2 * DAY)
    scene.old("spool/young", HOUR)
    with scene.opened(scanner()) as life:
        life.loop.arm()
        await life.tick()
        assert left(scene) == ["young"]
        assert life.events("trigger.fired")[0]["count"] == 3
        assert sorted(cleanups(life)) == [("a", "delete", True), ("b", "delete", True), ("c", "delete", True)]


@on_loop
async def test_what_was_taken_away_comes_back_with_the_rollback_of_its_run(scene: Scene) -> None:
    scene.old("spool/dir/deep", 2 * DAY, "content")
    os.utime(scene.folder / "spool/dir", (0, scene.clock.now() - 2 * DAY))
    with scene.opened(scanner()) as life:
        await life.triggers.check("s")
        assert left(scene) == []
        run = life.engine.journal.runs()[0]
        assert (run.source, run.ending) == ("scanner:s", "committed")
        await life.engine.rollback(run.id)
        assert (scene.folder / "spool/dir/deep").read_text() == "content"


@on_loop
async def test_cleanups_add_up(scene: Scene) -> None:
    """S03"""
    with scene.opened(scanner()) as life:
        life.loop.arm()
        for name in ("a", "b"):
            scene.old(f"spool/{name}", 2 * DAY)
            await life.tick(HOUR)
        assert cleanups(life) == [("a", "delete", True), ("b", "delete", True)]


@on_loop
async def test_one_failure_is_journaled_and_stops_neither_the_others_nor_the_next_scan(scene: Scene) -> None:
    """S04"""
    for name in ("a", "b", "c"):
        scene.old(f"spool/{name}", 2 * DAY)
    scene.program("take", 'case "$1" in *b) echo no >&2; exit 1;; esac; rm "$1"')
    actions = "actions:\n  take: {command: [./take, '${path}']}\n"
    with scene.opened(scanner(cleanup="{action: take}", actions=actions)) as life:
        life.loop.arm()
        await life.tick()
        assert left(scene) == ["b"]
        assert sorted(cleanups(life)) == [("a", "take", True), ("b", "take", False), ("c", "take", True)]
        assert "exit code 1" in next(row for row in life.engine.journal.cleanups() if not row["success"])["error"]
        await life.tick(HOUR)
        assert len(cleanups(life)) == 4


@on_loop
async def test_a_file_that_cannot_be_taken_away_stops_no_other(scene: Scene) -> None:
    """S04"""
    for name in ("a", "b"):
        scene.old(f"spool/{name}", 2 * DAY)
    bad = os.fsencode(scene.folder / "spool") + b"/\xff"
    with open(bad, "w"):
        os.utime(bad, (0, scene.clock.now() - 3 * DAY))
    with scene.opened(scanner()) as life:
        found = await life.triggers.check("s")
        assert (found["cleaned"], found["failed"]) == (2, 1)
        assert [row["success"] for row in life.engine.journal.cleanups()].count(False) == 1


@on_loop
async def test_an_action_of_ones_own_is_fired_for_each_resource(scene: Scene) -> None:
    """S06, S08"""
    scene.program("list", """echo '[{"id": "q:1", "attempts": 3, "holder": "me"}, {"id": "q:2", "attempts": 1}]'""")
    actions = "actions:\n  requeue: {command: [echo, '${resource} ${holder} ${trigger}']}\n"
    with scene.opened(scanner("{command: [./list]}", "{attempts: 3}", "{action: requeue}", actions=actions)) as life:
        await life.triggers.check("s")
        assert life.history() == [("requeue", "scanner:s:q:1", True)]
        assert life.engine.journal.executions()[0]["output"] == "q:1 me s\n"


# -- each resource and each clean-up


@on_loop
async def test_files_are_moved_into_an_archive_beside_what_is_there(scene: Scene) -> None:
    """S07"""
    scene.old("spool/log", 2 * DAY, "new")
    scene.old("attic/log", DAY, "old")
    with scene.opened(scanner(cleanup=f"{{archive: '{scene.folder}/attic'}}")) as life:
        assert (await life.triggers.check("s"))["cleaned"] == 1
    assert left(scene) == []
    assert left(scene, "attic") == ["log", "log.20260101120000"]
    assert (scene.folder / "attic/log").read_text() == "old"


@on_loop
async def test_the_directory_of_an_archive_is_made(scene: Scene) -> None:
    """S07"""
    for name in ("a", "b"):
        scene.old(f"spool/{name}", 2 * DAY)
    with scene.opened(scanner(cleanup="{archive: far/away/attic}")) as life:
        assert (await life.triggers.check("s"))["cleaned"] == 2
        assert left(scene, "far/away/attic") == ["a", "b"]


def lock(life: Life, run: str, owner: str) -> None:
    life.engine.journal.append(run, [Event("run.created", {"plan": run, "source": "x", "owner": owner})], at=life.clock.now())
    life.engine.journal.lock(run, owner, [f"local:/{run}"], at=life.clock.now())


@on_loop
async def test_stale_locks_of_the_dead_are_released_and_those_of_the_living_are_not(scene: Scene) -> None:
    """S07"""
    with scene.opened(scanner("locks", "{stale: 1h}", "release")) as life:
        lock(life, "R1", "dead")
        lock(life, "R2", life.engine.parts.owner.name)
        lock(life, "R3", "dead as well")
        life.engine.journal.append("R3", [Event("run.paused")], at=life.clock.now())
        scene.clock.pause(HOUR)
        lock(life, "R4", "dead but new")
        found = await life.triggers.check("s")
        assert found["cleaned"] == 1
        assert [(row.get("success"), row.get("skipped")) for row in found["matches"]] == [
            (True, None),
            (None, "its run R2 is being executed"),
            (None, "its run R3 is paused"),
        ]
        assert [held.run for held in life.engine.journal.locks()] == ["R2", "R3", "R4"]


@on_loop
async def test_runs_let_go_of_what_undoing_them_would_need(scene: Scene) -> None:
    """S07"""
    scene.write("p.yaml", "holdfast: 1\nname: p\nsteps:\n  - {file: out, content: x}\n")
    actions = "actions: {p: {plan: p.yaml}}\n"
    with scene.opened(scanner("runs", "{terminal_for: 1d, matches: committed}", "release", actions=actions)) as life:
        run = (await life.fire("p")).run
        assert (await life.triggers.check("s"))["matches"] == []
        scene.clock.pause(DAY)
        assert (await life.triggers.check("s"))["cleaned"] == 1
        row = life.engine.journal.run(run)
        assert row is not None
        assert row.settled
        assert (await life.triggers.check("s"))["matches"] == []


@on_loop
async def test_runs_are_archived_as_documents(scene: Scene) -> None:
    """S07"""
    scene.write("p.yaml", "holdfast: 1\nname: p\nsteps:\n  - {file: out, content: 'x ${vars.y}'}\nvars: {y: z}\n")
    actions = "actions: {p: {plan: p.yaml}}\n"
    with scene.opened(scanner("{runs: p}", "{terminal_for: 1d}", "{archive: attic}", actions=actions)) as life:
        run = (await life.fire("p")).run
        scene.clock.pause(DAY)
        assert (await life.triggers.check("s"))["cleaned"] == 1
        document = json.loads((scene.folder / f"attic/{run}.json").read_text())
        assert (document["run"], document["ending"]) == (run, "committed")
        assert document["events"][0]["type"] == "run.created"
        scene.clock.pause(DAY)
        assert (await life.triggers.check("s"))["matches"] == []


@pytest.mark.parametrize(
    ("source", "cleanup", "code"),
    [
        ("locks", "delete", "unsupported"),
        (FILES, "release", "unsupported"),
        ("runs", "delete", "unsupported"),
        ("{command: [x]}", "delete", "unsupported"),
        ("{events: run}", "delete", "invalid_value"),
        ("{file: x}", "delete", "invalid_value"),
        (FILES, "burn", "invalid_value"),
        (FILES, "{archive: x, action: y}", "invalid_value"),
        (FILES, "{action: nobody}", "unknown_action"),
    ],
)
def test_what_cannot_be_done_to_a_resource_is_a_problem_of_the_file(scene: Scene, source: str, cleanup: str, code: str) -> None:
    """S07"""
    with pytest.raises(PlanError) as error:
        scene.defined(scanner(source, "{matches: x}", cleanup, actions="actions: {y: {command: y}}\n"))
    assert {problem.code for problem in error.value.problems} == {code}


# -- what is never done


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("exit 1", "exit code 1"),
        ("sleep 60", "took longer than 1 s"),
        ("echo '{broken'", "Expecting property name"),
        ("echo '[{\"age_seconds\": 1}]'", "an entry has no `id`"),
    ],
)
@on_loop
async def test_a_source_that_fails_hangs_or_talks_nonsense_cleans_nothing_and_is_recorded(
    scene: Scene, script: str, error: str
) -> None:
    """S09"""
    scene.program("list", script)
    text = scanner(
        "{command: [./list]}", "{matches: ''}", "{action: a}", ", timeout: 1s", "actions: {a: {command: touch made}}\n"
    )
    with scene.opened(text) as life:
        life.loop.arm()
        await life.tick()
        (skipped,) = life.events("trigger.skipped")
        assert error in skipped["why"]
        scene.program("list", "echo x")
        await life.tick(HOUR)
        assert len(cleanups(life)) == 1


@on_loop
async def test_the_condition_is_asked_again_right_before_each_resource_is_touched(scene: Scene) -> None:
    """S10"""
    scene.write("list", '[{"id": "a", "attempts": 3}, {"id": "b", "attempts": 3}]')
    scene.program("take", 'echo "$1" >> taken; echo \'[{"id": "a", "attempts": 3}, {"id": "b", "attempts": 2}]\' > list')
    actions = "actions:\n  take: {command: [./take, '${resource}']}\n"
    with scene.opened(scanner("{command: [cat, list]}", "{attempts: 3}", "{action: take}", actions=actions)) as life:
        found = await life.triggers.check("s")
        assert scene.lines("taken") == ["a"]
        assert found["matches"][1]["skipped"] == "its condition does not hold any more"
        assert "b: its condition" in life.events("trigger.skipped")[0]["why"]


@on_loop
async def test_a_file_that_changes_after_the_scan_is_left_alone(scene: Scene) -> None:
    """S10"""
    for name in ("a", "b"):
        scene.old(f"spool/{name}", 2 * DAY)
    with scene.opened(scanner()) as life:
        plan = life.engine.plan

        async def plan_while_somebody_writes(*args: object) -> object:
            preview = await plan(*args)
            os.utime(scene.folder / "spool/a", (0, scene.clock.now()))
            return preview

        life.engine.plan = plan_while_somebody_writes
        found = await life.triggers.check("s")
        assert left(scene) == ["a"]
        assert found["cleaned"] == 1


@on_loop
async def test_a_dry_run_lists_what_it_would_do_and_does_nothing(scene: Scene) -> None:
    """S11"""
    scene.old("spool/a", 2 * DAY)
    with scene.opened(scanner()) as life:
        seq = life.engine.journal.last_seq()
        found = await life.triggers.check("s", dry_run=True)
        assert [row["resource_id"] for row in found["matches"]] == [f"file:{scene.folder}/spool/a"]
        assert (found["cleaned"], found["failed"], left(scene)) == (0, 0, ["a"])
        assert life.engine.journal.last_seq() == seq


@on_loop
async def test_nothing_is_called_an_orphan_whose_parent_nobody_knows(scene: Scene) -> None:
    """S12"""
    scene.program("list", """echo '[{"id": "known", "parent": null}, {"id": "unknown"}, {"id": "child", "parent": "x"}]'""")
    actions = "actions:\n  take: {command: [echo, '${resource}']}\n"
    with scene.opened(scanner("{command: [./list]}", "{orphaned: true}", "{action: take}", actions=actions)) as life:
        assert [row["resource_id"] for row in (await life.triggers.check("s"))["matches"]] == ["known"]


@on_loop
async def test_nobody_knows_the_age_of_what_has_no_age(scene: Scene) -> None:
    """S05"""
    scene.program("list", "echo one; echo two")
    actions = "actions:\n  take: {command: [echo, '${resource}']}\n"
    with scene.opened(scanner("{command: [./list]}", "{stale: 0s}", "{action: take}", actions=actions)) as life:
        assert (await life.triggers.check("s"))["matches"] == []


@on_loop
async def test_the_oldest_go_first_and_no_more_than_one_scan_may_take(scene: Scene) -> None:
    for days in (2, 5, 3, 4):
        scene.old(f"spool/{days}", days * DAY)
    with scene.opened(scanner(more=", max_per_scan: 3")) as life:
        found = await life.triggers.check("s")
        assert (left(scene), found["more"], found["cleaned"]) == (["2"], 1, 3)


@on_loop
async def test_what_is_protected_is_never_touched(scene: Scene) -> None:
    for name in ("current", "keep.me", "old"):
        scene.old(f"spool/{name}", 9 * DAY)
    with scene.opened(scanner(more=", protect: [current, '*.me', 'spool/nothing']")) as life:
        await life.triggers.check("s")
        assert left(scene) == ["current", "keep.me"]


@on_loop
async def test_neither_the_journal_nor_the_archive_is_ever_cleaned_up(scene: Scene) -> None:
    scene.old("archive/thing", 9 * DAY)
    scene.old("old", 9 * DAY)
    with scene.opened(scanner("{files: '*'}", "{matches: ''}", "{archive: archive}")) as life:
        found = await life.triggers.check("s")
        assert [row["resource_id"].rpartition("/")[2] for row in found["matches"]] == ["old"]
        assert left(scene, ".") == ["archive", "state"]


@on_loop
async def test_a_directory_is_as_old_as_the_youngest_thing_in_it(scene: Scene) -> None:
    scene.old("spool/live/deep/file", HOUR)
    os.utime(scene.folder / "spool/live/deep", (0, scene.clock.now() - 9 * DAY))
    os.utime(scene.folder / "spool/live", (0, scene.clock.now() - 9 * DAY))
    with scene.opened(scanner()) as life:
        await life.triggers.check("s")
        assert left(scene) == ["live"]


@on_loop
async def test_names_with_anything_in_them_are_only_names(scene: Scene) -> None:
    names = ["${vars.x}", "a b", "*", "[x]", "-rf", "$(touch made)", "new\nline", "{ref}"]
    for name in names:
        scene.old(f"spool/{name}", 2 * DAY)
    with scene.opened(scanner()) as life:
        found = await life.triggers.check("s")
        assert (found["cleaned"], found["failed"], left(scene)) == (len(names), 0, [])
