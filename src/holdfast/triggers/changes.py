"""Changes of files as they happen: told by the operating system, not found by looking again and again."""

from __future__ import annotations

import asyncio
import glob
import os
from collections.abc import AsyncIterator, Iterable
from typing import Final

from holdfast.core.errors import WorldError

EXTRA: Final = "install it with: pip install 'holdfast[triggers]'"
TOGETHER_MS: Final = 50  # changes that come within that time are told at once


def need() -> None:
    """Refuse early, where the extra is missing."""
    try:
        import watchfiles  # noqa: F401
    except ImportError:
        raise WorldError("watching files needs the extra `triggers`", code="unsupported", hint=EXTRA) from None


async def changes(directories: Iterable[str], stop: asyncio.Event) -> AsyncIterator[set[str]]:
    """Paths that changed directly in one of the directories; those that are not there are not watched."""
    from watchfiles import awatch

    there = [directory for directory in directories if os.path.isdir(directory)]
    async for found in awatch(
        *there, stop_event=stop, debounce=4 * TOGETHER_MS, step=TOGETHER_MS, recursive=False, watch_filter=None
    ):
        yield {path for _, path in found}


def directory_of(pattern: str) -> str:
    """The directory in which a path, or the first wildcard of a pattern, stands."""
    while glob.has_magic(pattern):
        pattern = os.path.dirname(pattern)
        if not glob.has_magic(pattern):
            return pattern
    return os.path.dirname(pattern)
