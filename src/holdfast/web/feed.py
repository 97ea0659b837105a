"""What the tail of the journal says, given to any number of clients from one ring of frames that all share.

A client is a place in the ring. One that reads slowly falls behind; when the ring has overtaken it, it is told so with
one `reset`, and goes on with what is new. So memory is bounded by the ring, whatever clients do, and a frame is encoded
once for all. Everything here happens on the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from holdfast.app.looking.tail import Told
from holdfast.web.refusals import Denied

FRAMES_MAX: Final = 20_000
BYTES_MAX: Final = 32 * 1024 * 1024
LISTENERS_MAX: Final = 5_000
RESET: Final = b"event: reset\ndata: {}\n\n"
PING: Final = b": still here\n\n"  # so that a client that is gone is noticed

Wanted = Callable[[Told], bool]


class Frame(NamedTuple):
    told: Told | None  # None: for everybody, and of no run
    sent: bytes


class Missed(Exception):
    """The ring has overtaken this client."""


class Feed:
    def __init__(self, seq: int = 0, *, frames_max: int = FRAMES_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._frames: list[Frame] = []
        self._first = 0  # number of the oldest frame
        self._bytes = 0
        self._frames_max = frames_max
        self._bytes_max = bytes_max
        self._news = asyncio.Event()
        self.seq = seq  # of the newest event that was told
        self.closed = False
        self.listeners = 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """One more stream, as long as there are not too many."""
        if self.listeners >= LISTENERS_MAX:
            raise Denied(503, "overloaded", f"{LISTENERS_MAX} streams are open already")
        self.listeners += 1
        try:
            yield
        finally:
            self.listeners -= 1

    @property
    def end(self) -> int:
        """Where a client begins that wants only what is new."""
        return self._first + len(self._frames)

    def tell(self, news: Sequence[Told]) -> None:
        for told in news:
            self._add(Frame(told, frame_of(told)))
            self.seq = told.seq or self.seq
        self._wake()

    def pass_over(self, seq: int | None) -> None:
        """What was heard up to here while nobody listened: who comes later finds it in the journal."""
        self.seq = seq or self.seq

    def ping(self) -> None:
        self._add(Frame(None, PING))
        self._wake()

    def close(self) -> None:
        """Every stream ends after what it was told."""
        self.closed = True
        self._wake()

    def _add(self, frame: Frame) -> None:
        self._frames.append(frame)
        self._bytes += len(frame.sent)
        if len(self._frames) > self._frames_max or self._bytes > self._bytes_max:
            self._drop(len(self._frames) // 4 + 1)

    def _drop(self, count: int) -> None:
        """Many at once, because each time all others move up."""
        self._bytes -= sum(len(frame.sent) for frame in self._frames[:count])
        del self._frames[:count]
        self._first += count

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def after(self, place: int) -> list[Frame]:
        if place < self._first:
            raise Missed
        return self._frames[place - self._first :]

    async def follow(self, place: int, wanted: Wanted, *, one_run: bool = False) -> AsyncIterator[bytes]:
        """What a client is sent from its place on, in pieces; of one run, until the run is over."""
        while True:
            news = self._news
            try:
                frames = self.after(place)
            except Missed:
                place = self.end  # what is told while the client hears of it is not missed as well
                yield RESET
                continue
            place += len(frames)
            found = [frame for frame in frames if frame.told is None or wanted(frame.told)]
            if found:
                yield b"".join(frame.sent for frame in found)
                if one_run and any(frame.told is not None and frame.told.last for frame in found):
                    return
            elif not frames:
                if self.closed:
                    return
                await news.wait()


def frame_of(told: Told) -> bytes:
    number = b"" if told.seq is None else b"id: %d\n" % told.seq
    return b"%sevent: %s\ndata: %s\n\n" % (number, told.type.encode(), told.document)
