"""Actions and triggers over HTTP, run in the process of the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.conftest import House

FILE = """\
holdfast: 1
actions:
  touch: {{command: [touch, "{home}/${{name}}"], vars: {{name: touched}}, cooldown: 1h}}
  fail: {{command: ["false"]}}
  deploy: {{plan: {home}/plan.yaml}}
  answer: {{command: ["true"]}}
cron:
  nightly: {{schedule: "0 3 * * *", timezone: UTC, action: fail}}
watchers:
  look: {{source: {{command: [echo, "200"]}}, condition: {{exceeds: 100}}, interval: 1h, respond: [{{action: answer}}]}}
"""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    (tmp_path / "triggers.yaml").write_text(FILE.format(home=tmp_path))
    plan = f"holdfast: 1\nname: deployed\nsteps:\n- file: {tmp_path}/deployed\n  content: x\n"
    (tmp_path / "plan.yaml").write_text(plan)
    house = House(tmp_path, triggers=str(tmp_path / "triggers.yaml"))
    yield house
    house.stop()


def test_an_action_is_fired_and_cools_down(house: House, tmp_path: Path) -> None:
    with house.client() as client:
        assert [row["name"] for row in client.get("/api/v1/actions").json()["actions"]] == ["touch", "fail", "deploy", "answer"]
        fired = client.post("/api/v1/actions/touch/fire", json={"vars": {"name": "mine"}})
        assert (fired.status_code, fired.json()["success"], fired.json()["source"]) == (202, True, "api")
        assert (tmp_path / "mine").exists()
        again = client.post("/api/v1/actions/touch/fire")
        assert (again.status_code, again.json()["error"]["code"]) == (409, "wrong_state")
        assert client.post("/api/v1/actions/fail/fire").json()["success"] is False
        assert client.post("/api/v1/actions/nothing/fire").status_code == 404
        assert {row["action_id"] for row in client.get("/api/v1/history").json()["executions"]} >= {"touch", "fail"}


def test_an_action_that_applies_a_plan_begins_a_run_like_any_other(house: House, tmp_path: Path) -> None:
    with house.client() as client:
        fired = client.post("/api/v1/actions/deploy/fire").json()
    assert (fired["ending"], house.run(fired["run"])["ending"]) == ("committed", "committed")
    assert (tmp_path / "deployed").exists()


def test_triggers_are_listed_switched_and_let_look(house: House) -> None:
    with house.client() as client:
        listed = client.get("/api/v1/triggers").json()["triggers"]
        assert [(row["name"], row["schedule"], row["timezone"], row["interval_s"]) for row in listed] == [
            ("nightly", "0 3 * * *", "UTC", None),
            ("look", None, None, 3600.0),
        ]
        armed = client.post("/api/v1/triggers/nightly/enable").json()
        assert (armed["enabled"], armed["next_at"][-13:]) == (True, "03:00:00.000Z")
        assert client.post("/api/v1/triggers/nightly/disable").json()["enabled"] is False
        found = client.post("/api/v1/triggers/look/check", json={"dry_run": True}).json()
        assert [match["name"] for match in found["matches"]] == ["look"]
        assert client.post("/api/v1/triggers/nothing/check").status_code == 404
