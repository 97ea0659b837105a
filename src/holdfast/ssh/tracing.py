"""Spans of SSH, where a tracer was given: `ssh.connect`, `ssh.command`, `ssh.script`, `ssh.transfer`.

Attributes are hosts, sizes and counts; never a secret, never the value of a variable, never a command's words.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from holdfast.core.errors import Failure, HoldfastError

Tags = Mapping[str, Any]


class Span:
    """What is added when it is over; goes nowhere when nobody traces."""

    __slots__ = ("_raw",)

    def __init__(self, raw: Any = None) -> None:
        self._raw = raw

    def add(self, **tags: Any) -> None:
        if self._raw is not None:
            self._raw.set_attributes({name: value for name, value in tags.items() if value is not None})

    def failed(self, failure: Failure | HoldfastError | None) -> None:
        if self._raw is None or failure is None:
            return
        from opentelemetry.trace import StatusCode

        self._raw.set_attribute("error.code", failure.code)
        self._raw.set_status(StatusCode.ERROR, failure.code)


_NOWHERE = Span()


@asynccontextmanager
async def traced(tracer: Any, name: str, tags: Tags) -> AsyncIterator[Span]:
    if tracer is None:
        yield _NOWHERE
        return
    with tracer.start_as_current_span(name, attributes=tags, record_exception=False, set_status_on_exception=False) as raw:
        span = Span(raw)
        try:
            yield span
        except HoldfastError as error:
            span.failed(error)
            raise
