"""Why something is not answered: errors of Holdfast as HTTP statuses, by one table; and what only HTTP can do wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from holdfast.core.errors import Bug, HoldfastError, PlanError, Problem, Refused, StorageFailed

STATUSES: Final[Mapping[str, int]] = {
    "not_found": 404,
    "wrong_state": 409,
    "locked": 409,
    "stale_plan": 409,
    "conflict": 409,
    "no_previous": 409,
    "missing_confirmation": 409,
    "too_large": 413,
    "overloaded": 503,
}
JOURNAL: Final[Mapping[str, int]] = {"corrupt_journal": 503, "locked": 503}
INVALID: Final = 422
WORLD: Final = 424  # what the answer depends on did not play along: a host that cannot be reached, a secret that is not set


class Denied(Refused):
    """Refused at the door."""

    def __init__(
        self, status: int, code: str, message: str, *, hint: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.status = status
        self.headers = headers or {}


def invalid(problems: Sequence[Problem]) -> PlanError:
    """A document that is not what was asked for."""
    return PlanError(problems)


def status_of(error: HoldfastError) -> int:
    if isinstance(error, Denied):
        return error.status
    if isinstance(error, Bug | StorageFailed):
        return 500
    if isinstance(error, PlanError):
        return INVALID
    return STATUSES.get(error.code, INVALID) if isinstance(error, Refused) else JOURNAL.get(error.code, WORLD)


def document_of(error: HoldfastError) -> dict[str, Any]:
    return {"error": error.plain()}
