"""The shape of a plan file: which keys stand where. Checked, and shown by `holdfast schema`, from these structs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from holdfast.core.plan import Policy, Retry
from holdfast.core.shares import SEMAPHORE, Share
from holdfast.kinds.contract import Duration, Flaw

VERSION: Final = 1
MAIN: Final = "main"  # what the short forms call their one task and their one stage
LOCAL: Final = "local"

NAME_PATTERN: Final = r"^\w[\w.:@+-]*(?!\n)$"  # `$` alone would let a line end pass

PlanName = Annotated[
    str, Meta(pattern=r"^[a-z0-9][a-z0-9-]*(?!\n)$", max_length=200, description="small letters, digits and hyphens")
]
Name = Annotated[str, Meta(pattern=NAME_PATTERN, max_length=200, description="letters, digits and `_.:@+-`")]
StepId = Annotated[str, Meta(pattern=r"^\w[\w.:@+/-]*(?!\n)$", max_length=500, description="letters, digits and `_.:@+/-`")]
_SHARE: Final = re.compile(r"(100|[1-9][0-9]?)%")

Names = str | list[str]  # one, or several
Count = Annotated[int, Meta(ge=1)]


class Layout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class RetryLayout(Layout, frozen=True, kw_only=True):
    attempts: Count = 1
    delay: Duration = Duration(1)
    backoff: Annotated[float, Meta(ge=1)] = 2.0
    max_delay: Duration = Duration(60)

    @property
    def value(self) -> Retry:
        return Retry(attempts=self.attempts, delay=float(self.delay), backoff=self.backoff, max_delay=float(self.max_delay))


class PolicyLayout(Layout, frozen=True, kw_only=True):
    on_failure: Literal["rollback", "stop", "continue"] = "rollback"
    scope: Literal["plan", "task"] = "plan"
    parallel: Count = 8
    tasks_at_once: Count = 10
    timeout: Duration | None = None
    confirm_within: Duration | None = None
    batches: list[int | str] = msgspec.field(default_factory=list)
    gate: Literal["auto", "approve"] = "auto"
    prune: bool = False

    def flaws(self) -> Iterator[Flaw]:
        if self.batches and self.scope != "task":
            yield Flaw("batches", "batches of tasks need a scope of their own", hint="add `scope: task`")
        for batch in self.batches:
            if not (_SHARE.fullmatch(batch) if isinstance(batch, str) else batch >= 1):
                yield Flaw("batches", f"`{batch}` is not a number of tasks, nor a share of them", hint="write it like 5 or 25%")

    @property
    def value(self) -> Policy:
        return Policy(
            on_failure=self.on_failure,
            scope=self.scope,
            parallel=self.parallel,
            tasks_at_once=self.tasks_at_once,
            timeout=None if self.timeout is None else float(self.timeout),
            confirm_within=None if self.confirm_within is None else float(self.confirm_within),
            batches=tuple(self.batches),
            gate=self.gate,
            prune=self.prune,
        )


class StepLayout(Layout, frozen=True, kw_only=True):
    """The keys that every step may have, beside its kind and the arguments of that."""

    id: StepId | None = None
    needs: Names = msgspec.field(default_factory=list)
    on: str | None = None
    timeout: Duration | None = None
    retry: RetryLayout | None = None
    irreversible: bool = False
    note: str = ""


class StageLayout(Layout, frozen=True, kw_only=True):
    name: Name
    steps: list[Any] | None = None


class EachFile(Layout, frozen=True, kw_only=True):
    file: str


class ShareLayout(Layout, frozen=True, kw_only=True):
    semaphore: Name
    capacity: Count
    weight: Count = 1

    @property
    def value(self) -> Share:
        return Share(self.semaphore, self.weight, self.capacity)


class TaskLayout(Layout, frozen=True, kw_only=True):
    name: Name
    on: Names | None = None
    needs: Names = msgspec.field(default_factory=list)
    locks: str | list[str | ShareLayout] = msgspec.field(default_factory=list)
    tenant: str | None = None  # the tenant it works for; of a repeated task the value of its `key`
    each: list[dict[str, Any]] | EachFile | None = None
    key: str | None = None
    stages: list[Any] | None = None
    steps: list[Any] | None = None

    def flaws(self) -> Iterator[Flaw]:
        yield from _one_of(stages=self.stages, steps=self.steps)
        names = [share.semaphore for share in self.shares]
        for share in self.shares:
            if share.weight > share.capacity:
                yield Flaw(
                    "locks", f"`{share.semaphore}` has a capacity of {share.capacity}, so {share.weight} of it can never be had"
                )
        for name in dict.fromkeys(name for name in names if names.count(name) > 1):
            yield Flaw("locks", f"the semaphore `{name}` is named twice", hint="add up the weights")
        for lock in self.keys:
            if lock.startswith(SEMAPHORE):
                hint = "write {semaphore: NAME, weight: W, capacity: C}"
                yield Flaw("locks", f"`{lock}` is no key of a lock", hint=hint)

    @property
    def keys(self) -> list[str]:
        """Those of the locks that nobody shares."""
        return [self.locks] if isinstance(self.locks, str) else [lock for lock in self.locks if isinstance(lock, str)]

    @property
    def shares(self) -> list[Share]:
        return [] if isinstance(self.locks, str) else [lock.value for lock in self.locks if isinstance(lock, ShareLayout)]


class PlanLayout(Layout, frozen=True, kw_only=True):
    holdfast: Literal[1]
    name: PlanName
    description: str = ""
    vars: dict[str, Any] | None = None
    targets: dict[str, dict[str, Any]] | None = None
    policy: PolicyLayout | None = None
    on: Names | None = None
    tasks: list[Any] | None = None
    stages: list[Any] | None = None
    steps: list[Any] | None = None

    def flaws(self) -> Iterator[Flaw]:
        yield from _one_of(tasks=self.tasks, stages=self.stages, steps=self.steps)


def _one_of(**given: Any) -> Iterator[Flaw]:
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        yield Flaw(names[1], f"`{names[0]}` and `{names[1]}` cannot stand side by side", hint="keep one of the two")


def listed(names: Names | None) -> list[str]:
    return [] if names is None else [names] if isinstance(names, str) else names
