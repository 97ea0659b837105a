"""Connections as the door uses them, to a server that treats them badly."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest

from holdfast.drivers.http.door import Door, Unheard, Unsent
from holdfast.drivers.http.trust import Trust
from holdfast.testing.opnsense.server import Server
from holdfast.testing.opnsense.tls import Certificate
from holdfast.testing.opnsense.wire import Delivery, Request, Response

LONG = b"x" * 3_000_000


def answered(request: Request) -> Response:
    if request.path == "/cut":
        return Response(200, b"half of it", delivery=Delivery(truncate=4, end="fin"))
    return Response(200, LONG if request.path == "/long" else request.body or b"-")


@pytest.fixture(params=["http", "https"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[Server, str]]:
    tls = Certificate.self_signed().server if request.param == "https" else None
    server = Server(answered, tls=tls)
    yield server, f"{request.param}://localhost:{server.start()}"
    server.stop()


def test_an_idle_connection_that_was_ended_is_not_used_again(server: tuple[Server, str]) -> None:
    async def asked_twice() -> list[int]:
        door = Door(Trust(verify=False))
        first = await door.ask("GET", server[1])
        server[0].drop_connections()
        time.sleep(0.02)  # the loop must not hear of it before it asks again
        second = await door.ask("GET", server[1])
        await door.close()
        return [first.status, second.status]

    assert asyncio.run(asked_twice()) == [200, 200]


@pytest.mark.parametrize("fresh", [True, False], ids=["fresh", "kept"])
def test_what_is_sent_and_answered_comes_whole(server: tuple[Server, str], fresh: bool) -> None:
    async def asked() -> tuple[object, int]:
        door = Door(Trust(verify=False))
        said = await door.ask("PUT", server[1], json_body={"text": "x" * 500_000}, fresh=fresh)
        told = await door.ask("GET", f"{server[1]}/long", fresh=fresh)
        await door.close()
        return said.document, len(told.body)

    assert asyncio.run(asked()) == ({"text": "x" * 500_000}, len(LONG))


def test_an_answer_that_ends_early_is_none(server: tuple[Server, str]) -> None:
    with pytest.raises(Unheard):
        asyncio.run(Door(Trust(verify=False)).ask("GET", f"{server[1]}/cut", fresh=True))


def test_where_nobody_listens_or_nobody_greets_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        with pytest.raises(Unsent):
            asyncio.run(Door(Trust(verify=False)).ask("GET", f"https://127.0.0.1:{port}", timeout_s=0.2))
    with pytest.raises(Unsent):
        asyncio.run(Door(Trust()).ask("GET", f"http://127.0.0.1:{port}"))
