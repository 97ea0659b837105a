"""What a source said, as a value that conditions can be asked about. Pure.

A text may be a number, a duration, JSON or just a text; JSON may name `count`, `idle_seconds`, `state` and `since`.
An error is a value as well: a source that fails is something to watch for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from holdfast.kinds.contract import parse_duration

SHOWN_LENGTH_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    text: str = ""
    number: float | None = None
    idle: float | None = None  # seconds since something happened
    states: Sequence[tuple[str, float | None]] = ()  # each with the time since when, where that is known
    failures: int | None = None  # in a row, where the source knows it itself
    error: str | None = None

    @property
    def shown(self) -> str:
        said = self.error if self.error is not None else " ".join(self.text.split())
        return said if len(said) <= SHOWN_LENGTH_MAX else said[: SHOWN_LENGTH_MAX - 3] + "..."


def value_of(text: str) -> Value:
    """What a program printed, a file holds, a service answered."""
    text = text.strip()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return _plain(text)
    if isinstance(found, Mapping):
        return _document(text, found)
    if isinstance(found, list):
        return Value(text=text, number=float(len(found)))
    if isinstance(found, (int, float)):
        return Value(text=text, number=float(found))
    return _plain(found) if isinstance(found, str) else Value(text=text)


def _plain(text: str) -> Value:
    try:
        seconds = float(parse_duration(text))
    except ValueError:
        return Value(text=text, states=((text, None),) if text else ())
    return Value(text=text, number=seconds, idle=seconds)


def _document(text: str, found: Mapping[str, Any]) -> Value:
    state = found.get("state")
    number = _number(found.get("count"))
    return Value(
        text=text,
        number=_number(found.get("value")) if number is None else number,
        idle=_number(found.get("idle_seconds")),
        states=() if state is None else ((str(state), moment(found.get("since"))),),
        error=None if found.get("error") in (None, False, "") else str(found["error"]),
    )


def _number(given: Any) -> float | None:
    return float(given) if isinstance(given, (int, float)) else None


def moment(given: Any) -> float | None:
    """Seconds since the epoch, as a number or as ISO 8601 with its zone; None for anything else."""
    if isinstance(given, bool) or given is None:
        return None
    if isinstance(given, (int, float)):
        return float(given)
    try:
        found = datetime.fromisoformat(str(given))
    except ValueError:
        return None
    return found.timestamp() if found.tzinfo is not None else None
