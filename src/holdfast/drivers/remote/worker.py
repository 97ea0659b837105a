"""The far end: the file engine on a host, told what to do over its standard input. The host carries this module.

It lives as long as its connection. What it keeps until a run is settled lies in one private directory, which goes when
nothing is in it any more; killed at any moment, it leaves what a killed local engine leaves.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from holdfast.drivers.files import stash
from holdfast.drivers.files.engine import FileEngine
from holdfast.drivers.files.looking import open_file, xattrs_of
from holdfast.drivers.files.values import NotDurable, Order, Trouble, trouble_of
from holdfast.drivers.remote import keeping, switch
from holdfast.drivers.remote.wire import CHUNK_BYTES, HEAD, QUESTIONS, order_from, pack, sizes
from holdfast.kinds.content import Content


class Gone(Exception):
    """Nobody is there to be talked to any more."""


class Line:
    """Frames over two descriptors."""

    def __init__(self, source: int, sink: int) -> None:
        self._source = source
        self._sink = sink

    def send(self, document: Any) -> None:
        left = memoryview(pack(document))
        try:
            while left:
                left = left[os.write(self._sink, left) :]
        except BrokenPipeError:
            raise Gone from None

    def receive(self) -> tuple[Any, bytes]:
        import json

        text, beside = sizes(self._take(HEAD.size))
        return json.loads(self._take(text)), self._take(beside)

    def _take(self, size: int) -> bytes:
        pieces = []
        while size:
            piece = os.read(self._source, min(size, 1 << 20))
            if not piece:
                raise Gone
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)


class Worker:
    def __init__(self, line: Line, home: str) -> None:
        self._line = line
        self._home = home
        self._held = keeping.Held(home)
        self._engine = FileEngine(home)

    def serve(self) -> None:
        """Answer until the other end is gone."""
        try:
            while True:
                request, beside = self._line.receive()
                self._line.send(self._answer(request, beside))
        except Gone:
            pass  # what was asked is done, or will be found out by who asks next
        finally:
            self._engine.close()
            self._held.tidy()

    def _answer(self, request: dict[str, Any], beside: bytes) -> Any:
        try:
            return {"answer": _ANSWERS[request["ask"]](self, request, beside)}
        except NotDurable as error:
            return {"error": ["storage_failed", str(error)]}
        except Trouble as trouble:
            return {"error": [trouble.code, trouble.message]}
        except OSError as error:
            found = trouble_of(error, str(error.filename or self._home))
            return {"error": [found.code, found.message]}

    # -- what can be asked

    def inspect(self, request: dict[str, Any], beside: bytes) -> Any:
        return self._engine.inspect([(key, depth) for key, depth in request["looks"]])

    def apply(self, request: dict[str, Any], beside: bytes) -> Any:
        self._held.enter()
        for run in request["runs"]:
            self._held.take(run)
        orders = [self._fed(order_from(values, beside)) for values in request["orders"]]
        return self._engine.apply(orders, request["keep_going"])

    def settle(self, request: dict[str, Any], beside: bytes) -> Any:
        self._held.enter()
        self._engine.settle(request["ids"])
        for run in request["runs"]:
            switch.disarm(self._home, run)

    def slots(self, request: dict[str, Any], beside: bytes) -> Any:
        self._held.enter()
        return sorted(self._engine.slots())

    def take_over(self, request: dict[str, Any], beside: bytes) -> Any:
        """From here on nobody else works for these runs: who still does is ended."""
        for run in request["runs"]:
            self._held.take(run)

    def fetch(self, request: dict[str, Any], beside: bytes) -> Any:
        """The content of a file, piece by piece, and then its digest and its attributes."""
        path = request["path"]
        if not request["content"]:
            return [None, list(xattrs_of(path).items())]
        return self._send_file(path, 0)

    def fetch_all(self, request: dict[str, Any], beside: bytes) -> Any:
        for number, path in enumerate(request["paths"]):
            self._send_file(path, number)

    def _send_file(self, path: str, number: int) -> Any:
        fd = open_file(path, None)
        try:
            if not keeping.is_regular(fd):
                raise Trouble("conflict", f"{path} is not a regular file any more")
            digest = sha256()
            piece = os.read(fd, CHUNK_BYTES)
            while piece:
                digest.update(piece)
                self._line.send({"piece": piece, "of": number})
                piece = os.read(fd, CHUNK_BYTES)
            return [digest.hexdigest(), list(xattrs_of(fd).items())]
        finally:
            os.close(fd)

    def arm(self, request: dict[str, Any], beside: bytes) -> Any:
        self._held.enter()
        return switch.arm(self._home, request, beside)

    def extend(self, request: dict[str, Any], beside: bytes) -> Any:
        return switch.extend(self._home, request["run"], request["seconds"])

    def disarm(self, request: dict[str, Any], beside: bytes) -> Any:
        return switch.disarm(self._home, request["run"])

    def mark(self, request: dict[str, Any], beside: bytes) -> Any:
        switch.mark(self._home, request["run"], request["step"], request["begun"])

    def probe(self, request: dict[str, Any], beside: bytes) -> Any:
        from holdfast.drivers.remote import asking

        return asking.ask(request["url"], request["seconds"])

    # -- contents that are too large to travel with their order

    def _fed(self, order: Order) -> Order:
        means = order.means
        if isinstance(means, dict):
            return order._replace(means={path: self._with_feed(content) for path, content in means.items()})
        return order if means is None else order._replace(means=self._with_feed(means))

    def _with_feed(self, content: Content) -> Content:
        if content.feed is None:
            return content
        number = content.feed
        return content._replace(feed=lambda write: self._receive(number, write))

    def _receive(self, number: int, write: Callable[[bytes], Any]) -> str:
        """Ask for a content and write it as it comes; also when it cannot be written, all of it is taken off the line."""
        digest = sha256()
        refused: OSError | None = None
        self._line.send({"want": number})
        while True:
            said, chunk = self._line.receive()
            if "error" in said:
                raise Trouble(*said["error"])
            if not chunk:
                break
            digest.update(chunk)
            try:
                if refused is None:
                    write(chunk)
            except OSError as error:
                refused = error
        if refused is not None:
            raise refused
        return digest.hexdigest()


_ANSWERS = {name: getattr(Worker, name) for name in QUESTIONS}


def main() -> None:
    sink = os.dup(1)
    os.dup2(2, 1)  # whatever else is printed must not disturb the frames
    line = Line(0, sink)
    home = keeping.home()
    stash.HIDDEN = ".holdfast-remote"  # apart from those of a Holdfast that runs on the host itself
    line.send({"answer": {"home": home, "python": list(sys.version_info[:3])}})
    Worker(line, home).serve()
