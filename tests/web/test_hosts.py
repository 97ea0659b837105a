"""Hosts over HTTP: what runs found out about them."""

from __future__ import annotations

from pathlib import Path

from holdfast.testing.sshd import Sshd, free_port
from tests.web.conftest import House, Json, gate


def test_hosts_are_as_the_newest_run_found_them(house: House, tmp_path: Path) -> None:
    with Sshd() as sshd:
        address = sshd.address()
        keys = {"key": str(address.identity[0]), "known_hosts": str(address.known_hosts)}
        targets = {
            "good": {"ssh": f"{address.user}@{address.host}:{address.port}", **keys},
            "gone": {"ssh": f"{address.user}@127.0.0.1:{free_port()}", **keys},
        }
        door = tmp_path / "door"

        def plan(target: str, **more: Json) -> Json:
            return {
                "holdfast": 1,
                "name": "web",
                "targets": targets,
                "tasks": [{"name": "main", "on": target, "steps": [gate(door)]}],
            }

        with house.client() as client:
            run = client.post("/api/v1/runs", json={"plan": plan("good")}).json()["run"]

            def connected() -> bool:
                now = client.get("/api/v1/hosts").json()
                circuits = [(host["target"], host["circuit"]) for host in now["hosts"]]
                return circuits == [("good", "closed")] and any(pool["connections"] for pool in now["pools"])

            house.eventually(connected)
            door.touch()
            house.ended(run)
            house.ended(client.post("/api/v1/runs", json={"plan": plan("gone")}).json()["run"])
            gone, good = client.get("/api/v1/hosts").json()["hosts"]
    assert (good["target"], good["reachable"], good["error"], good["failed"]) == ("good", True, None, 0)
    assert (gone["target"], gone["reachable"], gone["error"]) == ("gone", False, "unreachable")


def test_a_server_that_never_worked_on_a_host_knows_none(house: House) -> None:
    house.ended(house.begin(house.file()))
    with house.client() as client:
        assert client.get("/api/v1/hosts").json() == {"hosts": [], "pools": [], "next_cursor": None}
