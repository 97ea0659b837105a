"""AI agents over HTTP: a real client of their protocol, behind the same door as everybody."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from tests.web.conftest import House

HELLO = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, agents={"allow_apply": True})
    yield house
    house.stop()


def tools_of(house: House, token: str) -> set[str]:
    async def listed(session: ClientSession) -> set[str]:
        return {tool.name for tool in (await session.list_tools()).tools}

    found: set[str] = with_session(house, token, listed)
    return found


def with_session(house: House, token: str, do: Any) -> Any:
    async def run() -> Any:
        headers = {"authorization": f"Bearer {token}"}
        async with (
            httpx2.AsyncClient(headers=headers, trust_env=False, timeout=20) as client,
            streamable_http_client(f"{house.server.url}/mcp", http_client=client) as (read, write, *_),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await do(session)

    return asyncio.run(run())


def test_an_agent_plans_and_applies_what_it_planned(house: House) -> None:
    async def apply(session: ClientSession) -> Any:
        plan = house.plan({"file": str(house.root / "a.txt"), "content": "by an agent\n"})
        planned = (await session.call_tool("plan_deployment", {"plan": plan})).structured_content
        given = {"id": planned["id"], "digest": planned["digest"]}
        return (await session.call_tool("apply_deployment", given)).structured_content

    document = with_session(house, house.token("operator"), apply)
    assert house.ended(document["run"])["source"] == "mcp:operator"
    assert (house.root / "a.txt").read_text() == "by an agent\n"


def test_what_an_agent_may_do_depends_on_its_token_as_well(house: House) -> None:
    assert "apply_deployment" in tools_of(house, house.token("operator"))
    assert not {"apply_deployment", "plan_deployment"} & tools_of(house, house.token("viewer"))


def test_by_itself_a_server_lets_agents_only_look(tmp_path: Path) -> None:
    house = House(tmp_path)
    try:
        assert "apply_deployment" not in tools_of(house, house.server.token)
    finally:
        house.stop()


def test_the_door_of_agents_is_as_narrow_as_the_others(house: House) -> None:
    owner = {"authorization": f"Bearer {house.server.token}"}
    asked = {
        401: [{}, {"authorization": "Bearer wrong"}],
        421: [{**owner, "host": "evil.example"}],
        403: [{**owner, "origin": "http://evil.example"}, {"authorization": f"Bearer {house.token('admin', 'acme')}"}],
    }
    with house.client("") as client:
        for status, visitors in asked.items():
            for headers in visitors:
                answer = client.post("/mcp", json=HELLO, headers=headers)
                assert (answer.status_code, "error" in answer.json()) == (status, True)
        unasked = client.get("/mcp", headers={**owner, "accept": "text/event-stream"})
        assert (unasked.status_code, unasked.headers["allow"]) == (405, "POST")  # nothing stays open


def test_a_person_approves_over_the_api_what_an_agent_cannot_take_back(house: House) -> None:
    token = house.token("operator")
    plan = house.plan({"command": ["/bin/true"]})

    async def preview(session: ClientSession) -> Any:
        return (await session.call_tool("plan_deployment", {"plan": plan})).structured_content

    planned = with_session(house, token, preview)
    given = {"id": planned["id"], "digest": planned["digest"]}

    async def apply(session: ClientSession) -> Any:
        return (await session.call_tool("apply_deployment", given)).structured_content

    assert with_session(house, token, apply)["error"]["code"] == "missing_confirmation"
    approve = f"/api/v1/plans/{planned['id']}/approve"
    with house.client(token) as operator, house.client(house.token("approver")) as approver:
        assert operator.post(approve, json={"digest": planned["digest"]}).status_code == 403
        assert approver.post(approve, json={"digest": "sha256:" + "0" * 64}).status_code == 409
        assert approver.post(approve, json={"digest": planned["digest"]}).json()["by"] == "api:approver"
    assert with_session(house, token, apply)["ending"] == "committed"
    assert with_session(house, token, apply)["error"]["code"] == "missing_confirmation"
