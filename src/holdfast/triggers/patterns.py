"""Patterns of events: a type, or its beginning with a `*`; `*` alone is every event. Pure."""

from __future__ import annotations

from collections.abc import Iterable


def fits(pattern: str, type_: str) -> bool:
    return type_.startswith(pattern[:-1]) if pattern.endswith("*") else type_ == pattern or type_.startswith(f"{pattern}.")


def any_fits(patterns: Iterable[str], type_: str) -> bool:
    return any(fits(pattern, type_) for pattern in patterns)
