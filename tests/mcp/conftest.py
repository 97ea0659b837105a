"""Agents over every transport: the protocol's own client, in this process, over a pipe to a real one, over HTTP."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

import holdfast
from holdfast import Holdfast
from holdfast.app.plans import approvals
from holdfast.app.serving.workshop import Workshop
from holdfast.mcp.agent import Agent, Mandate
from holdfast.mcp.server import server_for
from holdfast.runtime.clock import SystemClock
from tests.cli.conftest import SOURCE
from tests.cli.conftest import shell as shell

Json = dict[str, Any]
Talk = Callable[[Client], Awaitable[Any]]


class Told:
    """What a tool answered."""

    def __init__(self, result: Any) -> None:
        self.failed: bool = result.is_error
        self.document: Json = result.structured_content
        self.text: str = result.content[0].text

    @property
    def code(self) -> str:
        """Of the error; empty when it went well."""
        return str(self.document["error"]["code"]) if self.failed else ""


class Place:
    """A state directory, a folder to work in, and agents that may do this or that."""

    def __init__(self, home: Path) -> None:
        self.state = str(home / "state")
        self.root = home / "root"
        self.root.mkdir()

    def agent(self, **may: Any) -> Agent:
        mandate = Mandate.of(**{"allow_apply": True, **may})
        workshop = Workshop(lambda: Holdfast.open(self.state, roots=mandate.bounds.roots), SystemClock())
        return Agent(self.state, mandate, workshop)

    def plan(self, *steps: Json, name: str = "web", **more: Any) -> Json:
        return {"holdfast": 1, "name": name, "steps": list(steps), **more}

    def file(self, name: str = "a", content: str = "new\n") -> Json:
        return {"file": str(self.root / name), "content": content}

    def approve(self, digest: str) -> None:
        with holdfast.open(self.state) as hf:
            approvals.approve(hf.journal, digest, by="manual:alice", at=hf.parts.clock.now())

    def apply(self, *steps: Json, **more: Any) -> str:
        """A run of a person."""
        with holdfast.open(self.state) as hf:
            return hf.apply(holdfast.parse(self.plan(*steps, **more)), source="manual:alice").run


class Asking:
    """One agent in this process; each call goes through the protocol and its schemas."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent

    def __call__(self, tool: str, **arguments: Any) -> Told:
        async def call(client: Client) -> Told:
            return Told(await client.call_tool(tool, arguments))

        found: Told = self.talk(call)
        return found

    def talk(self, do: Talk) -> Any:
        async def run() -> Any:
            async with Client(server_for(lambda _: self.agent)) as client:
                return await do(client)

        return asyncio.run(run())

    def planned(self, *steps: Json, **more: Any) -> Json:
        told = self("plan_deployment", plan={"holdfast": 1, "name": "web", "steps": list(steps), **more})
        assert not told.failed, told.text
        return told.document

    def applied(self, *steps: Json, **more: Any) -> Told:
        planned = self.planned(*steps, **more)
        return self("apply_deployment", id=planned["id"], digest=planned["digest"])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def ask(place: Place) -> Asking:
    return Asking(place.agent())


@asynccontextmanager
async def over_stdio(state: str, *words: str, **environment: str) -> AsyncIterator[Client]:
    """A client of a real `holdfast mcp`."""
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": SOURCE, "HOME": state, **environment}
    program = StdioServerParameters(
        command=sys.executable, args=["-m", "holdfast", "--state", state, "mcp", *words], env=variables
    )
    async with Client(stdio_client(program)) as client:
        yield client


async def called(client: Client, tool: str, **arguments: Any) -> Json:
    """What a tool answers that must not fail."""
    told = Told(await client.call_tool(tool, arguments))
    assert not told.failed, told.text
    return told.document


def envelopes(value: Any) -> Iterator[str]:
    """The texts of all envelopes in a document."""
    if isinstance(value, dict):
        if value.get("untrusted") is True:
            yield value["text"]
        else:
            yield from (text for inner in value.values() for text in envelopes(inner))
    elif isinstance(value, list):
        yield from (text for inner in value for text in envelopes(inner))


def outside(value: Any) -> Iterator[str]:
    """Every text, and every key, that is in no envelope."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict) and value.get("untrusted") is not True:
        for key, inner in value.items():
            yield key
            yield from outside(inner)
    elif isinstance(value, list):
        yield from (text for inner in value for text in outside(inner))
