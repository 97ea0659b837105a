"""Metrics as Prometheus reads them: OpenTelemetry's, with its rules for names, in a registry of this server alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, generate_latest

from holdfast.core.events import Event
from holdfast.core.run import Run
from holdfast.runtime.metrics import Metrics
from holdfast.runtime.telemetry import SCOPE, metric_readers


class JournalClock:
    """The time of what is read, so that a run of another process takes as long as it took there."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def pause(self, seconds: float) -> None:
        self.at += seconds


class Exposition:
    """Counts what the journal tells, whichever process did it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._registry = CollectorRegistry()
        own = PrometheusMetricReader(disable_target_info=True, scope_info_enabled=False, registry=self._registry)
        self._provider = MeterProvider([own, *metric_readers(environment)])
        self._clock = JournalClock()
        self._metrics = Metrics(self._provider.get_meter(SCOPE), self._clock)
        self._metrics.begin()

    def watch(self, run: Run, events: Sequence[Event], at: float) -> None:
        self._clock.at = at
        self._metrics(run, events)

    def text(self) -> bytes:
        return generate_latest(self._registry)

    def close(self) -> None:
        self._provider.shutdown()
