"""Resources of a REST service, over real HTTP on the loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import holdfast
from holdfast import Holdfast

FAIL = {"command": ["false"], "needs": ["item"]}


class Shop(ThreadingHTTPServer):
    """Items by path. `lies` says yes without doing it; `deaf` does it and drops the connection."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Clerk)
        self.items: dict[str, dict[str, Any]] = {}
        self.heard: list[tuple[str, str, str | None]] = []
        self.lies = self.deaf = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Clerk(BaseHTTPRequestHandler):
    server: Shop

    def do_GET(self) -> None:
        item = self.server.items.get(self.path)
        self._answer(404 if item is None else 200, item)

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._write(lambda: self.server.items.__setitem__(self.path, {**body, "served_by": "clerk"}))

    def do_DELETE(self) -> None:
        self._write(lambda: self.server.items.pop(self.path, None))

    def _write(self, do: Any) -> None:
        self.server.heard.append((self.command, self.path, self.headers["Idempotency-Key"]))
        if not self.server.lies:
            do()
        if self.server.deaf:
            self.close_connection = True
        else:
            self._answer(200, {})

    def _answer(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def shop() -> Iterator[Shop]:
    server = Shop()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def hf(tmp_path: Path) -> Iterator[Holdfast]:
    with holdfast.open(str(tmp_path / "state")) as engine:
        yield engine


def item(shop: Shop, **more: Any) -> dict[str, Any]:
    return {"http": f"{shop.url}/item", "id": "item", "body": {"size": 1}, **more}


def plan_of(*steps: dict[str, Any]) -> holdfast.Plan:
    return holdfast.parse({"holdfast": 1, "name": "shop", "steps": list(steps)})


def test_a_resource_is_made_and_made_once(hf: Holdfast, shop: Shop) -> None:
    assert [hf.apply(plan_of(item(shop))).ending for _ in range(2)] == ["committed", "unchanged"]
    assert shop.items == {"/item": {"size": 1, "served_by": "clerk"}}
    ((method, _, key),) = shop.heard
    assert method == "PUT" and key


def test_a_failure_elsewhere_brings_back_what_was_there(hf: Holdfast, shop: Shop) -> None:
    shop.items["/item"] = {"size": 7, "served_by": "clerk"}
    assert hf.apply(plan_of(item(shop), FAIL)).ending == "rolled_back"
    assert shop.items["/item"]["size"] == 7


def test_what_was_not_there_is_not_there_again(hf: Holdfast, shop: Shop) -> None:
    assert hf.apply(plan_of(item(shop), FAIL)).ending == "rolled_back"
    assert shop.items == {}


def test_a_resource_goes_and_comes_back(hf: Holdfast, shop: Shop) -> None:
    shop.items["/item"] = {"size": 7}
    run = hf.apply(plan_of({"http": f"{shop.url}/item", "state": "absent"}))
    assert shop.items == {}
    assert hf.rollback(run.run).ending == "rolled_back"
    assert shop.items["/item"]["size"] == 7


def test_a_yes_that_is_not_true_is_a_failure(hf: Holdfast, shop: Shop) -> None:
    shop.lies = True
    result = hf.apply(plan_of(item(shop)))
    assert (result.ending, result.errors[0]["code"]) == ("rolled_back", "api_rejected")


def test_an_answer_that_never_came_is_looked_into(hf: Holdfast, shop: Shop) -> None:
    shop.deaf = True
    assert hf.apply(plan_of(item(shop))).ending == "committed"
    assert len(shop.heard) == 1


def test_nobody_there_is_refused(hf: Holdfast, shop: Shop) -> None:
    result = hf.apply(plan_of({"http": "http://127.0.0.1:9/item", "body": {"size": 1}}))
    assert (result.ending, result.errors[0]["code"]) == ("refused", "unreachable")


def test_resources_are_rehearsed_without_a_request_that_writes(hf: Holdfast, shop: Shop) -> None:
    shop.items["/old"] = {"name": "old", "served_by": "clerk"}
    steps = [
        {"http": f"{shop.url}/new", "body": {"name": "new"}},
        {"http": f"{shop.url}/old", "body": {"name": "renamed"}},
        {"http": f"{shop.url}/old2", "state": "absent"},
    ]
    rehearsal = hf.rehearse(holdfast.parse({"holdfast": 1, "name": "shop", "steps": steps}))
    assert (rehearsal.coverage, rehearsal.residue) == (100, ())
    assert rehearsal.points
    assert shop.heard == []
