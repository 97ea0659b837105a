"""The way between a client and a server on loopback, which can be slow and can be cut.

with Link(server.port) as link:
    ...                # connect to link.port
    link.rate = 1e6    # bytes a second, each way, from now on
    link.cut()         # every connection breaks; new ones get through
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from typing import Final

PIECE_BYTES: Final = 16 * 1024
_AT_ONCE: Final = struct.pack("ii", 1, 0)  # linger for no time: what is under way is lost, as on a real line


class Link:
    def __init__(self, port: int, *, host: str = "127.0.0.1", rate: float | None = None) -> None:
        self.rate = rate  # None: as fast as it goes
        self.port = 0
        self._to = (host, port)
        self._door = socket.socket()
        self._ends: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Link:
        self._door.bind(("127.0.0.1", 0))
        self._door.listen(64)
        self.port = self._door.getsockname()[1]
        threading.Thread(target=self._welcome, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self.cut()

    def cut(self) -> None:
        with self._lock:
            ends, self._ends = self._ends, set()
        for end in ends:
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                end.shutdown(socket.SHUT_RDWR)  # wakes who reads from it
            end.close()

    def _welcome(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._door.accept()
                self._join(near)

    def _join(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(self._to)
        except OSError:
            return near.close()  # nobody there: so it is told
        with self._lock:
            self._ends |= {near, far}
        for one, other in ((near, far), (far, near)):
            threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        """Until either end is closed; then both are."""
        with suppress(OSError):
            while piece := one.recv(PIECE_BYTES):
                if self.rate:
                    time.sleep(len(piece) / self.rate)
                other.sendall(piece)
        with self._lock:
            self._ends -= {one, other}
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
