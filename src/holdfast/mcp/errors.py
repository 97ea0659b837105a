"""What an agent is told when something does not go: the code, the message and the hint of an error, as data."""

from __future__ import annotations

import logging
from typing import Any

from holdfast.core.errors import Bug, HoldfastError, PlanError, Refused
from holdfast.mcp.untrusted import Sealing, clean

PROBLEMS_MAX = 100
WORDS_MAX = 2000


def told(error: Exception) -> dict[str, Any]:
    """What the world said is kept apart from what we say; a message about a plan quotes only its author."""
    if isinstance(error, OSError):
        found: HoldfastError = HoldfastError(error.strerror or "the operating system refused", code="io_error")
    elif isinstance(error, HoldfastError):
        found = error
    else:
        logging.getLogger("holdfast").error("request_failed", exc_info=error)
        found = Bug("the server met something that nobody foresaw; its log says more")
    document: dict[str, Any] = {"code": found.code, "message": clean(found.message)[:WORDS_MAX], "hint": clean(found.hint)}
    if isinstance(found, PlanError):
        document["problems"] = [_problem(problem.plain()) for problem in found.problems[:PROBLEMS_MAX]]
    elif not isinstance(found, (Refused, Bug)):
        document["message"] = f"it did not go: {found.code}; what was answered is in `said`"
        document["said"] = Sealing().text(found.message)
    return {"error": document}


def _problem(document: dict[str, Any]) -> dict[str, Any]:
    return {name: clean(value)[:WORDS_MAX] if isinstance(value, str) else value for name, value in document.items()}
