"""What SSH tells OpenTelemetry: a span for each piece of work, and how many there were, how many failed, how long they took.

Attributes are hosts, sizes and counts; never a secret, never the value of a variable, never a command's words.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from holdfast.core.errors import Failure, HoldfastError

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Tracer

WORK: Final = {
    "ssh.connect": "connections that were opened",
    "ssh.command": "commands that were run",
    "ssh.script": "scripts that were run",
    "ssh.transfer": "files and trees that were brought",
}
BYTES: Final = "ssh.transfer.bytes"

SCOPE: Final = "holdfast"

Tags = Mapping[str, Any]


def configured() -> tuple[Tracer | None, Meter | None]:
    """What goes to the SDK that this process configured; nothing is imported for one that nobody loaded."""
    tracer: Tracer | None = None
    meter: Meter | None = None
    if "opentelemetry.sdk.trace" in sys.modules:
        from opentelemetry.trace import get_tracer

        tracer = get_tracer(SCOPE)
    if "opentelemetry.sdk.metrics" in sys.modules:
        from opentelemetry.metrics import get_meter

        meter = get_meter(SCOPE)
    return tracer, meter


class Span:
    """What is added while it lasts; goes nowhere when nobody traces."""

    __slots__ = ("_raw", "failure", "tags")

    def __init__(self, raw: Any = None) -> None:
        self._raw = raw
        self.failure = ""
        self.tags: dict[str, Any] = {}

    def add(self, **tags: Any) -> None:
        self.tags |= {name: value for name, value in tags.items() if value is not None}
        if self._raw is not None:
            self._raw.set_attributes(self.tags)

    def failed(self, failure: Failure | HoldfastError | None) -> None:
        if failure is None:
            return
        self.failure = failure.code
        if self._raw is not None:
            from opentelemetry.trace import StatusCode

            self._raw.set_attribute("error.code", failure.code)
            self._raw.set_status(StatusCode.ERROR, failure.code)


class Tracing:
    """What is missing goes to the SDK that the process configured; without one it costs nothing."""

    def __init__(self, tracer: Tracer | None = None, meter: Meter | None = None) -> None:
        own = configured()
        self._tracer, meter = tracer or own[0], meter or own[1]
        self._figures = None if meter is None else _Figures(meter)

    @asynccontextmanager
    async def span(self, name: str, tags: Tags) -> AsyncIterator[Span]:
        if self._tracer is None:
            async with self._measured(name, Span()) as span:
                yield span
            return
        with self._tracer.start_as_current_span(
            name, attributes=tags, record_exception=False, set_status_on_exception=False
        ) as raw:
            async with self._measured(name, Span(raw)) as span:
                yield span

    @asynccontextmanager
    async def _measured(self, name: str, span: Span) -> AsyncIterator[Span]:
        began = perf_counter()
        try:
            yield span
        except HoldfastError as error:
            span.failed(error)
            raise
        finally:
            if self._figures is not None:
                self._figures.count(name, span, perf_counter() - began)


class _Figures:
    def __init__(self, meter: Meter) -> None:
        self._total = {name: meter.create_counter(f"{name}.total", description=said) for name, said in WORK.items()}
        self._failed = {
            name: meter.create_counter(f"{name}.failed", description=f"{said} and failed") for name, said in WORK.items()
        }
        self._took = {
            name: meter.create_histogram(f"{name}.duration.seconds", unit="s", description=said) for name, said in WORK.items()
        }
        self._bytes = meter.create_counter(BYTES, unit="By", description="bytes that were brought")

    def count(self, name: str, span: Span, seconds: float) -> None:
        """Hosts are no labels: there may be thousands."""
        self._total[name].add(1)
        self._took[name].record(seconds)
        if span.failure:
            self._failed[name].add(1, {"error.code": span.failure})
        if name == "ssh.transfer":
            self._bytes.add(span.tags.get("bytes", 0))
