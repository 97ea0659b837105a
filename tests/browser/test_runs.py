"""Runs before people's eyes: begun, watched, stopped, confirmed, rolled back; every button, against live runs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from holdfast.app.serving.tokens import Caller
from tests.browser.conftest import PATIENCE_MS, OpenScreen, Screen
from tests.web.conftest import House, gate

Json = dict[str, Any]


def staged(house: House, name: str, *stages: list[Json], **more: Any) -> Json:
    named = [{"name": f"stage-{number}", "steps": steps} for number, steps in enumerate(stages, 1)]
    return {"holdfast": 1, "name": name, "tasks": [{"name": "main", "stages": named}], **more}


def begin(house: House, plan: Json) -> str:
    with house.client() as client:
        answer = client.post("/api/v1/runs", json={"plan": plan})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["run"])


def test_a_plan_is_looked_at_first_and_then_applied(screen: Screen, house: House) -> None:
    path = house.root / "motd"
    path.write_text("old\n")
    screen.go("plan")
    screen.page.get_by_label("Text of the plan").fill(
        json.dumps(house.plan({"file": str(path), "content": "new\n"}, name="greeting"))
    )
    screen.page.get_by_label("Format").select_option("json")
    screen.press("Preview")
    screen.see("+new")
    screen.see("-old")
    assert path.read_text() == "old\n"
    screen.press("Apply")
    said = screen.answer("Apply")
    assert "1 change will be made" in said
    screen.see_run("committed")
    assert path.read_text() == "new\n"
    screen.page.get_by_role("tab", name="Changes").click()
    screen.see("-old")


def test_a_plan_that_was_changed_since_it_was_looked_at_is_not_applied(screen: Screen, house: House) -> None:
    """Neither one whose text is another now, nor one before another that is no plan."""
    text, apply = screen.page.get_by_label("Text of the plan"), screen.page.get_by_role("button", name="Apply")
    plan = house.plan({"file": str(house.root / "changed"), "content": "new\n"}, name="changed")
    screen.expected = {422}
    screen.go("plan")
    text.fill(json.dumps(plan))
    screen.page.get_by_label("Format").select_option("json")
    screen.press("Preview")
    expect(apply).to_be_enabled()
    text.fill(json.dumps({**plan, "nmae": "changed"}))
    expect(apply).to_be_disabled()
    screen.press("Preview")
    screen.see("did you mean")
    expect(apply).to_have_count(0)


def test_a_plan_file_can_be_uploaded_and_its_problems_are_listed_with_their_places(screen: Screen, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("holdfast: 1\nname: web\nsteps:\n  - file: /tmp/x\n    contnt: hello\n")
    screen.expected = {422}
    screen.go("plan")
    screen.page.get_by_label("Plan file", exact=True).and_(screen.page.locator("input")).set_input_files(file)
    screen.see("did you mean")


def test_a_list_of_runs_follows_what_happens(screen: Screen, house: House) -> None:
    screen.go("runs")
    begin(house, house.plan(house.file("live.txt"), name="seen-live"))
    row = screen.page.get_by_role("row").filter(has_text="seen-live")
    row.get_by_text("committed").wait_for()
    screen.page.get_by_label("Ending").select_option("refused")
    expect(row).to_have_count(0)
    screen.page.get_by_label("Ending").select_option("")
    row.get_by_role("link", name="seen-live").click()
    screen.see_run("committed")
    expect(screen.page.locator("main")).to_be_focused()
    expect(screen.page).to_have_title("seen-live: committed · Holdfast")


def test_a_lost_connection_is_said_and_then_mended(screen: Screen, house: House) -> None:
    screen.page.route("**/api/v1/events", lambda asked: asked.abort())
    screen.page.reload()
    expect(screen.page.get_by_role("alert")).to_contain_text("may be old")
    begin(house, house.plan(house.file("unheard.txt"), name="unheard-of"))
    screen.page.unroute("**/api/v1/events")
    screen.page.get_by_role("row").filter(has_text="unheard-of").get_by_text("committed").wait_for()
    expect(screen.page.get_by_role("alert")).to_have_count(0)


def test_a_failure_is_told_with_its_hint_and_everything_before_it_is_undone(screen: Screen, house: House) -> None:
    kept = {"command": ["true"], "irreversible": True, "id": "mail"}
    plan = staged(
        house,
        "failing",
        [house.file("undone.txt"), kept],
        [{"command": ["sh", "-c", "echo no luck; exit 3"], "undo": ["true"], "id": "boom"}],
    )
    run = begin(house, plan)
    screen.go("run", run)
    screen.see_run("rolled back")
    errors = screen.page.get_by_label("Errors")
    expect(errors).to_contain_text("command_failed")
    expect(errors).to_contain_text("see the output of the command")
    left = screen.page.get_by_label("Left behind")
    expect(left).to_contain_text("mail")
    expect(left).to_contain_text("What to do")
    expect(screen.page.get_by_label("What happened")).to_contain_text("boom failed, and all of it was rolled back.")
    errors.get_by_role("button", name="boom").click()
    detail = screen.page.get_by_label("Step boom")
    expect(detail).to_contain_text("no luck")
    expect(detail).to_contain_text("$ sh -c")
    screen.shoot("run-failed")
    screen.check_accessible()
    screen.page.get_by_role("tab", name="Timeline").click()
    expect(screen.page.get_by_label("Steps by time")).to_contain_text("boom")
    screen.shoot("run-timeline")
    screen.page.get_by_role("tab", name="Events").click()
    screen.page.get_by_label("Search events").fill("boom")
    expect(screen.page.get_by_label("Events").get_by_role("listitem")).not_to_have_count(0)
    screen.press("Retry")
    said = screen.answer("Try again")
    assert "From where it stopped" in said
    house.ended(run)


def test_a_rollback_that_cannot_finish_says_what_is_left_and_waits_for_somebody(screen: Screen, house: House) -> None:
    mended = house.root / "mended"
    breaks = {"command": ["true"], "undo": ["test", "-e", str(mended)], "id": "breaks"}
    house.ended(run := begin(house, staged(house, "broken", [breaks], [{"command": ["false"], "undo": ["true"]}])))
    screen.go("runs")
    screen.page.get_by_label("Waiting for somebody").get_by_role("link", name="broken").click()
    screen.see_run("stuck")
    assert screen.place == f"/run/{run}"
    expect(screen.page.get_by_label("What happened")).to_contain_text("then roll back again")
    left = screen.page.get_by_label("Left behind")
    expect(left).to_contain_text("What to do")
    left.get_by_role("button", name="breaks").click()
    screen.page.get_by_label("Step breaks").wait_for()
    mended.touch()
    screen.press("Roll back")
    screen.answer("Roll back")
    screen.see_run("rolled back")
    expect(left).to_have_count(0)


def test_a_run_is_paused_resumed_and_cancelled(screen: Screen, house: House) -> None:
    doors = [house.root / "door-1", house.root / "door-2"]
    run = begin(house, staged(house, "paused", [gate(doors[0])], [gate(doors[1])], [house.file("never.txt")]))
    screen.go("run", run)
    screen.see_run("running")
    screen.press("Pause")
    assert "nothing is undone" in screen.answer("Pause")
    screen.see_run("pausing")
    doors[0].touch()
    screen.see_run("paused")
    expect(screen.page.get_by_label("What happened")).to_contain_text("nothing is undone")
    screen.shoot("run-paused")
    screen.press("Resume")
    screen.answer("Resume")
    screen.see_run("running")
    screen.press("Cancel")
    screen.answer("No, leave it")
    screen.press("Cancel")
    assert "undone, in reverse" in screen.answer("Cancel and roll back")
    doors[1].touch()
    screen.see_run("rolled back")
    assert not (house.root / "never.txt").exists()


def test_a_run_that_waits_for_locks_says_for_whom(screen: Screen, house: House) -> None:
    door = house.root / "door-of-the-holder"
    holder = begin(house, house.plan(gate(door), house.file("wanted.txt"), name="holder"))
    house.in_state(holder, "running")
    second = begin(house, house.plan(house.file("wanted.txt", "mine\n"), name="second"))
    screen.go("run", second)
    screen.see_run("queued")
    told = screen.page.get_by_label("What happened")
    expect(told).to_contain_text(f"behind the run …{holder[-6:]}")
    expect(told).to_contain_text("wanted.txt")
    screen.go("locks")
    row = screen.page.get_by_label("Waiting").get_by_role("row").filter(has_text=second[-6:])
    expect(row).to_contain_text(holder[-6:])
    screen.shoot("locks-waiting")
    screen.check_accessible()
    row.get_by_role("link").first.click()
    screen.see_run("queued")
    door.touch()
    screen.see_run("committed")


def test_a_run_that_must_be_confirmed_counts_down(screen: Screen, house: House) -> None:
    run = begin(house, house.plan(house.file("kept.txt"), name="confirmed", policy={"confirm_within": "60s"}))
    screen.go("run", run)
    screen.see_run("confirming")
    left = screen.page.get_by_role("timer").inner_text()
    assert re.fullmatch(r"[01]:\d\d", left)
    expect(screen.page.get_by_role("timer")).not_to_have_text(left)
    screen.shoot("run-confirming")
    screen.press("Confirm")
    assert "rolls back when the time is up" in screen.answer("Keep it")
    screen.see_run("committed")
    screen.press("Roll back")
    assert "1 step will be undone" in screen.answer("Roll back")
    screen.see_run("rolled back")
    assert not (house.root / "kept.txt").exists()


def test_nobody_confirms_and_all_of_it_goes_back(screen: Screen, house: House) -> None:
    run = begin(house, house.plan(house.file("forgotten.txt"), name="forgotten", policy={"confirm_within": "1s"}))
    screen.go("run", run)
    screen.see_run("rolled back")
    expect(screen.page.get_by_label("Errors")).to_contain_text("unconfirmed")


def test_a_step_asks_a_question_and_goes_on_when_it_is_answered(screen: Screen, house: House) -> None:
    run = begin(house, house.plan({"approve": "Is the old site in maintenance?", "id": "ask"}, name="asking"))
    screen.go("run", run)
    screen.see("Is the old site in maintenance?")
    screen.press("Approve")
    screen.answer("Approve")
    screen.see_run("committed")


def test_a_rollout_is_a_matrix_whose_batches_wait_and_whose_tasks_can_be_stopped_alone(screen: Screen, house: House) -> None:
    door = house.root / "door-of-t7"
    tenants = [{"tenant": f"t{number}"} for number in range(1, 13)]
    steps = [{"file": f"{house.root}/${{each.tenant}}.conf", "content": "v2\n"}]
    wait = [
        {"command": ["sh", "-c", f"[ ${{each.tenant}} != t7 ] || until [ -e {door} ]; do sleep 0.02; done"], "undo": ["true"]}
    ]
    stages = [
        {"name": "config", "steps": steps},
        {"name": "settle", "steps": wait},
        {"name": "health", "steps": [{"wait": "10ms"}]},
    ]
    policy = {"scope": "task", "batches": [1, "100%"], "gate": "approve"}
    run = begin(
        house,
        {"holdfast": 1, "name": "tenants", "policy": policy, "tasks": [{"name": "deploy", "each": tenants, "stages": stages}]},
    )
    screen.go("runs")
    expect(screen.page.get_by_label("Waiting for somebody")).to_contain_text("waiting")
    screen.go("run", run)
    screen.see_run("waiting")
    screen.see("is in and healthy: 1 of 12 tasks are done")
    screen.press("Approve")
    screen.answer("Approve")
    screen.page.get_by_role("button", name=re.compile("completed 11")).wait_for()
    screen.shoot("run-rollout")
    screen.check_accessible()
    screen.press("Cancel deploy@t7")
    assert "Other tasks go on" in screen.answer("Cancel")
    door.touch()
    screen.see_run("partial")
    expect(screen.page.get_by_label("What happened")).to_contain_text("11 of 12 tasks are in. Not in: deploy@t7.")
    assert (house.root / "t1.conf").exists()
    assert not (house.root / "t7.conf").exists()


def test_a_viewer_sees_everything_and_can_press_nothing(open_screen: OpenScreen, house: House) -> None:
    run = begin(house, house.plan(house.file("seen.txt"), name="looked-at", policy={"confirm_within": "60s"}))
    house.in_state(run, "confirming")
    viewer = open_screen(Caller(name="eve", role="viewer"))
    viewer.go("run", run)
    viewer.see_run("confirming")
    expect(viewer.page.get_by_label("Commands").get_by_role("button")).to_have_count(0)
    viewer.go("plan")
    viewer.see("No preview yet")
    expect(viewer.page.get_by_role("button", name="Preview")).to_have_count(0)
    viewer.go("checkpoints")
    viewer.page.get_by_role("heading", name="Checkpoints").wait_for()
    expect(viewer.page.get_by_role("button", name="New checkpoint")).to_have_count(0)
    approver = open_screen(Caller(name="ann", role="approver"))
    approver.go("run", run)
    approver.press("Confirm")
    approver.answer("Keep it")
    viewer.go("run", run)
    viewer.see_run("committed")


def test_hostile_strings_are_text_in_which_nothing_is_hidden(screen: Screen, house: House) -> None:
    evil = "<img src=x onerror=alert(1)>\u202egnp.exe\x1b[31m"
    step = {"command": ["printf", "%s", evil], "undo": ["true"], "id": "evil"}
    run = begin(house, house.plan(step, {"file": str(house.root / evil.replace("/", "")), "content": evil}, name="hostile"))
    screen.go("run", run)
    screen.see_run("committed")
    screen.page.get_by_role("button", name=re.compile("evil")).first.click()
    screen.see("⟨U+202E⟩gnp.exe⟨U+001B⟩[31m")
    screen.page.get_by_role("tab", name="Changes").click()
    screen.see("<img src=x onerror=alert(1)>")
    assert screen.page.locator("main img").count() == 0
    assert "\u202e" not in screen.page.content()


def test_a_person_lets_an_agent_apply_what_cannot_be_undone(screen: Screen, house: House) -> None:
    with house.client() as client:
        plan = house.plan({"command": ["true"], "irreversible": True}, name="of-an-agent")
        preview = client.post("/api/v1/plans", json={"plan": plan}).json()
    screen.go("plan", preview["id"])
    screen.press("Approve for an agent")
    assert "Nothing is applied now" in screen.answer("Approve")
    screen.see("An agent may apply it once.")


def test_more_tabs_than_a_browser_opens_connections_are_all_live_and_stay_so(screen: Screen, house: House) -> None:
    """A browser opens six to one server: one tab reads for all, and when it is closed another one does."""
    screen.go("runs")
    tabs = [screen.page, *(screen.page.context.new_page() for _ in range(7))]
    for tab in tabs[1:]:
        tab.set_default_timeout(PATIENCE_MS)
        tab.goto(f"{house.server.url}/#/runs")
    for name in ("for-all", "for-the-rest"):
        begin(house, house.plan(house.file(f"{name}.txt"), name=name))
        for tab in tabs:
            tab.get_by_role("link", name=name).first.wait_for()
        tabs.pop(0).close()  # the one that came first is the one that reads
