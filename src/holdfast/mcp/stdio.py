"""The protocol on standard input and output, until the input ends or a signal comes; then what runs comes to rest.

Nothing but the protocol is ever written to standard output. Input is read by a thread of its own, so that a signal is
heard while a read is pending, and in lines of bounded length.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import AsyncIterator
from threading import Thread
from typing import Any, Final

import anyio
import anyio.from_thread
import anyio.lowlevel
from mcp.server.stdio import stdio_server

from holdfast.mcp.agent import Agent
from holdfast.mcp.server import server_for

LINE_BYTES_MAX: Final = 32 * 1024 * 1024  # a plan as large as plan files may be, twice quoted
CHUNK_BYTES: Final = 64 * 1024
STOPPING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Lines:
    """Standard input as lines of text."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._send, self._receive = anyio.create_memory_object_stream[str](16)

    def start(self) -> None:
        self._token = anyio.lowlevel.current_token()
        Thread(target=self._read, name="stdin", daemon=True).start()

    def _read(self) -> None:
        pending = bytearray()
        try:
            while chunk := os.read(self._fd, CHUNK_BYTES):
                *whole, rest = (bytes(pending) + chunk).split(b"\n") if b"\n" in chunk else [bytes(pending) + chunk]
                for line in whole:
                    self._hand_on(line)
                pending = bytearray(rest)
                if len(pending) > LINE_BYTES_MAX:
                    break
        finally:
            self._close()

    def _hand_on(self, line: bytes) -> None:
        anyio.from_thread.run(self._send.send, line.decode("utf-8", "replace"), token=self._token)

    def _close(self) -> None:
        anyio.from_thread.run_sync(self._send.close, token=self._token)

    def __aiter__(self) -> AsyncIterator[str]:
        return aiter(self._receive)


def serve(agent: Agent, *, park_s: float) -> list[str]:
    """Until everything is said; returns the runs that rest and are not over."""
    anyio.run(_serve, agent)
    return agent.workshop.park(park_s)


async def _serve(agent: Agent) -> None:
    server = server_for(lambda _: agent)
    lines: Any = Lines(_taken_from_others(0))
    async with anyio.create_task_group() as group:
        group.start_soon(_stop_on_signal, group.cancel_scope)
        lines.start()
        async with stdio_server(stdin=lines) as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())
        group.cancel_scope.cancel()


async def _stop_on_signal(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(*STOPPING) as heard:
        async for _ in heard:
            scope.cancel()
            return


def _taken_from_others(fd: int) -> int:
    """Programs that are started here do not read what is meant for us."""
    own = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, fd)
    os.close(nothing)
    sys.stdin = open(os.devnull)  # noqa: SIM115  # for as long as the process lives
    return own
