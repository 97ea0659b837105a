"""The usual parts of an engine, from where its state is kept: to work with, or only to look."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypedDict

from holdfast.app.home import Home
from holdfast.app.looking.reading import home_of
from holdfast.app.parts import Parts
from holdfast.app.wiring import Makers, Wiring
from holdfast.journal.contract import Journal
from holdfast.runtime.clock import Clock
from holdfast.runtime.ids import Ulids

if TYPE_CHECKING:
    from logging import Logger

    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Tracer

SCOPE: Final = "holdfast"  # the logger, when none is given


class Injected(TypedDict, total=False):
    """What can be handed in by name, instead of the usual."""

    store: Journal | None
    drivers: Makers | None  # by family
    clock: Clock | None
    ids: Ulids | None
    logger: Logger | None
    tracer: Tracer | None
    metrics: Meter | None
    environment: Mapping[str, str] | None  # what variables of plans are confined to
    roots: Sequence[str]  # what local paths are confined to


def open_parts(
    state: str | os.PathLike[str] | None = None,
    *,
    store: Journal | None = None,
    drivers: Makers | None = None,
    clock: Clock | None = None,
    ids: Ulids | None = None,
    logger: Logger | None = None,
    tracer: Tracer | None = None,
    metrics: Meter | None = None,
    environment: Mapping[str, str] | None = None,
    roots: Sequence[str] = (),
) -> Parts:
    """The usual parts: a state directory with its SQLite journal, and the drivers of this machine.

    Whoever gives no tracer, no meter and no logger is heard where this process configured an SDK of OpenTelemetry or a
    handler of logging, or where the variables of OpenTelemetry ask for an exporter.
    """
    from holdfast.journal.sqlite import SqliteJournal

    environment = os.environ if environment is None else environment
    home = home_of(state, environment)
    home.make()
    parts = Parts(home, store or SqliteJournal.open(home.journal), Wiring(home, roots=roots, drivers=drivers))
    parts.clock, parts.ids = clock or parts.clock, ids or parts.ids
    _observe(parts, environment, tracer, metrics)
    _log(parts, logger)
    return parts


def looking_parts(
    state: str | os.PathLike[str] | None = None,
    *,
    remembering: bool = False,
    environment: Mapping[str, str] | None = None,
    roots: Sequence[str] = (),
) -> Parts:
    """Parts that write nothing: enough to plan and to rehearse; and, `remembering`, to compare with what was recorded."""
    home = home_of(state, environment)
    return Parts(home, _remembered(home) if remembering else _blank(), Wiring(home, roots=roots))


def _observe(parts: Parts, environment: Mapping[str, str], tracer: Tracer | None, meter: Meter | None) -> None:
    asked = any(name.startswith("OTEL_") for name in environment) or "opentelemetry.sdk" in sys.modules
    if not asked and tracer is None and meter is None:
        return
    from holdfast.runtime.telemetry import from_environment, watchers
    from holdfast.ssh.tracing import configured

    found, own = from_environment(environment), configured()
    tracer, meter = tracer or found[0] or own[0], meter or found[1] or own[1]
    parts.watchers += watchers(parts.clock, tracer=tracer, meter=meter)
    parts.wiring.hosts.connections.watched = {"tracer": tracer, "meter": meter}


def _log(parts: Parts, given: Logger | None) -> None:
    logger = given or logging.getLogger(SCOPE)
    if given is None and not logger.hasHandlers():
        return
    from holdfast.runtime.logs import LogLines

    parts.lines = LogLines(logger)
    parts.watchers.append(parts.lines)


def _remembered(home: Home) -> Journal:
    from holdfast.journal.sqlite import SqliteJournal

    return SqliteJournal.open(home.journal, read_only=True)


def _blank() -> Journal:
    from holdfast.journal.memory import MemoryJournal

    return MemoryJournal()
