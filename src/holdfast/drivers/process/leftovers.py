"""Processes that outlived who started them: found by a mark in their environment, so that nothing has to be written down.

A Holdfast that is killed leaves its child running. Before such a step is taken back or made again, what is left of it
has to end. Works where the kernel shows environments (/proc); what another user's process holds is not seen.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from time import perf_counter
from typing import Final

MARK: Final = "HOLDFAST_MOVE"
LOOK_S: Final = 0.02
_PROC: Final = "/proc"
_MARKED: Final = b"\0" + MARK.encode() + b"="


def marked() -> dict[str, list[int]]:
    """The processes that run for some move, by the move they were started for."""
    found: dict[str, list[int]] = {}
    for name in os.listdir(_PROC) if os.path.isdir(_PROC) else ():
        if name.isdigit():
            _, mark, rest = (b"\0" + _environ(name)).partition(_MARKED)
            if mark:
                found.setdefault(os.fsdecode(rest.partition(b"\0")[0]), []).append(int(name))
    return found


def _environ(pid: str) -> bytes:
    try:
        with open(f"{_PROC}/{pid}/environ", "rb", buffering=0) as file:
            return file.read()
    except OSError:  # it is gone, or it is not ours to see
        return b""


async def stop(move: str, grace: float) -> None:
    """End them all: politely first, then by force."""
    for what, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, grace)):
        deadline = perf_counter() + patience
        left = marked().get(move, [])
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, what)
        while left and perf_counter() < deadline:
            await asyncio.sleep(LOOK_S)
            left = marked().get(move, [])
        if not left:
            return
