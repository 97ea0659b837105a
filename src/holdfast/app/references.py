"""References to secrets, wherever they stand in a document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from holdfast.core.plan import Plan


def references_of(plan: Plan) -> Iterator[str]:
    """`env:NAME` and `file:PATH`, as often as they are written. Most plans have none, and cost nothing here."""
    if b'"secret"' in plan.document:
        yield from _walk(json.loads(plan.document))


def _walk(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        reference = value.get("secret")
        if len(value) == 1 and isinstance(reference, str):
            yield reference
        for below in value.values():
            yield from _walk(below)
    elif isinstance(value, list):
        for below in value:
            yield from _walk(below)
