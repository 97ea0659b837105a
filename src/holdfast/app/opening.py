"""The usual parts of an engine, from where its state is kept: to work with, or only to look."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from holdfast.app.home import Home
from holdfast.app.looking.reading import home_of
from holdfast.app.parts import Parts
from holdfast.app.wiring import Wiring
from holdfast.journal.contract import Journal

if TYPE_CHECKING:
    from logging import Logger

    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Tracer


def open_parts(
    state: str | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    roots: Sequence[str] = (),
    tracer: Tracer | None = None,
    meter: Meter | None = None,
    logger: Logger | None = None,
) -> Parts:
    """The usual parts: a state directory with its SQLite journal, and the drivers of this machine.

    Whoever gives no tracer and no meter is watched only where the variables of OpenTelemetry ask for it.
    """
    from holdfast.journal.sqlite import SqliteJournal

    environment = os.environ if environment is None else environment
    home = home_of(state, environment)
    home.make()
    parts = Parts(home, SqliteJournal.open(home.journal), Wiring(home, roots=roots))
    if any(name.startswith("OTEL_") for name in environment) or (tracer, meter) != (None, None):
        from holdfast.runtime.telemetry import from_environment, watchers

        found = from_environment(environment)
        tracer, meter = tracer or found[0], meter or found[1]
        parts.watchers += watchers(parts.clock, tracer=tracer, meter=meter)
        parts.wiring.hosts.watched = {"tracer": tracer, "meter": meter}
    if logger is not None:
        from holdfast.runtime.logs import LogLines

        parts.watchers.append(LogLines(logger))
    return parts


def looking_parts(
    state: str | None = None,
    *,
    remembering: bool = False,
    environment: Mapping[str, str] | None = None,
    roots: Sequence[str] = (),
) -> Parts:
    """Parts that write nothing: enough to plan and to rehearse; and, `remembering`, to compare with what was recorded."""
    home = home_of(state, environment)
    return Parts(home, _remembered(home) if remembering else _blank(), Wiring(home, roots=roots))


def _remembered(home: Home) -> Journal:
    from holdfast.journal.sqlite import SqliteJournal

    return SqliteJournal.open(home.journal, read_only=True)


def _blank() -> Journal:
    from holdfast.journal.memory import MemoryJournal

    return MemoryJournal()
