"""What a program or a service said, made fit to be kept and shown: bounded, and without control characters."""

from __future__ import annotations

import re
from typing import Final

OUTPUT_BYTES_MAX: Final = 64 * 1024

# Escape sequences of terminals: CSI, then strings (OSC, DCS, APC, PM, SOS) up to their end, then two-byte ones.
_ESCAPES: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?")
# Other control characters, and those that reorder or hide text on a screen.
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def plain_text(text: str) -> str:
    """Only what can be read: nothing that moves a cursor, colours or hides."""
    if text.isprintable():
        return text
    return _CONTROLS.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))


class Capture:
    """The first and the last bytes of a stream; what was between them is counted, not kept.

    A margin beyond what will be shown is kept as well, so that a secret that is cut in two is still recognised.
    """

    __slots__ = ("_head", "_room", "_tail", "shown_max", "total")

    def __init__(self, shown_max: int = OUTPUT_BYTES_MAX, margin: int = 0) -> None:
        self.shown_max = shown_max
        self.total = 0
        self._room = shown_max // 2 + margin
        self._head = bytearray()
        self._tail = bytearray()

    def feed(self, data: bytes) -> None:
        self.total += len(data)
        room = self._room - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if data:
            self._tail += data[-self._room :]
            if len(self._tail) > 2 * self._room:
                del self._tail[: -self._room]

    @property
    def left_out(self) -> int:
        """How many bytes in the middle are not shown."""
        return self.total - 2 * (self.shown_max // 2) if self.total > self.shown_max else 0

    def pieces(self) -> list[tuple[str, int, int]]:
        """One text, or two when the middle is left out; each with the part of it that is to be shown."""
        if not self.left_out:
            whole = _read(self._head + self._tail)
            return [(whole, 0, len(whole))]
        half = self.shown_max // 2
        head, tail = self._head, (self._head + self._tail)[-self._room :]
        first, last = _read(head), _read(tail)
        return [(first, 0, len(_read(head[:half]))), (last, len(last) - len(_read(tail[-half:])), len(last))]


def _read(data: bytes | bytearray) -> str:
    return plain_text(data.decode("utf-8", "replace"))
