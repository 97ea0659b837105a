"""Every tool, over both transports, by the protocol's own client, which checks every answer against its schema."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from holdfast.mcp.tools import TOOLS
from tests.mcp.conftest import Json, called, over_stdio
from tests.web.conftest import House

Call = Callable[..., Awaitable[Json]]
Open = Callable[[], AbstractAsyncContextManager[Client]]


@asynccontextmanager
async def over_http(house: House) -> AsyncIterator[Client]:
    headers = {"authorization": f"Bearer {house.server.token}"}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False, timeout=60) as http,
        Client(streamable_http_client(f"{house.server.url}/mcp", http_client=http)) as client,
    ):
        yield client


@pytest.fixture(params=["stdio", "http"])
def open_client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    if request.param == "stdio":
        (tmp_path / "root").mkdir()
        yield lambda: over_stdio(str(tmp_path / "state"), "--allow-apply")
        return
    house = House(tmp_path, agents={"allow_apply": True})
    yield lambda: over_http(house)
    house.stop()


def test_every_tool_is_walked(open_client: Open, tmp_path: Path) -> None:
    walked = asyncio.run(walk(open_client, tmp_path / "root"))
    assert walked == set(TOOLS)


async def walk(open_client: Open, root: Path) -> set[str]:
    walked: set[str] = set()
    steps: list[Json] = [
        {"name": "one", "steps": [{"file": f"{root}/a", "content": "one\n"}]},
        {"name": "two", "steps": [{"file": f"{root}/b", "content": "two\n"}]},
    ]

    async with open_client() as client:

        async def call(tool: str, **arguments: object) -> Json:
            walked.add(tool)
            return await called(client, tool, **arguments)

        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(listed) == set(TOOLS)
        assert len((await call("list_resource_types"))["kinds"]) > 20
        assert (await call("list_resource_types", kind="file"))["kinds"][0]["schema"]["type"] == "object"

        plan = {"holdfast": 1, "name": "web", "stages": steps}
        planned = await call("plan_deployment", plan=plan)
        done = await call("apply_deployment", id=planned["id"], digest=planned["digest"])
        assert (done["ending"], (root / "a").read_text()) == ("committed", "one\n")
        assert (await call("get_run", run=done["run"]))["executed"] == done["executed"]
        assert (await call("list_runs", limit=1))["runs"][0]["run"] == done["run"]
        events = await call("run_events", run="last")
        assert events["events"][0]["type"] == "run.created"
        assert (await call("run_events", run="last", since=events["since"]))["events"] == []

        await call("create_checkpoint", name="good")
        assert [each["name"] for each in (await call("list_checkpoints"))["checkpoints"]] == ["good"]
        (root / "a").write_text("broken\n")
        assert [each["resource"] for each in (await call("drift"))["drift"]] == [f"local:{root}/a"]
        assert (await call("restore_checkpoint", name="good"))["ending"] == "committed"
        assert ((root / "a").read_text(), (await call("drift"))["drift"]) == ("one\n", [])
        assert (await call("execution_stats", action="web"))["actions"][0]["successes"] == 1

        held = await held_run(call, root)
        await call("pause_run", run=held, wait_s=0)
        await heard(call, held, "pausing")
        (root / "go").touch()
        assert (await call("get_run", run=held, wait_s=20))["state"] == "paused"
        assert (await call("resume_run", run=held, wait_s=20))["ending"] == "committed"
        assert (await call("rollback_run", run=held, wait_s=20))["ending"] == "rolled_back"
        (root / "go").unlink()

        held = await held_run(call, root)
        await call("cancel_run", run=held, wait_s=0)
        await heard(call, held, "cancelling")
        (root / "go").touch()
        assert (await call("get_run", run=held, wait_s=20))["ending"] == "rolled_back"
    return walked


async def heard(call: Call, run: str, state: str) -> None:
    """A run hears of what is asked at its next pause for breath."""
    while (await call("get_run", run=run))["state"] != state:
        await asyncio.sleep(0.02)


async def held_run(call: Call, root: Path) -> str:
    """A run of two stages whose first waits for a file."""
    wait = f"while [ ! -e {root}/go ]; do sleep 0.02; done"
    stages = [
        {"name": "one", "steps": [{"command": wait, "shell": True, "undo": "true"}]},
        {"name": "two", "steps": [{"file": f"{root}/c", "content": "late\n"}]},
    ]
    planned = await call("plan_deployment", plan={"holdfast": 1, "name": "held", "stages": stages})
    begun = await call("apply_deployment", id=planned["id"], digest=planned["digest"], wait_s=0.1)
    assert begun["ending"] is None
    return str(begun["run"])


def test_progress_is_told(open_client: Open, tmp_path: Path) -> None:
    told: list[tuple[float, float | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total))

    async def run() -> None:
        async with open_client() as client:
            plan = {"holdfast": 1, "name": "web", "steps": [{"dir": str(tmp_path / "root" / name)} for name in "ab"]}
            planned = await called(client, "plan_deployment", plan=plan)
            given = {"id": planned["id"], "digest": planned["digest"]}
            await client.call_tool("apply_deployment", given, progress_callback=hear)

    asyncio.run(run())
    assert told[-1] == (2.0, 2.0)
    assert [progress for progress, _ in told] == sorted({progress for progress, _ in told})
