"""Bytes as they come, handed on line by line to whoever watches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

LINE_BYTES_MAX: Final = 64 * 1024


class Lines:
    """One stream. A line that is too long is handed on in pieces."""

    __slots__ = ("_held", "_tell")

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._held = b""

    def feed(self, data: bytes) -> None:
        *whole, self._held = (self._held + data).split(b"\n")
        for line in whole:
            self._say(line)
        while len(self._held) > LINE_BYTES_MAX:
            self._say(self._held[:LINE_BYTES_MAX])
            self._held = self._held[LINE_BYTES_MAX:]

    def end(self) -> None:
        if self._held:
            self._say(self._held)
            self._held = b""

    def _say(self, line: bytes) -> None:
        self._tell(line.removesuffix(b"\r").decode("utf-8", "replace"))
