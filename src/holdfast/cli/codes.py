"""What a shell is told about how it went: one table for the endings of runs and the words of errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from holdfast.core.errors import HoldfastError, PlanError, Refused

FINE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
PERSON: Final = 3
REFUSED: Final = 4
INTERRUPTED: Final = 130

MEANINGS: Final[Mapping[int, str]] = {
    FINE: "committed, unchanged, or the question answered yes",
    FAILED: "failed and everything rolled back, or an error before anything was touched",
    USAGE: "bad arguments, or an invalid plan file; of `drift` and `plan --detailed-exitcode`: there are changes",
    PERSON: "stuck, partial, or in doubt: needs a person",
    REFUSED: "refused: a precondition, a lock, a stale plan, a missing confirmation, an unknown name, a wrong state",
    INTERRUPTED: "interrupted and rolled back",
}

CHANGES_PENDING: Final = 2  # `plan --detailed-exitcode`
DRIFTED: Final = 2

ENDINGS: Final[Mapping[str | None, int]] = {
    None: FINE,  # a run that has not ended: what was asked of it was accepted
    "committed": FINE,
    "unchanged": FINE,
    "rolled_back": FAILED,
    "refused": REFUSED,
    "partial": PERSON,
    "stuck": PERSON,
}

# Errors whose word says more than their branch of the tree.
ERRORS: Final[Mapping[str, int]] = {
    "invalid_value": USAGE,
    "storage_failed": PERSON,
    "corrupt_journal": PERSON,
    "in_doubt": PERSON,
    "missing_confirmation": REFUSED,
    "not_found": REFUSED,
    "wrong_state": REFUSED,
}


def of_ending(ending: str | None, *, interrupted: bool = False) -> int:
    """`interrupted`: by a signal to this process, not by somebody's `cancel`."""
    if interrupted and ending in ("rolled_back", "refused"):
        return INTERRUPTED
    return ENDINGS[ending]


def of_error(error: HoldfastError) -> int:
    if isinstance(error, PlanError):
        return USAGE
    return ERRORS.get(error.code, REFUSED if isinstance(error, Refused) else FAILED)
