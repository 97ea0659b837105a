"""Our end of a transfer: a file that is read and hashed on the way, a file that is written, an archive that flows in."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import RawIOBase
from threading import Condition
from typing import Any, Final

from holdfast.core.errors import WorldError

CHUNK: Final = 256 * 1024  # larger blocks cost fresh pages of memory for each
INFLOW_BYTES_MAX: Final = 16 * 1024 * 1024
_CODES: Final = {
    FileNotFoundError: "source_not_found",
    PermissionError: "permission_denied",
    NotADirectoryError: "parent_not_found",
    FileExistsError: "conflict",
    IsADirectoryError: "conflict",
}
_NO_SPACE: Final = (28, 122)  # ENOSPC, EDQUOT


@contextmanager
def said_plainly() -> Iterator[None]:
    """What this machine's files refuse, in our words."""
    try:
        yield
    except OSError as error:
        code = "no_space" if error.errno in _NO_SPACE else _CODES.get(type(error), "io_error")
        raise WorldError(f"here: {os.fsdecode(error.filename or '')}: {error.strerror}", code=code) from error


class Source:
    """A file that is sent: read in order, hashed on the way."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0)  # noqa: SIM115
        self.stat = os.fstat(self._file.fileno())
        self.size = self.stat.st_size
        self._digest = hashlib.sha256()
        if not stat.S_ISREG(self.stat.st_mode):
            self.close()
            raise WorldError(f"here: {path} is neither a file nor a directory", code="unsupported")

    def chunk(self) -> bytes:
        with said_plainly():
            data = self._file.read(CHUNK)
        self._digest.update(data)
        return data

    def skip(self, count: int) -> None:
        """What the host has already still counts for the digest."""
        while count > 0:
            data = self._file.read(min(CHUNK, count))
            if not data:
                return
            self._digest.update(data)
            count -= len(data)

    @property
    def checksum(self) -> str:
        return self._digest.hexdigest()

    @property
    def key(self) -> str:
        """The same as long as it is the same file with the same content, as far as its attributes tell."""
        parts = (os.path.abspath(self.path), self.size, self.stat.st_mtime_ns, self.stat.st_ino)
        return hashlib.sha256(repr(parts).encode("utf-8", "surrogateescape")).hexdigest()[:24]

    def close(self) -> None:
        self._file.close()


class Sink:
    """A file that is received, beside the place it is for."""

    def __init__(self, directory: str) -> None:
        descriptor, self.path = tempfile.mkstemp(prefix=".holdfast-", dir=directory)
        self._file = open(descriptor, "wb", buffering=CHUNK)  # noqa: SIM115
        self._digest = hashlib.sha256()
        self.size = 0
        self.error: OSError | None = None

    def feed(self, data: bytes) -> None:
        """Never raises: it is called from within the connection."""
        if self.error is None:
            try:
                self._file.write(data)
            except OSError as error:
                self.error = error
        self._digest.update(data)
        self.size += len(data)

    def finish(self, mode: int, owner: str, group: str, time: float | None) -> str:
        with said_plainly():
            if self.error is not None:
                raise self.error
            self._file.flush()
            os.fchmod(self._file.fileno(), mode)
            if owner or group:
                shutil.chown(self.path, owner or None, group or None)  # type: ignore[arg-type]
                os.fchmod(self._file.fileno(), mode)  # chown clears bits of it
            if time is not None:
                os.utime(self._file.fileno(), (time, time))
            os.fsync(self._file.fileno())
            self._file.close()
        return self._digest.hexdigest()

    def discard(self) -> None:
        self._file.close()
        with suppress(FileNotFoundError):
            os.unlink(self.path)


class Inflow(RawIOBase):
    """What the loop hears, for a thread that reads. When too much waits, the channel pauses."""

    def __init__(self) -> None:
        self.received = 0
        self.pause: Callable[[bool], None] = lambda paused: None
        self._pieces: deque[bytes] = deque()
        self._waiting = 0
        self._over = False
        self._news = Condition()

    def readable(self) -> bool:
        return True

    def feed(self, data: bytes) -> None:
        with self._news:
            self._pieces.append(data)
            self._waiting += len(data)
            self.received += len(data)
            self._news.notify()
            if self._waiting > INFLOW_BYTES_MAX:
                self.pause(True)

    def end(self) -> None:
        with self._news:
            self._over = True
            self._news.notify()

    def readinto(self, buffer: Any) -> int:
        with self._news:
            while not self._pieces and not self._over:
                self._news.wait()
            if not self._pieces:
                return 0
            data = self._pieces.popleft()
            taken = min(len(data), len(buffer))
            buffer[:taken] = data[:taken]
            if taken < len(data):
                self._pieces.appendleft(data[taken:])
            self._waiting -= taken
            if self._waiting < INFLOW_BYTES_MAX // 2:
                self.pause(False)
            return taken
