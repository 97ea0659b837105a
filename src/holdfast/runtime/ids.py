"""Ids that sort by time: ULIDs, made from an injected clock and source of randomness."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
RandomBytes = Callable[[int], bytes]


class Ulids:
    """Ascending also within one millisecond, as long as one object makes them."""

    def __init__(self, random_bytes: RandomBytes = os.urandom) -> None:
        self._random_bytes = random_bytes
        self._last = 0

    def make(self, now: float) -> str:
        value = (int(now * 1000) << 80) | int.from_bytes(self._random_bytes(10), "big")
        self._last = value = max(value, self._last + 1)
        return "".join(_ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5))


def moment_of(ulid: str) -> float:
    """When it was made: seconds since the epoch."""
    value = 0
    for letter in ulid[:10]:
        value = value * 32 + _ALPHABET.index(letter)
    return value / 1000
