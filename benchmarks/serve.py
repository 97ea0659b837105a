"""What serving costs: small requests, a list over many runs, a thousand listeners, and what a run beside it pays.

The server is a real process and so is who asks; clients are as thin as they can be, because they share the machine.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from measure import Contender, alternate
from places import Place, holdfast

from holdfast.core.events import Event, Outline, StageOutline, TaskOutline
from holdfast.journal.sqlite import SqliteJournal
from holdfast.runtime.ids import Ulids

RUNS = 100_000
LISTENERS = 1_000
EVENTS_PER_S = 10
LISTEN_S = 10
CONNECTIONS = 8
ASKED_S = 3.0


class Figure(NamedTuple):
    work: str
    measured: str
    target: str
    met: bool


class Served:
    """A server over a state directory, and how to ask it."""

    def __init__(self, state: str) -> None:
        command = holdfast(state, "serve", "--json", "--quiet", "--port", "0")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        said = json.loads(self.process.stdout.readline())
        self.port = int(said["url"].rpartition(":")[2])
        with open(said["token_file"], encoding="ascii") as file:
            self.token = file.read()

    def request(self, path: str, accept: str = "application/json") -> bytes:
        lines = (f"GET {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {self.token}", f"Accept: {accept}")
        return "\r\n".join((*lines, "", "")).encode()

    @property
    def memory_mib(self) -> float:
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS"))

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


@contextmanager
def served(state: str) -> Iterator[Served]:
    server = Served(state)
    try:
        yield server
    finally:
        server.stop()


# -- asking again and again


class Asking(asyncio.Protocol):
    """One connection that asks the same again as soon as it is answered."""

    def __init__(self, request: bytes, taken: list[float]) -> None:
        self._request = request
        self._taken = taken
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        self._transport.write(self._request)  # type: ignore[attr-defined]  # of TCP

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        assert head.startswith(b"HTTP/1.1 200"), head
        self._buffer = b""
        self._taken.append(time.perf_counter() - self._asked)
        self._ask()


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])


async def ask(server: Served, path: str, connections: int, seconds: float) -> list[float]:
    """How long each answer took."""
    taken: list[float] = []
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: Asking(server.request(path), taken), "127.0.0.1", server.port)
    await asyncio.sleep(seconds / 3)
    taken.clear()
    await asyncio.sleep(seconds)
    return list(taken)


def small_requests(place: Place) -> Iterator[Figure]:
    with served(place.fresh("small")) as server:
        for path in ("/healthz", "/api/v1/session", "/api/v1/locks"):
            taken = asyncio.run(ask(server, path, CONNECTIONS, ASKED_S))
            per_s = len(taken) / ASKED_S
            yield Figure(f"GET {path}, {CONNECTIONS} connections", f"{per_s:,.0f} a second", ">= 2,000", per_s >= 2_000)


# -- many runs


def many_runs(place: Place) -> Iterator[Figure]:
    state = place.fresh("many")
    fill(state, RUNS)
    with served(state) as server:
        for path in ("/api/v1/runs", "/api/v1/runs?plan=web-7", "/api/v1/runs?limit=20"):
            taken = sorted(asyncio.run(ask(server, path, 1, ASKED_S)))
            p95 = taken[len(taken) * 95 // 100] * 1000
            yield Figure(f"GET {path} over {RUNS:,} runs, p95", f"{p95:.1f} ms", "< 20 ms", p95 < 20)


def fill(state: str, runs: int) -> None:
    """A journal of so many runs that committed."""
    outline = Outline((TaskOutline("main", "local", (StageOutline("main", ("one",), ("file",)),)),))
    ids, now = Ulids(), time.time() - runs
    journal = SqliteJournal.open(os.path.join(state, "journal"))
    for number in range(runs):
        at = now + number
        created = {"plan": f"web-{number % 20}", "digest": "sha256:0", "source": "bench", "outline": outline, "policy": {}}
        events = [Event("run.created", created), Event("run.prepared", {"changes": []}), Event("run.started", {"at": at})]
        journal.append(ids.make(at), [*events, Event("run.committed", {"ending": "committed"})], at=at, durable=False)
    journal.close()


# -- listeners


class Listening(asyncio.Protocol):
    """One stream. Each event says when it was written."""

    def __init__(self, request: bytes, lags: list[float], up: Callable[[], None]) -> None:
        self._request = request
        self._lags = lags
        self._up = up
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(self._request)  # type: ignore[attr-defined]  # of TCP

    def data_received(self, data: bytes) -> None:
        now = time.time()
        if self._up is not None and b"still here" in data:
            self._up()
            self._up = None  # type: ignore[assignment]  # told once
        *whole, self._rest = (self._rest + data).split(b'"why":"')
        for piece in [*whole[1:], self._rest] if whole else []:
            self._lags.append(now - float(piece.partition(b'"')[0]))
        self._rest = b""


WRITER = """
import sys, time
from holdfast.core.events import Event
from holdfast.journal.sqlite import SqliteJournal
journal = SqliteJournal.open(sys.argv[1])
until = time.time() + float(sys.argv[3])
while (now := time.time()) < until:
    journal.append(None, [Event("trigger.skipped", {"name": "bench", "why": repr(now)})], at=now, durable=False)
    # A given number of events a second is what is measured.
    time.sleep(max(0.0, now + 1 / float(sys.argv[2]) - time.time()))
"""


async def listen(server: Served, state: str) -> list[float]:
    lags: list[float] = []
    up = 0

    def one_up() -> None:
        nonlocal up
        up += 1

    request = server.request("/api/v1/events", "text/event-stream")
    loop = asyncio.get_running_loop()
    for _ in range(LISTENERS):
        await loop.create_connection(lambda: Listening(request, lags, one_up), "127.0.0.1", server.port)
    while up < LISTENERS:
        await asyncio.sleep(0.05)
    writer = [sys.executable, "-c", WRITER, os.path.join(state, "journal"), str(EVENTS_PER_S), str(LISTEN_S)]
    process = await asyncio.create_subprocess_exec(*writer)
    await process.wait()
    await asyncio.sleep(1.0)
    return lags


def listeners(place: Place) -> Iterator[Figure]:
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    state = place.fresh("listened")
    with served(state) as server:
        before = server.memory_mib
        lags = sorted(asyncio.run(listen(server, state)))
        memory = server.memory_mib - before
    work = f"{LISTENERS:,} streams, {EVENTS_PER_S} events a second"
    p99 = lags[len(lags) * 99 // 100] * 1000
    expected = LISTENERS * EVENTS_PER_S * LISTEN_S
    yield Figure(f"{work}: delivered", f"{len(lags) / LISTEN_S:,.0f} a second", ">= 9,000", len(lags) >= 0.9 * expected)
    yield Figure(
        f"{work}: p99 of the delay", f"{p99:.0f} ms (median {statistics.median(lags) * 1000:.0f})", "< 250 ms", p99 < 250
    )
    yield Figure(f"{work}: memory", f"{memory:.0f} MiB more", "<= 100 MiB", memory <= 100)


# -- beside a run


def beside(place: Place, rounds: int) -> Iterator[Figure]:
    """Wall time of an apply on a state directory that is served and listened to, against one that is not."""
    alone, watched = place.fresh("alone"), place.fresh("watched")

    def applied(state: str) -> Sequence[str]:
        plan = place.yaml_links("links", place.fresh("links"), 5_000)
        return holdfast(state, "apply", "--yes", "--quiet", plan)

    with served(watched):
        contenders = [Contender("alone", lambda: applied(alone)), Contender("served", lambda: applied(watched))]
        found = alternate(contenders, rounds)
    ratio = found["served"].seconds / found["alone"].seconds
    yield Figure("apply of 5,000 links, served", f"{ratio:.3f} x the same, not served", "<= 1.05 x", ratio <= 1.05)


def measure(rounds: int) -> Iterator[Figure]:
    with Place() as place:
        yield from small_requests(place)
        yield from listeners(place)
        yield from beside(place, rounds)
        yield from many_runs(place)
