"""Numbers, times and durations as people say them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

_STEPS: Final = ((60.0, "s", 1.0), (3600.0, "min", 60.0), (86400.0, "h", 3600.0), (86400.0 * 14, "d", 86400.0))


def took(seconds: float | None) -> str:
    """A duration, as precise as anybody needs it."""
    if seconds is None:
        return ""
    if seconds < 0.0005:
        return "0 ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def ago(then: float | None, now: float) -> str:
    if then is None:
        return ""
    passed = now - then
    if passed < 2:
        return "now"
    for limit, unit, size in _STEPS:
        if passed < limit:
            return f"{passed / size:.0f} {unit} ago"
    return time.strftime("%Y-%m-%d", time.localtime(then))


def local(then: float | None) -> str:
    return "" if then is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(then))


def counted(number: int, thing: str, things: str = "") -> str:
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def listed(words: Sequence[str], most: int = 10) -> str:
    """A few of them, and how many more there are."""
    shown = ", ".join(words[:most])
    return f"{shown} and {len(words) - most:,} more" if len(words) > most else shown


def standing(run: Mapping[str, Any]) -> str:
    """A run as one word: how it ended, or what it is doing."""
    word: str = run["ending"] or run["state"]
    return "waiting" if word == "running" and run.get("questions") else word


def said(state: str) -> str:
    """A word of a document as people say it."""
    return state.replace("_", " ")
