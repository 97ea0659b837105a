"""What is installed only by those who want it: which extra brings which library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from holdfast.core.errors import Refused

EXTRA_OF: Final[Mapping[str, str]] = {
    "asyncssh": "ssh",
    "cronsim": "triggers",
    "httpx2": "http",
    "mcp": "mcp",
    "opentelemetry": "otel",
    "starlette": "serve",
    "uvicorn": "serve",
    "watchfiles": "triggers",
}


def absent(error: ImportError) -> Refused | None:
    """What to say when a library of an extra is not there; None when it is another that is missing, which is our bug."""
    library = (error.name or "").partition(".")[0]
    if library not in EXTRA_OF:
        return None
    hint = f"pip install 'holdfast[{EXTRA_OF[library]}]'"
    return Refused(f"the library `{library}`, which this needs, is not installed", code="unsupported", hint=hint)


@contextmanager
def brought() -> Iterator[None]:
    """Say which extra is missing, instead of which module."""
    try:
        yield
    except ImportError as error:
        if refusal := absent(error):
            raise refusal from error
        raise
