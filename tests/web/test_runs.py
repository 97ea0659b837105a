"""Runs over HTTP: begun, watched, controlled; the same runs as those of the command line."""

from __future__ import annotations

from pathlib import Path

import holdfast
from tests.web.conftest import House, events_in, gate


def test_a_run_is_begun_and_its_document_tells_how_it_ended(house: House) -> None:
    run = house.begin(house.file())
    document = house.ended(run)
    assert document["ending"] == "committed"
    assert document["source"] == "api"
    assert document["executed"] == ["main/main/1-file"]
    assert (house.root / "a.txt").read_text() == "hello\n"


def test_a_plan_is_previewed_kept_and_applied_by_its_id_and_digest(house: House) -> None:
    with house.client() as client:
        preview = client.post("/api/v1/plans", json={"plan": house.plan(house.file())}).json()
        assert [change["action"] for change in preview["changes"]] == ["create"]
        assert not (house.root / "a.txt").exists()
        assert client.get(f"/api/v1/plans/{preview['id']}").json() == preview
        begun = client.post("/api/v1/runs", json={"id": preview["id"], "digest": preview["digest"]})
    assert begun.status_code == 202
    assert house.ended(begun.json()["run"])["ending"] == "committed"


def test_a_digest_that_was_not_reviewed_is_refused(house: House) -> None:
    with house.client() as client:
        preview = client.post("/api/v1/plans", json={"plan": house.plan(house.file())}).json()
        answer = client.post("/api/v1/runs", json={"id": preview["id"], "digest": "sha256:" + "0" * 64})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "stale_plan")


def test_a_world_that_changed_since_the_preview_ends_the_run_refused(house: House) -> None:
    with house.client() as client:
        preview = client.post("/api/v1/plans", json={"plan": house.plan(house.file())}).json()
        (house.root / "a.txt").write_text("somebody was here\n")
        begun = client.post("/api/v1/runs", json={"id": preview["id"], "digest": preview["digest"]}).json()
    document = house.ended(begun["run"])
    assert (document["ending"], document["errors"][0]["code"]) == ("refused", "stale_plan")


def test_preconditions_that_fail_are_previewed_and_end_a_run_refused(house: House) -> None:
    step = {"link": str(house.root / "link"), "to": str(house.root / "missing")}
    with house.client() as client:
        preview = client.post("/api/v1/plans", json={"plan": house.plan(step)})
    assert preview.status_code == 200
    assert preview.json()["problems"][0]["code"] == "source_not_found"
    assert house.ended(house.begin(step))["ending"] == "refused"


def test_a_stream_tells_every_event_of_a_run_and_ends_with_it(house: House) -> None:
    run = house.begin(house.file(), gate(house.root / "go"))
    with house.client() as client, client.stream("GET", f"/api/v1/runs/{run}/events", headers=_SSE) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        pieces = stream.iter_text()
        text = next(pieces)
        (house.root / "go").touch()
        text += "".join(pieces)
    told = events_in(text)
    numbered = [event for event in told if event["id"]]
    assert numbered[0]["event"] == "run.created"
    assert [event["event"] for event in numbered[-2:]] == ["run.committed", "lock.released"]
    assert [event["data"]["plan_seq"] for event in numbered] == list(range(1, len(numbered) + 1))
    assert all(int(event["id"]) == event["data"]["seq"] for event in numbered)


def test_a_stream_goes_on_after_the_last_event_a_client_has(house: House) -> None:
    run = house.begin(house.file())
    house.ended(run)
    with house.client() as client:
        everything = events_in(client.get(f"/api/v1/runs/{run}/events", headers=_SSE).text)
        rest = events_in(client.get(f"/api/v1/runs/{run}/events", headers={**_SSE, "last-event-id": everything[3]["id"]}).text)
        assert rest == everything[4:]
        nothing = client.get(f"/api/v1/runs/{run}/events", headers={**_SSE, "last-event-id": everything[-1]["id"]})
        assert nothing.status_code == 204  # which tells a browser not to come back


def test_the_stream_of_everything_begins_with_the_first_event_for_who_says_to_have_none(house: House) -> None:
    run = house.begin(house.file())
    house.ended(run)
    with house.client() as client, client.stream("GET", "/api/v1/events", headers={**_SSE, "last-event-id": "0"}) as stream:
        text = ""
        for piece in stream.iter_text():
            text += piece
            if "event: lock.released" in text:
                break
    assert [event["id"] for event in events_in(text)][:3] == ["1", "2", "3"]


def test_a_page_that_ends_the_list_says_so(house: House) -> None:
    run = house.begin(house.file())
    with house.client() as client:
        events = events_in(client.get(f"/api/v1/runs/{run}/events", headers=_SSE).text)
        of_events = {"limit": sum(event["id"] is not None for event in events)}
        for path, limits in ((f"runs/{run}/events", of_events), ("runs", {"limit": 1}), ("history", {"limit": 1})):
            assert client.get(f"/api/v1/{path}", params=limits).json()["next_cursor"] is None, path


def test_events_are_given_as_a_list_in_pages_as_well(house: House) -> None:
    run = house.begin(house.file())
    house.ended(run)
    found, cursor = [], {}
    with house.client() as client:
        while cursor is not None:
            page = client.get(f"/api/v1/runs/{run}/events", params={"limit": 4, **cursor}).json()
            found += page["events"]
            cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else None
    assert [event["plan_seq"] for event in found] == list(range(1, len(found) + 1))


def test_lists_come_in_pages_the_newest_first(house: House) -> None:
    made = [house.begin(house.file(content=f"{number}\n")) for number in range(5)]
    for run in made:
        house.ended(run)
    with house.client() as client:
        first = client.get("/api/v1/runs", params={"limit": 3}).json()
        second = client.get("/api/v1/runs", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    assert [row["run"] for row in first["runs"] + second["runs"]] == sorted(made, reverse=True)
    assert second["next_cursor"] is None


def test_a_run_pauses_goes_on_and_is_rolled_back_by_hand(house: House) -> None:
    stages = [
        {"name": "one", "steps": [house.file("one"), gate(house.root / "go")]},
        {"name": "two", "steps": [house.file("two")]},
    ]
    with house.client() as client:
        run = client.post("/api/v1/runs", json={"plan": {"holdfast": 1, "name": "web", "stages": stages}}).json()["run"]
        house.in_state(run, "running")
        assert client.post(f"/api/v1/runs/{run}/pause", json={"why": "lunch"}).status_code == 202
        house.in_state(run, "pausing")
        (house.root / "go").touch()
        house.in_state(run, "paused")
        assert not (house.root / "two").exists()
        assert client.post(f"/api/v1/runs/{run}/resume").status_code == 202
        assert house.ended(run)["ending"] == "committed"
        assert client.post(f"/api/v1/runs/{run}/rollback").status_code == 202
        assert house.until(run, lambda found: found["ending"] == "rolled_back")
    assert not (house.root / "one").exists()


def test_a_command_in_the_wrong_state_is_refused(house: House) -> None:
    run = house.begin(house.file())
    house.ended(run)
    with house.client() as client:
        answer = client.post(f"/api/v1/runs/{run}/resume")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "wrong_state")


def test_a_run_waits_for_its_confirmation(house: House) -> None:
    with house.client() as client:
        body = {"plan": house.plan(house.file()), "confirm_within": 60}
        run = client.post("/api/v1/runs", json=body).json()["run"]
        house.in_state(run, "confirming")
        client.post(f"/api/v1/runs/{run}/confirm")
    assert house.ended(run)["ending"] == "committed"


def test_two_people_who_roll_back_at_once_roll_back_once(house: House) -> None:
    from concurrent.futures import ThreadPoolExecutor

    run = house.begin(house.file())
    house.ended(run)
    with house.client() as client, ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(client.post, f"/api/v1/runs/{run}/rollback") for _ in range(4)]
    statuses = sorted(answer.result().status_code for answer in answers)
    assert statuses[0] == 202
    assert set(statuses) <= {202, 409}
    house.until(run, lambda found: found["ending"] == "rolled_back")
    with house.client() as client:
        told = client.get(f"/api/v1/runs/{run}/events", params={"limit": 1000}).json()["events"]
    assert [event["type"] for event in told].count("run.rolled_back") == 1


def test_the_python_door_sees_and_controls_the_runs_of_the_server(house: House) -> None:
    stages = [{"name": "one", "steps": [gate(house.root / "go")]}, {"name": "two", "steps": [house.file("two")]}]
    with house.client() as client, holdfast.open(str(house.state)) as hf:
        run = client.post("/api/v1/runs", json={"plan": {"holdfast": 1, "name": "web", "stages": stages}}).json()["run"]
        house.in_state(run, "running")
        assert hf.show(run).state == "running"
        hf.control(run, "cancel")
        (house.root / "go").touch()
        document = house.ended(run)
    assert (document["ending"], document["errors"][0]["code"]) == ("rolled_back", "cancelled")


def test_the_server_sees_the_runs_of_others_and_counts_them(house: House, tmp_path: Path) -> None:
    with holdfast.open(str(house.state)) as hf:
        result = hf.apply(holdfast.parse(house.plan(house.file()), name="plan"))
    assert house.run(result.run)["ending"] == "committed"
    with house.client() as client:
        house.eventually(lambda: "executor_executions_success_total 1.0" in client.get("/metrics").text)
        text = client.get("/metrics").text
    assert "executor_executions_total 1.0" in text
    assert "executor_operations_queued 0.0" in text


_SSE = {"accept": "text/event-stream"}


def test_a_run_says_what_can_be_asked_of_it_by_whom(house: House) -> None:
    run = house.begin(house.file())
    assert house.ended(run)["commands"] == ["rollback"]
    with house.client(house.token("viewer")) as viewer:
        assert viewer.get(f"/api/v1/runs/{run}").json()["commands"] == []


def test_stages_have_levels_from_left_to_right(house: House) -> None:
    def task(name: str, *stages: str, **more: object) -> dict[str, object]:
        return {
            "name": name,
            "stages": [{"name": stage, "steps": [house.file(f"{name}-{stage}")]} for stage in stages],
            **more,
        }

    plan = {
        "holdfast": 1,
        "name": "web",
        "tasks": [task("app", "one", needs=["db"]), task("db", "one", "two"), task("log", "one")],
    }
    with house.client() as client:
        run = client.post("/api/v1/runs", json={"plan": plan}).json()["run"]
    found = house.ended(run)
    levels = {f"{task['name']}/{stage['name']}": stage["level"] for task in found["tasks"] for stage in task["stages"]}
    assert levels == {"app/one": 2, "db/one": 0, "db/two": 1, "log/one": 0}
    assert found["progress"] == {"done": 4, "total": 4}


def test_changes_and_their_diffs_are_shown_as_they_were_previewed(house: House) -> None:
    (house.root / "a.txt").write_text("old\n")
    with house.client() as client:
        preview = client.post("/api/v1/plans", json={"plan": house.plan(house.file())}).json()
        run = client.post("/api/v1/runs", json={"id": preview["id"], "digest": preview["digest"]}).json()["run"]
        house.ended(run)
        changes = client.get(f"/api/v1/runs/{run}/changes").json()["changes"]
        lines = client.get(f"/api/v1/runs/{run}/timeline").json()["timeline"]
    assert changes == preview["changes"]
    assert "-old\n+hello\n" in changes[0]["diff"]
    assert [(line["step"], line["state"]) for line in lines] == [("main/main/1-file", "applied")]
    assert lines[0]["started_at"] <= lines[0]["ended_at"]


def test_the_changes_of_one_step_come_alone_and_with_the_text_that_the_plan_holds(house: House) -> None:
    run = house.begin(house.file(), {**house.file("b.txt", "two\n"), "id": "second"}, {"approve": "ship it?", "id": "ask"})
    house.until(run, lambda document: document["questions"] == ["ask"])
    with house.client() as client:
        found = [
            client.get(f"/api/v1/runs/{run}/changes", params={"step": step}).json()["changes"] for step in ("second", "ask")
        ]
        assert client.get(f"/api/v1/runs/{run}/changes", params={"step": "nobody"}).json()["changes"] == []
        client.post(f"/api/v1/runs/{run}/approve", json={"step": "ask"})
    (file,), (asked,) = found
    assert (file["step"], "+two\n" in file["diff"], asked["diff"]) == ("second", True, "asks: ship it?\n")
    assert house.ended(run)["ending"] == "committed"


def test_a_run_that_waits_says_for_whom_and_so_do_the_locks(house: House) -> None:
    """Whoever is confined to tenants is told of the queue what they may see of it."""
    first = house.begin(house.file(), gate(house.root / "go"))
    house.in_state(first, "running")
    second = house.begin(house.file(content="other\n"), name="other")
    waits = house.until(second, lambda run: run.get("waits"))["waits"]
    assert (waits["run"], waits["behind"]) == (second, first)
    with house.client() as client, house.client(house.token("viewer", "acme")) as confined:
        assert client.get("/api/v1/locks").json()["waiting"] == [waits]
        assert confined.get("/api/v1/locks").json()["waiting"] == []
    (house.root / "go").touch()
    assert "waits" not in house.ended(second)


def test_a_list_of_one_moment_is_given_whole_or_in_pages(house: House) -> None:
    for name in ("a", "b", "c"):
        house.ended(house.begin(house.file(name), name=name))
    with house.client() as client:
        client.post("/api/v1/checkpoints", json={"name": "now"})
        for name in ("a", "b", "c"):
            (house.root / name).write_text("drifted")
        for path, held in (("drift", "drift"), ("checkpoints/now/diff", "changes"), ("stats", "actions")):
            whole = client.get(f"/api/v1/{path}").json()
            first = client.get(f"/api/v1/{path}", params={"limit": 2}).json()
            rest = client.get(f"/api/v1/{path}", params={"limit": 2, "cursor": first["next_cursor"]}).json()
            assert (len(whole[held]), whole["next_cursor"], rest["next_cursor"]) == (3, None, None)
            assert first[held] + rest[held] == whole[held]


def test_whoever_asks_only_for_the_head_of_a_stream_is_not_kept(house: House) -> None:
    with house.client() as client:
        assert client.head("/api/v1/events", headers=_SSE).headers["content-type"] == "application/json"
