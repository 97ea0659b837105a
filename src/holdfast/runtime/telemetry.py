"""Who watches the runs of this process: nobody, unless somebody wants to see.

OpenTelemetry is imported only when a tracer or a meter was given, or when its own variables (OTEL_*) ask for an
exporter and its SDK is there. Nothing is ever exported otherwise, and never to standard output.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from holdfast.core.events import Event
from holdfast.core.run import Run
from holdfast.runtime.clock import Clock

if TYPE_CHECKING:
    import logging

    from opentelemetry.metrics import Meter
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.trace import Tracer

Watch = Callable[[Run, Sequence[Event]], None]
Environ = Mapping[str, str]

SCOPE: Final = "holdfast"
_KINDS: Final = {"otlp": ("otlp", "otlp_proto_http", "otlp_proto_grpc")}  # one name, several packages


def watchers(clock: Clock, *, tracer: Tracer | None = None, meter: Meter | None = None) -> list[Watch]:
    """The watchers that feed what was given; none for nothing."""
    found: list[Watch] = []
    if tracer is not None:
        from holdfast.runtime.spans import Spans

        found.append(Spans(tracer, clock))
    if meter is not None:
        from holdfast.runtime.metrics import Metrics

        found.append(Metrics(meter, clock))
    return found


def from_environment(environ: Environ) -> tuple[Tracer | None, Meter | None]:
    """What the variables of OpenTelemetry ask for, as far as its SDK and the exporters are installed."""
    traces, metrics = _asked(environ, "TRACES"), _asked(environ, "METRICS")
    if not (traces or metrics) or environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or not _installed():
        return None, None
    return _tracer(traces), _meter(metrics)


def log_handler(environ: Environ) -> logging.Handler | None:
    """What hands log records to the exporters that are asked for."""
    names = _asked(environ, "LOGS")
    if not names or environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or not _installed():
        return None
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, ConsoleLogRecordExporter

    provider = LoggerProvider()
    for exporter in _exporters("opentelemetry_logs_exporter", names, ConsoleLogRecordExporter):
        provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    return LoggingHandler(logger_provider=provider)


def metric_readers(environ: Environ) -> list[MetricReader]:
    """What reads metrics for the exporters that are asked for."""
    return _readers(_asked(environ, "METRICS")) if environ.get("OTEL_SDK_DISABLED", "").lower() != "true" else []


def _installed() -> bool:
    return find_spec("opentelemetry") is not None and find_spec("opentelemetry.sdk") is not None


def _asked(environ: Environ, signal: str) -> list[str]:
    """The names of the exporters that are wanted; an address alone means OTLP."""
    named = environ.get(f"OTEL_{signal}_EXPORTER", "")
    addressed = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or environ.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    names = [name.strip() for name in named.split(",") if name.strip()]
    return [name for name in names or (["otlp"] if addressed else []) if name != "none"]


def _tracer(names: Sequence[str]) -> Tracer | None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

    exporters = list(_exporters("opentelemetry_traces_exporter", names, ConsoleSpanExporter))
    provider = TracerProvider()
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider.get_tracer(SCOPE) if exporters else None


def _meter(names: Sequence[str]) -> Meter | None:
    from opentelemetry.sdk.metrics import MeterProvider

    readers = _readers(names)
    return MeterProvider(readers).get_meter(SCOPE) if readers else None


def _readers(names: Sequence[str]) -> list[MetricReader]:
    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, MetricReader, PeriodicExportingMetricReader

    exporters = _exporters("opentelemetry_metrics_exporter", names, ConsoleMetricExporter)
    return [found if isinstance(found, MetricReader) else PeriodicExportingMetricReader(found) for found in exporters]


def _exporters(group: str, names: Sequence[str], console: Callable[..., Any]) -> Iterator[Any]:
    import logging
    from importlib.metadata import entry_points

    for name in names:
        if name == "console":
            yield console(out=sys.stderr)  # its own choice would stand between the documents on standard output
            continue
        points = [point for kind in _KINDS.get(name, (name,)) for point in entry_points(group=group, name=kind)]
        if points:
            yield points[0].load()()
        else:
            logging.getLogger(SCOPE).warning("the exporter `%s` is asked for, but not installed", name)
