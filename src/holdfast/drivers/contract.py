"""The one page that every driver keeps, and its laws.

1. Apply, then apply reversed, leaves the world identical.
2. Apply is idempotent: a change whose `after` is already there is `unchanged`.
3. Inspect never writes.
4. A change whose `before` is not what is found is refused as `foreign_change`, and nothing is clobbered.
5. Outcomes are returned. No exception of a library, and no OSError, crosses this boundary.
6. What it cannot undo it says at plan time, through the guarantee of the change.
7. Moves of one batch are made as if in the order given; many may share one barrier, but when `apply` returns,
   everything that is reported `done` is durable.

`holdfast.testing.conformance` holds every driver to them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol, runtime_checkable

from holdfast.core.change import Change, Look, State
from holdfast.core.errors import Failure


class Ending(str, Enum):
    """How one move ended."""

    DONE = "done"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    IN_DOUBT = "in_doubt"
    SKIPPED = "skipped"  # never begun: something before it in the batch failed


class Move(NamedTuple):
    """One change to be made, or with `undo` one to be taken back: then `change` is already reversed.

    `id` is the same in both directions and unique in the state directory: it names the stash slot.
    """

    id: str
    change: Change
    undo: bool = False
    needs: tuple[int, ...] = ()  # positions in the batch that must have succeeded first
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    moves: tuple[Move, ...]
    keep_going: bool = False  # after a failure: go on with every move that does not need it
    keeps: bool = False  # after a failure: what is done by then stays


@dataclass(frozen=True, slots=True)
class Outcome:
    ending: Ending
    failure: Failure | None = None
    duration_s: float = 0.0
    output: str = ""  # bounded, secrets removed: what a command printed, what a service answered
    kept: str = ""  # where a before-image can be found by a person, when something was left behind


DONE = Outcome(Ending.DONE)
UNCHANGED = Outcome(Ending.UNCHANGED)
SKIPPED = Outcome(Ending.SKIPPED)


class Driver(Protocol):
    async def inspect(self, looks: Sequence[Look]) -> Mapping[str, State]:
        """The state of every key asked for. Raises WorldError when the target cannot be looked at at all."""
        ...

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        """Move each change from before to after; one outcome per move, in their order."""
        ...

    async def settle(self, moves: Sequence[Move]) -> None:
        """Drop what only undo needed. Idempotent."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class Keeper(Protocol):
    """What a driver of files can do beside, because it keeps what it replaces, and can hand over what is at a path."""

    async def fetch(self, key: str, into: int | None) -> Fetched:
        """Copy the content of a regular file to the open file `into`; with None only its attributes are wanted.

        Raises WorldError when it is not there any more, or cannot be read.
        """
        ...

    async def untouched(self, moves: Sequence[Move]) -> set[str]:
        """The ids of those moves that were surely never made: nothing is kept of what they would have replaced."""
        ...


@runtime_checkable
class Carrier(Protocol):
    """What a keeper on another machine can do beside: hand over many files in one go."""

    async def fetch_all(self, keys: Sequence[str], into: Callable[[int], int]) -> None:
        """Copy the contents of regular files, in their order, each to the open file that `into` gives for its number.

        Who calls closes them. Raises WorldError with the first that cannot be read.
        """
        ...


@runtime_checkable
class Guard(Protocol):
    """What a driver of a host can do beside: have the host take a run back by itself, unless it hears from us in time.

    A switch is quiet while we work. After the last word it waits as long as people have to confirm.
    """

    async def arm(self, run: str, within: float, moves: Sequence[Move]) -> None:
        """Before the first change there. `moves` are those of all families, as they are undone. Raises WorldError."""
        ...

    def expect(self, run: str, within: float) -> None:
        """A process that is no more has armed a switch for this run, perhaps."""
        ...

    def last_word(self, run: str) -> None:
        """Everything is in place: from here on only a confirmation counts."""
        ...

    async def disarm(self, run: str) -> None:
        """Turn it off, over a connection that proves that the host still lets us in. Raises WorldError; also when it fired."""
        ...


@runtime_checkable
class Activating(Protocol):
    """What a driver can do beside, whose changes are configured first and made effective later."""

    async def confirm(self, changes: Sequence[Change]) -> None:
        """Make effective what was found to be configured, though nobody knows whether it is in effect.

        Raises WorldError when it does not come into effect.
        """
        ...


@dataclass(frozen=True, slots=True)
class Fetched:
    digest: str | None  # of what was copied
    xattrs: Mapping[str, bytes]
