"""What plans are made of: operations in steps, steps in stages, stages in tasks.

Whether they fit together is for `Plan` to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from holdfast.core.change import Change, Claim
from holdfast.core.shares import Share


class Operation(Protocol):
    """What a step does, as data. Every kind is one small class that keeps these promises:

    - `claims` names every resource it reads or writes, before anything is looked at;
    - `changes` is pure: the same view gives the same changes. It raises `Unfit` where the predicted world does not
      fit, and lets `Unseen` pass through when it needs a look at something its claims could not name.

    What else it may have, and few have: `exclusive`, one run at a time does it on a target; `lands`, the target whose
    resources it changes; `last_back`, it is taken back after all else of its task; `question`, the key under which its
    driver tells whether it was done; `heeds`, the keys whose writers in its stage come before it.
    """

    kind: ClassVar[str]
    family: ClassVar[str]  # which driver of the target does it: files, process, probe, ...
    batched: ClassVar[bool]  # many steps travel in one driver call; else each is an effect of its own

    def claims(self) -> Sequence[Claim]: ...

    def changes(self, view: Any, /) -> Sequence[Change]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    attempts: int = 1
    delay: float = 1.0
    backoff: float = 2.0
    max_delay: float = 60.0

    def pause_before(self, attempt: int) -> float:
        """Seconds to wait before this attempt (the first is 1 and waits for nothing)."""
        if attempt <= 1:
            return 0.0
        return min(self.delay * self.backoff ** (attempt - 2), self.max_delay)


ONCE = Retry()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    id: str
    kind: str
    operation: Operation
    target: str = "local"
    needs: tuple[str, ...] = ()
    timeout: float | None = None
    retry: Retry = ONCE
    irreversible: bool = False  # the author accepts that this cannot be undone
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    name: str
    stages: tuple[Stage, ...]
    target: str = "local"
    needs: tuple[str, ...] = ()
    locks: tuple[str, ...] = ()
    shares: tuple[Share, ...] = ()
    key: str | None = None  # the value of `each` this task was made for: its tenant
