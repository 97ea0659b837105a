"""Where steps can work: the targets that are always there, and the types that a plan may declare more of.

A type is a row of TARGETS: the key that names it, and a struct with what else may be said. Its secrets are fields of
type `Secret`, so that nothing else is accepted there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from holdfast.core.errors import Problem
from holdfast.planfile.arguments import fill, shape_of
from holdfast.planfile.source import Spot, meant

BUILT_IN: Final = ("local", "memory")
NEARBY: Final = frozenset(BUILT_IN)  # targets whose paths may be relative to the plan file
TARGETS: Final[dict[str, type[msgspec.Struct]]] = {}


def read_targets(raw: Mapping[str, Any], spot: Spot, found: list[Problem]) -> dict[str, Any]:
    """The declarations as they were written, once they are known to be sound."""
    for name, declaration in raw.items():
        _check(name, declaration, spot.into(name), found)
    return dict(raw)


def _check(name: str, declaration: Any, spot: Spot, found: list[Problem]) -> None:
    if name in BUILT_IN:
        found.append(spot.problem("invalid_value", f"the target `{name}` is always there and cannot be declared", key=True))
        return
    types = [key for key in declaration if key in TARGETS]
    if len(types) == 1:
        fill(shape_of(TARGETS[types[0]]), declaration, spot, found)
    elif types:
        found.append(spot.problem("invalid_value", f"`{name}` cannot be {' and '.join(f'`{t}`' for t in types)} at once"))
    else:
        known = ", ".join(f"`{key}`" for key in TARGETS)
        hint = next(filter(None, (meant(key, TARGETS) for key in declaration)), "")
        there = f"declare one of {known}" if known else "there is only " + " and ".join(f"`{target}`" for target in BUILT_IN)
        message = f"the target `{name}` is of a type that this installation does not have"
        found.append(spot.problem("unsupported", message, hint or there))
