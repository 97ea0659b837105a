"""A real server on loopback, in a thread of this process, and clients that speak HTTP to it."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from holdfast.app.serving.tokens import Tokens
from holdfast.web.server import Server, Settings

PATIENCE_S = 20.0
Json = dict[str, Any]


class House:
    """One state directory, a folder for plans to work in, and the server."""

    def __init__(self, home: Path, **settings: Any) -> None:
        self.root = home / "root"
        self.root.mkdir(exist_ok=True)
        self.state = home / "state"
        self.given = {"state": str(self.state), "port": 0, "environment": {"HOME": str(home), "USER": "alice"}, **settings}
        self._thread: threading.Thread | None = None
        self.start()

    def start(self) -> None:
        up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(up)), daemon=True)
        self._thread.start()
        assert up.wait(PATIENCE_S), "the server did not start"

    async def _run(self, up: threading.Event) -> None:
        self.server = Server(Settings(**self.given))
        self._loop = asyncio.get_running_loop()
        await self.server.run(lambda server: up.set())

    def stop(self) -> None:
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self.server.stop)
            self._thread.join(PATIENCE_S)
            assert not self._thread.is_alive(), "the server did not stop"
            self._thread = None

    @property
    def tokens(self) -> Tokens:
        return self.server.tokens

    @property
    def cookie(self) -> str:
        return f"holdfast_{self.server.port}"

    def token(self, role: str, *tenants: str) -> str:
        return self.tokens.create(role, tenants=tenants, name=role)[1]

    def client(self, token: str | None = None, **more: Any) -> httpx2.Client:
        """As the owner, unless told otherwise; an empty token is none."""
        token = self.server.token if token is None else token
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx2.Client(
            base_url=self.server.url, headers=headers, timeout=PATIENCE_S, trust_env=False, verify=False, **more
        )

    # -- plans and runs

    def plan(self, *steps: Json, name: str = "web", **more: Any) -> Json:
        return {"holdfast": 1, "name": name, "steps": list(steps), **more}

    def file(self, name: str = "a.txt", content: str = "hello\n") -> Json:
        return {"file": str(self.root / name), "content": content}

    def begin(self, *steps: Json, **more: Any) -> str:
        """A run, begun over the API; its id."""
        with self.client() as client:
            answer = client.post("/api/v1/runs", json={"plan": self.plan(*steps, **more)})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["run"])

    def run(self, run: str) -> Json:
        with self.client() as client:
            found: Json = client.get(f"/api/v1/runs/{run}").json()
        return found

    def eventually(self, so: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not so():
            assert time.monotonic() < end, "it never happened"
            time.sleep(0.02)

    def until(self, run: str, wanted: Callable[[Json], Any]) -> Json:
        end = time.monotonic() + PATIENCE_S
        while not wanted(document := self.run(run)):
            assert time.monotonic() < end, document
            time.sleep(0.02)
        return document

    def ended(self, run: str) -> Json:
        return self.until(run, lambda document: document["ending"] is not None)

    def metrics(self, having: str) -> set[str]:
        """Names of what is measured, once this is among them: it comes a moment after what it measures."""
        end = time.monotonic() + PATIENCE_S
        with self.client() as client:
            while having not in (names := set(re.findall(r"^([a-z_]+)", client.get("/metrics").text, re.MULTILINE))):
                assert time.monotonic() < end, names
                time.sleep(0.02)
        return names

    def in_state(self, run: str, state: str) -> Json:
        return self.until(run, lambda document: document["state"] == state)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.stop()


def events_in(text: str) -> list[Json]:
    """The events of a stream that ended: each with its number and its type as the stream names them."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            found.append({"id": lines.get("id"), "event": lines["event"], "data": json.loads(lines["data"])})
    return found


def gate(at: Path) -> Json:
    """A step that waits until the file is there."""
    return {"command": ["sh", "-c", f"until [ -e {at} ]; do sleep 0.02; done"], "undo": ["true"]}
