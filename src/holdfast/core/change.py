"""A change is data: a resource, the state before, the state after.

What all families of resources have in common lives here. What a state *is* belongs to a family
(a path's node, an API object's document); the core only asks whether it exists and whether two are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple, Protocol

from holdfast.core.guarantee import Guarantee as Guarantee
from holdfast.core.guarantee import weakest as weakest


class Resource(NamedTuple):
    """One thing that has a state; written TARGET:KEY."""

    target: str
    key: str

    def __str__(self) -> str:
        return f"{self.target}:{self.key}"


class Depth(Enum):
    """How closely to look at a resource; each depth includes the ones before it."""

    NODE = 0  # does it exist, what is it
    CONTENT = 1  # and what is in it
    SHAPE = 2  # and what is beneath it, each only as a node: no content there is read
    TREE = 3  # and everything beneath it, with content

    def __lt__(self, other: Depth) -> bool:
        return bool(self.value < other.value)


class Look(NamedTuple):
    """A wish to know the state of one key of a target."""

    key: str
    depth: Depth = Depth.NODE


class Claim(NamedTuple):
    """A resource a step reads or writes; edges and locks derive from claims.

    `beneath` extends the claim to every key below it. `shared` is for what is made only if it is missing, like the
    parents of a directory: several steps may do so, in the order of the plan, and it is nothing to lock.
    """

    key: str
    writes: bool = True
    beneath: bool = False
    depth: Depth = Depth.NODE
    target: str | None = None  # None: where the step works; a `source` is read on "local"
    shared: bool = False


class State(Protocol):
    """A comparable value. Two states are the same when nobody could tell that one replaced the other."""

    @property
    def exists(self) -> bool: ...

    def same(self, other: object, /) -> bool: ...

    def plain(self) -> Any:
        """JSON-able, for the journal and for people; None when absent. Never a secret, never bulk content."""
        ...


class Observed:
    """A state that is only ever looked at: it is always there, and two are the same when they are equal."""

    __slots__ = ()

    @property
    def exists(self) -> bool:
        return True

    def same(self, other: object, /) -> bool:
        return bool(self == other)


FACTS: str = "@facts"  # the key under which every target tells what planning must know about it


@dataclass(frozen=True, slots=True)
class Facts(Observed):
    """What a target is like: the effective user decides owners and permissions of what is made there."""

    uid: int = 0
    gid: int = 0
    groups: frozenset[int] = frozenset()
    umask: int = 0o022
    exchanges: bool = True  # two names can be exchanged in one step; else what replaces something is no single switch

    def plain(self) -> Any:
        return {"uid": self.uid, "gid": self.gid, "groups": sorted(self.groups), "umask": self.umask}


class Action(str, Enum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    MOVE = "move"
    RUN = "run"
    NONE = "none"


class Change(NamedTuple):
    """Move one resource from `before` to `after`. Undoing it is moving it back.

    What is made for every step is a tuple: a frozen dataclass takes four times as long to make.
    """

    key: str
    before: State
    after: State
    guarantee: Guarantee = Guarantee.ATOMIC
    origin: str | None = None  # a move's other end: there before, here after
    means: object = None  # what a driver needs beyond the two states to get there; never journaled
    runs: bool = False  # an effect with no state we can read: a command, a probe, a pause

    @property
    def changes(self) -> bool:
        if self.runs or self.origin is not None:
            return True
        return self.before is not self.after and not self.before.same(self.after)

    @property
    def action(self) -> Action:
        if self.runs:
            return Action.RUN
        if self.origin is not None:
            return Action.MOVE
        if self.before.same(self.after):
            return Action.NONE
        if not self.before.exists:
            return Action.CREATE
        return Action.UPDATE if self.after.exists else Action.DELETE

    def reversed(self) -> Change:
        return self._replace(before=self.after, after=self.before)


class Verdict(Enum):
    """What the world says about a change we asked for and never heard back from."""

    APPLIED = "applied"
    NOT_APPLIED = "not_applied"
    FOREIGN = "foreign"  # somebody else was here: report, never clobber
    UNKNOWN = "unknown"  # it has no state we can read


def classify(change: Change, found: State) -> Verdict:
    if change.runs and not isinstance(found, type(change.after)):
        return Verdict.UNKNOWN
    if found.same(change.after):
        return Verdict.APPLIED
    if found.same(change.before):
        return Verdict.NOT_APPLIED
    return Verdict.UNKNOWN if change.runs else Verdict.FOREIGN


@dataclass(frozen=True, slots=True)
class Effect:
    """The state of an effect we cannot read directly: was it done? `None` when nobody can tell."""

    done: bool | None = None

    @property
    def exists(self) -> bool:
        return True

    def same(self, other: object, /) -> bool:
        return isinstance(other, Effect) and self.done is not None and self.done is other.done

    def plain(self) -> Any:
        return {"done": self.done}
