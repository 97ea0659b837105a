"""The directory of a journal: who may enter it, the key of the chain, and the anchor beside the database.

The anchor holds how far the journal had come when the last durable write returned. It is written without a sync, after
the write: it may lie behind, never ahead, so a journal that is shorter than its anchor was cut.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

from holdfast.core.errors import WorldError
from holdfast.journal.chain import KEY_BYTES, MAC_BYTES, ORIGIN, SEAL_BYTES, Chain, corrupt

DATABASE: Final = "journal.db"
KEY: Final = "journal.key"
ANCHOR: Final = "journal.anchor"
DAMAGE: Final = "journal.damage"


class Mark(NamedTuple):
    """How far a journal has come: writes of any kind, last event, mac of the last record."""

    writes: int
    last: int
    mac: bytes


NOWHERE: Final = Mark(0, 0, ORIGIN)


def make_directory(path: str) -> None:
    try:
        os.makedirs(path, mode=0o700)
    except FileExistsError:
        return
    os.chmod(path, 0o700)  # whatever the umask says


def check(path: str, forbidden: int = 0o022) -> None:
    """Nobody else may have written here."""
    found = os.lstat(path)
    if found.st_uid != os.geteuid():
        raise _refused(path, f"belongs to user {found.st_uid}", f"run as that user, or choose another directory than {path}")
    if not stat.S_ISLNK(found.st_mode) and stat.S_IMODE(found.st_mode) & forbidden:
        raise _refused(path, f"has mode {stat.S_IMODE(found.st_mode):04o}", f"chmod go= {path}, if nobody else changed it")


def _refused(path: str, why: str, hint: str) -> WorldError:
    return WorldError(f"{path} {why}: it cannot be trusted as a journal", code="permission_denied", hint=hint)


@contextmanager
def alone(directory: str) -> Iterator[None]:
    """One process at a time makes a new journal."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
        os.fsync(fd)
    finally:
        os.close(fd)


def create(path: str, content: bytes) -> None:
    """A durable file of mode 0600, complete or not there; one that is there stays."""
    if os.path.lexists(path):
        return
    fd = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(fd, 0o600)
        os.write(fd, content)
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(path + ".new", path)


def read_key(path: str) -> bytes:
    if not os.path.exists(path):
        raise corrupt("its key is gone")
    check(path, 0o077)
    with open(path, "rb") as file:
        key = file.read()
    if len(key) != KEY_BYTES:
        raise corrupt(f"{path} is not a key")
    return key


# -- damage that was found once is remembered, so that not every opening need read everything


def remember_damage(directory: str, what: str) -> None:
    """What was found first stays. Where nothing can be written, nothing can be appended either."""
    with suppress(OSError):
        create(os.path.join(directory, DAMAGE), what.encode("utf-8", "replace"))


def remembered_damage(directory: str) -> str | None:
    try:
        with open(os.path.join(directory, DAMAGE), encoding="utf-8", errors="replace") as file:
            return file.read() or "it was found to be damaged"
    except FileNotFoundError:
        return None


def forget_damage(directory: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(os.path.join(directory, DAMAGE))


class Anchor:
    """One small file, rewritten in place."""

    def __init__(self, path: str, chain: Chain) -> None:
        self.path = path
        self._chain = chain
        self._fd = -1

    def read(self) -> Mark:
        try:
            with open(self.path, "rb") as file:
                body = file.read()
        except FileNotFoundError:
            raise corrupt("its anchor is gone") from None
        payload, seal = body[:-SEAL_BYTES], body[-SEAL_BYTES:]
        if len(payload) != 16 + MAC_BYTES or self._chain.seal("anchor", 0, payload) != seal:
            raise corrupt("its anchor is not what was written")
        return Mark(int.from_bytes(payload[:8], "big"), int.from_bytes(payload[8:16], "big"), payload[16:])

    def body(self, mark: Mark) -> bytes:
        payload = mark.writes.to_bytes(8, "big") + mark.last.to_bytes(8, "big") + mark.mac
        return payload + self._chain.seal("anchor", 0, payload)

    def write(self, mark: Mark) -> None:
        if self._fd < 0:
            self._fd = os.open(self.path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        os.pwrite(self._fd, self.body(mark), 0)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
