"""Which driver does what: one per family of every target, made when first needed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, TypeVar

from holdfast.core.change import FACTS, Depth, Look, Resource, State
from holdfast.core.errors import Refused, StorageFailed, WorldError
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


class Blind(NamedTuple):
    """What could not be looked at on one target, and why."""

    target: str
    keys: frozenset[str]
    error: WorldError


class Unreadable(WorldError):
    """Not everything could be looked at; it speaks with the words of the first that could not."""

    def __init__(self, blind: Sequence[Blind]) -> None:
        first = blind[0].error
        super().__init__(first.message, code=first.code, hint=first.hint)
        self.blind = blind


async def inspect(fleet: Fleet, wanted: Mapping[str, Sequence[Look]], together: Together) -> Seen:
    """Look at everything asked for: one call per driver, all drivers at the same time where that can be had."""
    calls: list[tuple[str, Driver, list[Look]]] = []  # every driver is found before the first one is asked
    for target, looks in wanted.items():
        by_family: dict[str, list[Look]] = {}
        for look in looks:
            by_family.setdefault(family_of(look.key), []).append(look)
        for family, some in by_family.items():
            calls.append((target, fleet.driver(target, family), some))
    found = await together([_ask(driver, some) for _, driver, some in calls])
    seen: Seen = {}
    blind: list[Blind] = []
    for (target, _, some), states in zip(calls, found, strict=True):
        if isinstance(states, WorldError):
            blind.append(Blind(target, frozenset(look.key for look in some), states))
            continue
        for key, depth in some:
            seen[Resource(target, key)] = (depth, states[key])
    if blind:
        raise Unreadable(blind)
    return seen


async def _ask(driver: Driver, looks: Sequence[Look]) -> Mapping[str, State] | WorldError:
    """One that cannot answer does not keep the others from being heard."""
    try:
        return await driver.inspect(looks)
    except StorageFailed:
        raise
    except WorldError as error:
        return error


async def one_after_the_other(waiting: Sequence[Awaitable[T]]) -> Sequence[T]:
    """Together, for where no event loop runs."""
    return [await call for call in waiting]


__all__ = [
    "FACTS",
    "Blind",
    "Depth",
    "DriverFleet",
    "Fleet",
    "Together",
    "Unreadable",
    "family_of",
    "inspect",
    "one_after_the_other",
]
