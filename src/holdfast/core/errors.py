"""Every error Holdfast knows, drawn as one tree.

    HoldfastError
    |- PlanError        your plan: one or more problems, each with its place and a hint
    |- WorldError       the world: it may pass (temporary), stay (permanent) or be unclear (doubtful)
    |  |- StorageFailed     the journal or a disk could not keep its promise; the run must stop
    |  `- Refused           a command in the wrong state, an unknown name, a held lock
    `- Bug              our mistake: please report it

Outcomes of steps are not raised, they are returned: see `Failure`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple


class Code(NamedTuple):
    """What a stable error word means to a machine (may it pass?) and to a person (what to do?)."""

    retryable: bool
    hint: str


# The words are part of the public contract; the hint is what is shown when nothing better is known.
CODES: Final[Mapping[str, Code]] = {
    "source_not_found": Code(False, "create the source first, or correct the path"),
    "parent_not_found": Code(False, "add a `dir` step for the parent, or set `parents: true` on it"),
    "permission_denied": Code(False, "run as a user who may do this, or change the permissions first"),
    "conflict": Code(False, "something else is at the path; remove it or set `on_conflict`"),
    "not_empty": Code(False, "move away what is in it, then try again"),
    "cycle": Code(False, "remove one of the `needs` on the way round"),
    "unknown_key": Code(False, "remove the key or correct its spelling"),
    "unknown_kind": Code(False, "`holdfast schema` lists the kinds"),
    "unknown_step": Code(False, "`needs` and `ref` name steps by their `id`"),
    "unknown_action": Code(False, "declare it under `actions`"),
    "unknown_target": Code(False, "declare it under `targets`"),
    "duplicate_id": Code(False, "give each step an `id` of its own"),
    "duplicate_key": Code(False, "keep one of the two"),
    "empty_plan": Code(False, "a plan needs at least one step"),
    "invalid_value": Code(False, "see `holdfast schema` for what is allowed"),
    "missing_key": Code(False, "add the key"),
    "syntax": Code(False, "the file cannot be read as the format its suffix names"),
    "too_large": Code(False, "split the plan, or keep large contents in files named by `source`"),
    "unsupported": Code(False, "`holdfast doctor` shows what this installation can do"),
    "outside_root": Code(False, "only paths beneath the declared roots may be touched"),
    "locked": Code(True, "wait for the other run to end; `holdfast locks` shows who holds what"),
    "stale_plan": Code(False, "the world or the plan changed since it was saved: plan again"),
    "foreign_change": Code(False, "somebody else changed it meanwhile; look at it and decide which version stays"),
    "timeout": Code(True, "raise `timeout`, or find out why it takes so long"),
    "unreachable": Code(True, "check the address and the network"),
    "auth_failed": Code(False, "check the user and the key"),
    "host_key_mismatch": Code(False, "verify the host before you accept its new key"),
    "command_failed": Code(False, "see the output of the command"),
    "checksum_mismatch": Code(True, "the content changed while it was read; try again"),
    "circuit_open": Code(True, "the target failed too often; it is tried again after a pause"),
    "api_rejected": Code(False, "see the answer of the service"),
    "unhealthy": Code(False, "see the last answer of the health check"),
    "in_doubt": Code(False, "look at the resource, then `holdfast recover`"),
    "cancelled": Code(False, "start the run again when it is wanted"),
    "storage_failed": Code(False, "check the disk before anything else; then `holdfast recover`"),
    "no_space": Code(False, "free some space and try again"),
    "read_only": Code(False, "the file system is mounted read-only"),
    "io_error": Code(True, "the operating system reported an error; check the device"),
    "wrong_state": Code(False, "`holdfast show RUN` tells its state"),
    "not_found": Code(False, "check the name"),
    "no_previous": Code(False, "there is no recorded state to go back to"),
    "unconfirmed": Code(False, "confirm in time with `holdfast confirm RUN`"),
    "two_writers": Code(False, "order them with `needs`"),
    "undefined_variable": Code(False, "define it under `vars`"),
    "literal_secret": Code(False, "write `{secret: env:NAME}` or `{secret: file:PATH}`"),
    "missing_confirmation": Code(False, "answer the question on a terminal, or pass `--yes`"),
    "limit_exceeded": Code(False, "have a person do it, or the limit raised"),
    "before_image_lost": Code(False, "the kept before-image is gone; restore it from a backup"),
    "wrong_host": Code(False, "ask for a name that the server knows"),
    "wrong_origin": Code(False, "ask from a page of this server, or with a token"),
    "overloaded": Code(True, "ask again in a while"),
    "corrupt_journal": Code(False, "`holdfast journal verify` shows the damage"),
    "bug": Code(False, "please report this, with the output of `--debug`"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why one attempt of one step did not do what it should; data, never raised."""

    code: str
    message: str
    hint: str = ""
    doubtful: bool = False  # it may have happened all the same

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise Bug(f"unknown error code {self.code!r}")
        if not self.hint:
            object.__setattr__(self, "hint", CODES[self.code].hint)

    @property
    def retryable(self) -> bool:
        return CODES[self.code].retryable

    def plain(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, "hint": self.hint, "retryable": self.retryable}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One reason why a plan file is not a plan, or a plan cannot be carried out: where, what, hint."""

    code: str
    message: str
    hint: str = ""
    step: str | None = None
    where: str | None = None  # FILE:LINE:COL

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise Bug(f"unknown error code {self.code!r}")
        if not self.hint:
            object.__setattr__(self, "hint", CODES[self.code].hint)

    def at(self, where: str) -> Problem:
        return replace(self, where=where)

    def plain(self) -> dict[str, Any]:
        return {"step": self.step, "code": self.code, "message": self.message, "hint": self.hint, "where": self.where}

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else f"step `{self.step}`: " if self.step else ""
        return f"{place}{self.message}" + (f" ({self.hint})" if self.hint else "")


class HoldfastError(Exception):
    """The root: whatever Holdfast raises on purpose can be caught by this name."""

    def __init__(self, message: str, *, code: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint or (CODES[code].hint if code in CODES else "")

    def plain(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, "hint": self.hint}


class PlanError(HoldfastError):
    """The plan file is not a plan; all its problems at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"{first}{more}", code=first.code, hint=first.hint)
        self.problems: tuple[Problem, ...] = tuple(problems)

    def plain(self) -> dict[str, Any]:
        return {**super().plain(), "problems": [p.plain() for p in self.problems]}


class WorldError(HoldfastError):
    """The world did not play along."""

    @property
    def retryable(self) -> bool:
        return CODES[self.code].retryable

    def as_failure(self) -> Failure:
        return Failure(code=self.code, message=self.message, hint=self.hint)


class StorageFailed(WorldError):
    """A write could not be made durable. Nothing after this may be believed, so the run stops here."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, code="storage_failed", hint=hint)


class Refused(WorldError):
    """Nothing was touched: wrong state, unknown name, held lock, stale plan, missing confirmation."""


class Bug(HoldfastError):
    """Our mistake."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="bug")
