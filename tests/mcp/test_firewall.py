"""The story of a firewall, told by an agent over both transports: plan a VLAN, apply, checkpoint, break it, go back."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx2
import pytest
from mcp.client import Client

from tests.cli.conftest import SOURCE
from tests.mcp.conftest import Json, called, over_stdio
from tests.mcp.test_walk import over_http
from tests.web.conftest import House

VLAN = "igc3/20"
EDGE = {"key": {"secret": "env:EDGE_KEY"}, "secret": {"secret": "env:EDGE_SECRET"}}


class Appliance:
    """A simulated appliance, as a process of its own."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "holdfast.testing.opnsense", "--port", "0", "--profile", "26.1"]
        variables = {**os.environ, "PYTHONPATH": SOURCE, "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        said = json.loads(self.process.stdout.readline())
        self.url, self.key, self.secret = said["url"], said["key"], said["secret"]

    def plan(self, *steps: Json, name: str = "guests") -> Json:
        edge = {"opnsense": self.url, **EDGE}
        return {"holdfast": 1, "name": name, "targets": {"edge": edge}, "on": "edge", "steps": list(steps)}

    def ask(self, path: str, body: Json | None = None) -> Json:
        """By hand, as somebody else would."""
        with httpx2.Client(auth=(self.key, self.secret), trust_env=False) as client:
            answer = client.post(f"{self.url}/api/{path}", json=body or {})
        found: Json = answer.json()
        return found

    def vlans(self) -> dict[str, str]:
        """By tag, what is said of them."""
        return {row["tag"]: row["descr"] for row in self.ask("interfaces/vlan_settings/search_item")["rows"]}

    def break_it(self, tag: str) -> None:
        rows = self.ask("interfaces/vlan_settings/search_item")["rows"]
        (uuid,) = [row["uuid"] for row in rows if row["tag"] == tag]
        assert self.ask(f"interfaces/vlan_settings/del_item/{uuid}")["result"] == "deleted"

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate()


@pytest.fixture
def appliance() -> Iterator[Appliance]:
    appliance = Appliance()
    yield appliance
    appliance.stop()


async def story(opened: AbstractAsyncContextManager[Client], appliance: Appliance) -> None:
    async with opened as client:
        vlan = {"opnsense.interfaces.vlan": VLAN, "values": {"descr": "guests"}}
        planned = await called(client, "plan_deployment", plan=appliance.plan(vlan))
        assert [(change["resource"], change["action"]) for change in planned["changes"]] == [
            (f"edge:interfaces.vlan/{VLAN}", "create")
        ]
        assert (planned["irreversible"], "20" in appliance.vlans()) == ([], False)
        done = await called(client, "apply_deployment", id=planned["id"], digest=planned["digest"], wait_s=60)
        assert (done["ending"], appliance.vlans()["20"]) == ("committed", "guests")

        kept = await called(client, "create_checkpoint", name="guests")
        assert kept["resources"] == [f"edge:interfaces.vlan/{VLAN}"]
        appliance.break_it("20")
        drifted = await called(client, "drift")
        assert [each["resource"] for each in drifted["drift"]] == [f"edge:interfaces.vlan/{VLAN}"]
        restored = await called(client, "restore_checkpoint", name="guests", wait_s=60)
        assert (restored["ending"], appliance.vlans()["20"]) == ("committed", "guests")

        changed = {"opnsense.interfaces.vlan": VLAN, "values": {"descr": "everybody"}}
        planned = await called(client, "plan_deployment", plan=appliance.plan(changed))
        done = await called(client, "apply_deployment", id=planned["id"], digest=planned["digest"], wait_s=60)
        assert appliance.vlans()["20"] == "everybody"
        back = await called(client, "rollback_run", run=done["run"], wait_s=60)
        assert (back["ending"], appliance.vlans()["20"]) == ("rolled_back", "guests")
        assert (await called(client, "drift"))["drift"] == []


def test_on_standard_input(appliance: Appliance, tmp_path: Path) -> None:
    secrets = {"EDGE_KEY": appliance.key, "EDGE_SECRET": appliance.secret}
    asyncio.run(story(over_stdio(str(tmp_path / "state"), "--allow-apply", **secrets), appliance))
    for path in (tmp_path / "state").rglob("*"):
        assert not path.is_file() or appliance.secret.encode() not in path.read_bytes()


def test_over_http(appliance: Appliance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_KEY", appliance.key)
    monkeypatch.setenv("EDGE_SECRET", appliance.secret)
    house = House(tmp_path, agents={"allow_apply": True})
    try:
        asyncio.run(story(over_http(house), appliance))
    finally:
        house.stop()
