"""Which driver does what: one per family of every target, made when first needed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol, TypeVar

from holdfast.core.change import FACTS, Depth, Look, Resource
from holdfast.core.errors import Refused
from holdfast.core.predict import Seen
from holdfast.drivers.contract import Driver

T = TypeVar("T")


class Together(Protocol):
    """Waits for all of them, at the same time where that can be had."""

    async def __call__(self, waiting: Sequence[Awaitable[T]], /) -> Sequence[T]: ...


# Which family answers a look, by how its key begins; another word is a family that another package brings. What begins
# with no word and a colon is a path, an object of an appliance, or a fact about the target.
FAMILY_OF_KEY: Final = {"check": "process", "program": "process", "config": "service", "http": "http"}


class Fleet(Protocol):
    def driver(self, target: str, family: str) -> Driver: ...

    async def close(self, together: Together) -> None: ...


Make = Callable[[], Driver]


class DriverFleet:
    """Drivers by target and family, from a table of how to make each."""

    def __init__(self, makers: Mapping[tuple[str, str], Make]) -> None:
        self._makers = makers
        self._made: dict[tuple[str, str], Driver] = {}

    def driver(self, target: str, family: str) -> Driver:
        found = self._made.get((target, family))
        if found is None:
            make = self._makers.get((target, family))
            if make is None:
                raise Refused(f"the target `{target}` has no driver for {family} steps", code="unsupported")
            found = self._made[target, family] = make()
        return found

    async def close(self, together: Together) -> None:
        """A host may be far away: none of them waits for another to have ended."""
        made, self._made = self._made, {}
        await together([driver.close() for driver in made.values()])


def family_of(key: str) -> str:
    prefix, found, _ = key.partition(":")
    return FAMILY_OF_KEY.get(prefix, prefix) if found and prefix.isidentifier() else "files"


async def inspect(fleet: Fleet, wanted: Mapping[str, Sequence[Look]], together: Together) -> Seen:
    """Look at everything asked for: one call per driver, all drivers at the same time where that can be had."""
    calls: list[tuple[str, Driver, list[Look]]] = []  # every driver is found before the first one is asked
    for target, looks in wanted.items():
        by_family: dict[str, list[Look]] = {}
        for look in looks:
            by_family.setdefault(family_of(look.key), []).append(look)
        for family, some in by_family.items():
            calls.append((target, fleet.driver(target, family), some))
    found = await together([driver.inspect(some) for _, driver, some in calls])
    seen: Seen = {}
    for (target, _, some), states in zip(calls, found, strict=True):
        for key, depth in some:
            seen[Resource(target, key)] = (depth, states[key])
    return seen


async def one_after_the_other(waiting: Sequence[Awaitable[T]]) -> Sequence[T]:
    """Together, for where no event loop runs."""
    return [await call for call in waiting]


__all__ = ["FACTS", "Depth", "DriverFleet", "Fleet", "Together", "family_of", "inspect", "one_after_the_other"]
