"""The ring of frames that all clients share: what a slow client misses, and what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from holdfast.app.looking.tail import Tail, Told
from holdfast.core.events import Event
from holdfast.journal.memory import MemoryJournal
from holdfast.runtime.clock import SystemClock
from holdfast.web.feed import LISTENERS_MAX, RESET, Feed
from holdfast.web.refusals import Denied
from holdfast.web.server import follow


def told(seq: int, run: str = "R", *, last: bool = False) -> Told:
    return Told(seq, run, "step.applied", b'{"seq":%d}' % seq, (None,), last)


def everything(_: Told) -> bool:
    return True


def on_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test that is a coroutine; its name is what counts."""

    def run() -> None:
        asyncio.run(test())

    run.__name__ = test.__name__
    return run


async def rest_of(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


@on_loop
async def test_everybody_is_told_in_order_from_their_own_place_on() -> None:
    feed = Feed()
    feed.tell([told(1), told(2)])
    late = feed.follow(feed.end, everything)
    early = feed.follow(0, everything)
    feed.tell([told(3)])
    feed.close()
    assert (await rest_of(early)).count(b"id: ") == 3
    assert (await rest_of(late)).splitlines()[0] == b"id: 3"


@on_loop
async def test_what_happens_while_nobody_listens_is_counted_and_not_kept() -> None:
    journal, news = MemoryJournal(), [Event("trigger.skipped", {"name": "night", "why": "asleep"})]
    tail = Tail(journal, lambda run, events, at: None, clock=SystemClock(), alive=lambda owner: True)
    feed = Feed(tail.seq)
    following = asyncio.create_task(follow(tail, feed))
    journal.append(None, news, at=1.0)
    while feed.seq < 1:
        await asyncio.sleep(0.001)
    assert feed.end == 0
    with feed.listening():
        pieces = feed.follow(feed.end, everything)
        journal.append(None, news, at=2.0)
        assert (await anext(pieces)).startswith(b"id: 2\nevent: trigger.skipped")
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following


@on_loop
async def test_who_was_overtaken_is_told_so_once_and_goes_on_with_what_is_new() -> None:
    feed = Feed(frames_max=8)
    slow = feed.follow(feed.end, everything)
    feed.tell([told(number) for number in range(1, 101)])
    assert await anext(slow) == RESET
    feed.tell([told(101)])
    feed.close()
    assert (await rest_of(slow)).splitlines()[0] == b"id: 101"


@on_loop
async def test_what_is_kept_is_bounded_in_frames_and_in_bytes() -> None:
    feed = Feed(frames_max=100, bytes_max=1_000)
    feed.tell([told(number) for number in range(1, 10_000)])
    assert len(feed.after(feed.end)) == 0
    assert sum(len(frame.sent) for frame in feed.after(feed.end - 5)) <= 1_000
    assert feed.seq == 9_999


@on_loop
async def test_the_stream_of_one_run_ends_with_its_last_word() -> None:
    feed = Feed()
    stream = feed.follow(feed.end, lambda event: event.run == "A", one_run=True)
    feed.tell([told(1, "A"), told(2, "B", last=True)])
    assert (await anext(stream)).count(b"id: ") == 1
    feed.tell([told(3, "A", last=True)])
    assert (await rest_of(stream)).splitlines()[0] == b"id: 3"


@on_loop
async def test_there_are_no_more_listeners_than_can_be_served() -> None:
    feed = Feed()
    feed.listeners = LISTENERS_MAX - 1
    with feed.listening(), pytest.raises(Denied) as refused, feed.listening():
        pass
    assert (refused.value.status, refused.value.code) == (503, "overloaded")
    assert feed.listeners == LISTENERS_MAX - 1
