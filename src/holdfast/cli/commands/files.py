"""What FILE names: a plan file, a saved plan, or `-` for a plan in YAML on standard input."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from holdfast.core.errors import PlanError, Problem

if TYPE_CHECKING:
    from holdfast.app.plans.preview import SavedPlan
    from holdfast.core.plan import Plan

_WHY: Final[Mapping[type[Exception], tuple[str, str]]] = {
    FileNotFoundError: ("not_found", "check the path of the plan file"),
    PermissionError: ("permission_denied", ""),
    IsADirectoryError: ("invalid_value", "name a file in it"),
}


def read(file: str) -> tuple[Plan, SavedPlan | None]:
    from holdfast.app.plans.preview import read_saved
    from holdfast.planfile import load

    saved = read_saved(_bytes(file)) if file != "-" else None
    return (saved.plan, saved) if saved else (load(file), None)


def _bytes(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except (OSError, ValueError) as error:  # a NUL byte in a path is a ValueError
        reason = error.strerror if isinstance(error, OSError) else str(error)
        code, hint = _WHY.get(type(error), ("invalid_value", "check the path of the plan file"))
        problem = Problem(code=code, message=f"the plan file cannot be read: {reason}", hint=hint, where=file)
        raise PlanError([problem]) from None
