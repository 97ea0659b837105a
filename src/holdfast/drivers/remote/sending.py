"""From a move to what a worker can carry out: secrets become values, and contents of this machine travel along.

Small contents lie in the frame of their batch, so that a batch is one round trip. What is larger is read here while
the worker writes it there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from typing import Any, Final

from holdfast.core.errors import WorldError
from holdfast.drivers.contract import Move
from holdfast.drivers.files.values import Order, trouble_of
from holdfast.drivers.remote.near import Line
from holdfast.drivers.remote.wire import CHUNK_BYTES
from holdfast.drivers.secrets import Secrets
from holdfast.kinds.content import Content
from holdfast.kinds.contract import Secret
from holdfast.kinds.node import Node

ALONG_BYTES_MAX: Final = 256 * 1024  # a file up to this size lies in the frame
FRAME_BYTES_MAX: Final = 32 * 1024 * 1024  # and all of them together

_NOT_THERE: Final = {"ENOENT": "source_not_found", "ENOTDIR": "source_not_found"}


def undoing(move: Move) -> Order:
    """An order to take something back: whatever it needs is kept on the host."""
    change = move.change
    assert isinstance(change.before, Node) and isinstance(change.after, Node)
    before, after = change.before._replace(content=None), change.after._replace(content=None)
    return Order(move.id, change.key, before, after, change.origin, None, True, ())


class Sending:
    """The contents of one batch."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._room = FRAME_BYTES_MAX
        self._wanted: list[str] = []  # paths, by the number under which the worker asks for them

    def order(self, move: Move) -> Order:
        change = move.change
        assert isinstance(change.before, Node) and isinstance(change.after, Node)
        before, after = change.before._replace(content=None), change.after._replace(content=None)
        means = None if move.undo else self._means(change.means, after)
        return Order(move.id, change.key, before, after, change.origin, means, move.undo, move.needs)

    def _means(self, means: Any, node: Node) -> Any:
        if isinstance(means, Mapping):
            return {path: self._content(content) for path, content in means.items()}
        if not isinstance(means, Content):
            return None
        if means.path is not None and node.type == "dir":
            files = [path for path, entry in (node.entries or {}).items() if entry.type == "file"]
            return {path: self._content(means.below(path)) for path in files}
        return self._content(means)

    def _content(self, content: Content) -> Content:
        if content.secret is not None:
            value = self._secrets.value(Secret(content.secret))
            return content._replace(secret=None, data=value.encode("utf-8", "surrogateescape"))
        if content.path is None:
            return content
        data = self._small(content.path)
        if data is not None:
            return content._replace(path=None, data=data)
        self._wanted.append(content.path)
        return content._replace(path=None, feed=len(self._wanted) - 1)

    def _small(self, path: str) -> bytes | None:
        """The whole content, if there is room for it; what cannot be read is found out by who asks for it."""
        try:
            fd = _open(path)
        except WorldError:
            return None
        try:
            size = os.fstat(fd).st_size
            if size > min(ALONG_BYTES_MAX, self._room):
                return None
            data = os.read(fd, size + 1)
        finally:
            os.close(fd)
        self._room -= len(data)
        return data if len(data) == size else None

    async def serve(self, worker: Line, said: dict[str, Any]) -> None:
        """A worker asks for a content: piece by piece, an empty one is the end."""
        try:
            fd = _open(self._wanted[said["want"]])
        except WorldError as error:
            await worker.send({"error": [error.code, error.message]})
            return
        try:
            piece = os.read(fd, CHUNK_BYTES)
            while piece:
                await worker.send([piece])
                piece = os.read(fd, CHUNK_BYTES)
            await worker.send([b""])
        finally:
            os.close(fd)


def _open(path: str) -> int:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        trouble = trouble_of(error, path, **_NOT_THERE)
        raise WorldError(trouble.message, code=trouble.code) from None
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise WorldError(f"{path} is not a regular file any more", code="conflict")
