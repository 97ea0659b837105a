"""Streams of events: what the journal holds after a number, and then what happens, from the feed that all share.

Written to the connection directly. A stream is no more than pieces of bytes, each encoded once for all clients; a task
group, a timer and a ping per client, as libraries for this bring them, cost several times what the events do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import UNSET

from holdfast.app.looking import runs
from holdfast.app.looking.tail import Told
from holdfast.journal.contract import Journal
from holdfast.web.asked import EventsWanted
from holdfast.web.feed import PING, RESET, Wanted, frame_of

if TYPE_CHECKING:
    from holdfast.web.serving import Call, Serving

PAGE: Final = 500  # events that are read from the journal at once
KNOWN_S: Final = 1.0  # so long a token that was taken back may still listen, and until the next event
LAST_WORDS_S: Final = 3.0
HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # a proxy that waits for more would hold events back
)

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
Pieces = AsyncIterator[bytes]
Open = Callable[["Serving", "Call"], Pieces]


def latest(serving: Serving, call: Call) -> dict[str, Any]:
    """A page of the events of everything."""
    query: EventsWanted = call.query
    page, following = serving.events_after(None, query)
    return {"events": [found for found in page if serving.sees(call.caller, found["run"])], "next_cursor": following}


async def of_run(serving: Serving, call: Call) -> Pieces:
    """Ends after the last event of the run."""
    row = await asyncio.to_thread(serving.run, call.caller, call.path["id"])
    place, until = serving.feed.end, serving.feed.seq
    over = await asyncio.to_thread(_is_silent, serving, row.id)
    if not over:
        yield PING  # the headers go out with the first piece: a client is to know that it is connected
    async for piece in _past(serving, row.id, call.query.after, None if over else until, lambda document: True):
        yield piece
    if not over:
        async for piece in serving.feed.follow(place, lambda told: told.run == row.id, one_run=True):
            yield piece
            if piece is RESET and await asyncio.to_thread(_is_silent, serving, row.id):
                return  # the last word was among what was missed


def _is_silent(serving: Serving, run: str) -> bool:
    """Over, and nothing more will be said: a moment after its ending at the latest."""
    row = serving.reading.journal.run(run)
    if row is None or row.ending is None:
        return row is None
    if serving.desk.parts.clock.now() > (row.ended_at or 0.0) + LAST_WORDS_S:
        return True
    locked = any(lock.run == run for lock in serving.reading.journal.locks())
    return not locked and (row.settled or row.ending != "rolled_back")


async def of_everything(serving: Serving, call: Call) -> Pieces:
    """Never ends by itself. Without a number it begins with what happens next."""
    place, until = serving.feed.end, serving.feed.seq
    yield PING
    caller = call.caller
    wanted: Wanted = _everything if caller.tenants is None else lambda told: caller.sees(told.tenants)
    if call.query.since is not UNSET:
        async for piece in _past(
            serving, None, call.query.after, until, lambda document: serving.sees(caller, document["run"])
        ):
            yield piece
    async for piece in serving.feed.follow(place, wanted):
        yield piece


async def while_known(pieces: Pieces, is_known: Callable[[], bool]) -> Pieces:
    """Until whoever listens would not be let in any more. There is a piece every few seconds, if only a sign of life."""
    loop = asyncio.get_running_loop()
    asked = loop.time()
    async for piece in pieces:
        if loop.time() > asked + KNOWN_S:
            asked = loop.time()
            if not is_known():
                return
        yield piece


def _everything(told: Told) -> bool:
    return True


async def _past(serving: Serving, run: str | None, since: int, until: int | None, wanted: Callable[[Any], bool]) -> Pieces:
    """What the journal holds, in pages: whoever reads slowly makes nobody wait."""
    journal = serving.reading.journal
    while True:
        page = await asyncio.to_thread(_page, journal, run, since, PAGE)
        events = [document for document in page if (until is None or document["seq"] <= until) and wanted(document)]
        if events:
            yield b"".join(map(_frame, events))
        if len(page) < PAGE or (until is not None and page[-1]["seq"] >= until):
            return
        since = page[-1]["seq"]


def _page(journal: Journal, run: str | None, since: int, limit: int) -> list[dict[str, Any]]:
    return list(runs.event_documents(journal, run, since=since, limit=limit))


def _frame(document: dict[str, Any]) -> bytes:
    return frame_of(Told(document["seq"], None, document["type"], msgspec.json.encode(document), (), False))


async def stream(pieces: Pieces, first: bytes, headers: list[tuple[bytes, bytes]], receive: Receive, send: Send) -> None:
    """Send until the pieces end, or the client is gone. A client that does not read is not written to."""
    sending = asyncio.ensure_future(_send(pieces, first, headers, send))
    leaving = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        sending.cancel()
        await asyncio.gather(sending, leaving, return_exceptions=True)


async def _send(pieces: Pieces, first: bytes, headers: list[tuple[bytes, bytes]], send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS, *headers]})
    await send({"type": "http.response.body", "body": first, "more_body": True})
    async for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
