"""Shares of a capacity that many use together: weighted semaphores.

Written as a key, a share can be held like any other lock: `semaphore:NAME=WEIGHT/CAPACITY`. Where two holders disagree
about a capacity, the smaller one counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

SEMAPHORE: Final = "semaphore:"
_KEY: Final = re.compile(re.escape(SEMAPHORE) + r"(.+)=(\d+)/(\d+)", re.DOTALL)


class Share(NamedTuple):
    """What one holder takes of a capacity."""

    semaphore: str
    weight: int
    capacity: int

    @property
    def key(self) -> str:
        return f"{SEMAPHORE}{self.semaphore}={self.weight}/{self.capacity}"


def shares_in(keys: Iterable[str]) -> list[Share]:
    found = (_KEY.fullmatch(key) for key in keys if key.startswith(SEMAPHORE))
    return [Share(match[1], int(match[2]), int(match[3])) for match in found if match is not None]


def together(shares: Iterable[Share]) -> list[Share]:
    """What a holder of all of them takes: never more than there is."""
    return [share._replace(weight=min(share.weight, share.capacity)) for share in _added(shares).values()]


def lacking(mine: Iterable[Share], theirs: Iterable[Share]) -> set[str]:
    """The semaphores of which too little is left beside what others hold; who is alone always fits."""
    held = _added(theirs)
    return {
        name
        for name, weight, capacity in mine
        if name in held and weight + held[name].weight > min(capacity, held[name].capacity)
    }


def _added(shares: Iterable[Share]) -> dict[str, Share]:
    found: dict[str, Share] = {}
    for name, weight, capacity in shares:
        other = found.get(name, Share(name, 0, capacity))
        found[name] = Share(name, weight + other.weight, min(capacity, other.capacity))
    return found
