"""How much one program may change: hosts, tenants and steps, over all its runs that were not taken back.

What is counted: every machine, appliance and service where a step changes something (this machine is one of them), every
task that was made for one entry of `each`, every step that changes something. Memory counts for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

from holdfast.app.apply import place_of
from holdfast.core.errors import Problem
from holdfast.core.plan import Plan, Step

WORDS: Final = ("hosts", "tenants", "steps")
_PART: Final = re.compile(r"\s*([a-z]+)\s*[=:]\s*(\d{1,9})\s*")
_CHANGING: Final = frozenset({"process", "service"})  # families whose steps change something though no claim says so


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How far something reaches."""

    hosts: frozenset[str] = frozenset()
    tenants: frozenset[str] = frozenset()
    steps: int = 0

    @classmethod
    def of(cls, plan: Plan) -> Self:
        changing = [step for step in plan.steps if step.target != "memory" and _changes(step)]
        return cls(
            hosts=frozenset(_place(plan, step) for step in changing),
            tenants=frozenset(task.key for task in plan.tasks if task.key is not None),
            steps=len(changing),
        )

    def with_(self, others: Iterable[Extent]) -> Extent:
        extents = [self, *others]
        return Extent(
            hosts=frozenset().union(*(extent.hosts for extent in extents)),
            tenants=frozenset().union(*(extent.tenants for extent in extents)),
            steps=sum(extent.steps for extent in extents),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """None: as many as it likes."""

    hosts: int | None = None
    tenants: int | None = None
    steps: int | None = None

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Self:
        """From `hosts=3,tenants=1,steps=50`, in one text or several; raises ValueError."""
        found: dict[str, int] = {}
        for part in (part for text in texts for part in text.split(",")):
            match = _PART.fullmatch(part)
            if match is None or match[1] not in WORDS:
                raise ValueError(f"`{part}` is not a limit; write it like hosts=3,tenants=1,steps=50")
            found[match[1]] = int(match[2])
        return cls(**found)

    def problems(self, plan: Plan, before: Iterable[Extent] = ()) -> list[Problem]:
        """Why this plan would be too much, after what there was before."""
        total = Extent.of(plan).with_(before)
        reached = {"hosts": len(total.hosts), "tenants": len(total.tenants), "steps": total.steps}
        return [
            Problem(
                code="limit_exceeded",
                message=f"with this plan it would be {reached[word]} {word}, and the limit is {limit}",
            )
            for word in WORDS
            if (limit := getattr(self, word)) is not None and reached[word] > limit
        ]


def _changes(step: Step) -> bool:
    operation = step.operation
    return operation.family in _CHANGING or any(claim.writes for claim in operation.claims())


def _place(plan: Plan, step: Step) -> str:
    """A service that is spoken to from here is a host as well."""
    operation = step.operation
    addresses = getattr(operation, "listeners", None) or [getattr(operation, "url", "")]
    named = urlsplit(str(addresses[0])).netloc
    return named or place_of(plan, step.target)
