"""What is promised about undoing a step: four words, from the safest to the least safe."""

from __future__ import annotations

from enum import Enum


class Guarantee(str, Enum):
    """What is promised about undoing a step; shown before anybody approves."""

    ATOMIC = "atomic"  # one switch: after a crash it is old or new
    REVERSIBLE = "reversible"  # undone from a captured before-image, verified
    COMPENSABLE = "compensable"  # undone by a declared counter-action
    IRREVERSIBLE = "irreversible"

    @property
    def rank(self) -> int:
        return _RANK[self]


_RANK = {guarantee: rank for rank, guarantee in enumerate(Guarantee)}


def weakest(guarantees: list[Guarantee]) -> Guarantee:
    """A step is as safe as its least safe change; several atomic switches together are only reversible."""
    if not guarantees:
        return Guarantee.ATOMIC
    found = max(guarantees, key=lambda g: g.rank)
    return Guarantee.REVERSIBLE if found is Guarantee.ATOMIC and len(guarantees) > 1 else found
