"""Contents that are kept for longer than a run: one file per content, named by its sha256, private, synced, never changed.

Who adds holds a shared lock until something refers to what was added; who collects garbage waits for all of them.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Awaitable, Callable, Container, Iterator
from contextlib import contextmanager
from typing import Final

from holdfast.core.errors import StorageFailed, WorldError
from holdfast.drivers.contract import Fetched
from holdfast.drivers.files.calls import Calls

LOCK: Final = ".lock"
PART: Final = ".part"  # what was not finished; worth nothing after a crash
ONE_BY_ONE_MAX: Final = 8  # more files than this are made durable by one sync of their file system

Fill = Callable[[int], Awaitable[Fetched]]  # writes a content to an open file


class Objects:
    def __init__(self, path: str) -> None:
        self.path = path

    def path_of(self, digest: str) -> str:
        return os.path.join(self.path, digest)

    def __contains__(self, digest: str) -> bool:
        return os.path.exists(self.path_of(digest))

    def names(self) -> list[str]:
        return [name for name in os.listdir(self.path) if len(name) == 64] if os.path.isdir(self.path) else []

    @contextmanager
    def adding(self) -> Iterator[Adding]:
        """What is added is durable afterwards. Stay inside until something durable refers to it."""
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        with self._locked(fcntl.LOCK_SH):
            adding = Adding(self)
            try:
                yield adding
            finally:
                adding.abandon()

    def collect(self, needed: Callable[[], Container[str]]) -> tuple[int, int]:
        """Remove what nothing refers to; returns how many files, and their bytes. `needed` is asked while nobody adds."""
        if not os.path.isdir(self.path):
            return 0, 0
        with self._locked(fcntl.LOCK_EX):
            kept, files, size = needed(), 0, 0
            for entry in list(os.scandir(self.path)):
                if entry.name != LOCK and entry.name not in kept:
                    size += entry.stat(follow_symlinks=False).st_size
                    os.unlink(entry.path)
                    files += 1
            return files, size

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        fd = os.open(os.path.join(self.path, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, how)
            yield
        finally:
            os.close(fd)


class Adding:
    """A batch of new objects: all are written, then all are synced, then all get their names."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._parts: dict[str, str] = {}  # digest -> where it lies

    def __contains__(self, digest: str) -> bool:
        return digest in self._parts or digest in self._objects

    async def add(self, digest: str, fill: Fill) -> Fetched:
        """Have a content written that is expected to have this digest."""
        part = self._objects.path_of(f"{digest}.{os.getpid()}{PART}")
        fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._parts[digest] = part
        try:
            fetched = await fill(fd)
        finally:
            os.close(fd)
        if fetched.digest != digest:
            raise WorldError(
                "a file changed while it was read", code="checksum_mismatch", hint="try again when nobody writes to it"
            )
        return fetched

    def finish(self) -> None:
        """Make everything durable, and then visible; raises StorageFailed."""
        try:
            self._sync()
            for digest, part in self._parts.items():
                os.rename(part, self._objects.path_of(digest))
            self._parts.clear()
            _sync_file(self._objects.path)
        except OSError as error:
            raise StorageFailed(f"{self._objects.path}: {error.strerror}") from error

    def _sync(self) -> None:
        if len(self._parts) <= ONE_BY_ONE_MAX:
            for part in self._parts.values():
                _sync_file(part)
            return
        fd = os.open(self._objects.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            Calls().syncfs(fd)
        finally:
            os.close(fd)

    def abandon(self) -> None:
        """Whatever was not finished goes."""
        for part in self._parts.values():
            os.unlink(part)
        self._parts.clear()


def _sync_file(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
