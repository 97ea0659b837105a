"""Where a batch works: directories, opened once each, and never resolved by comparing path strings.

After a directory is open, only its descriptor counts: whoever swaps it for a link afterwards changes nothing for us.
What we were led to when we looked is remembered across batches; a path that leads elsewhere now is a foreign change.
Beneath declared roots the kernel resolves (openat2) and refuses every way out.
"""

from __future__ import annotations

import errno
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from holdfast.drivers.files.calls import Calls
from holdfast.drivers.files.looking import xattrs_of
from holdfast.drivers.files.values import Trouble, trouble_of

OPEN_DIRECTORIES_MAX = 128
REMEMBERED_MAX = 200_000  # paths; then we begin anew, and only lose an early warning

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY
_PATH_ONLY = os.O_PATH | os.O_DIRECTORY
DEFAULT_ACL = "system.posix_acl_default"
_HANDED_ON = {DEFAULT_ACL: ("system.posix_acl_access", DEFAULT_ACL), "security.selinux": ("security.selinux",)}


class Mount(NamedTuple):
    """What a rename cannot cross: a device, or one of several mounts of it."""

    device: int
    number: int


class Place:
    """One open directory."""

    __slots__ = ("_heritage", "_mount", "fd", "found", "path", "pinned", "syncable")

    def __init__(self, path: str, fd: int, readable: bool) -> None:
        self.path = path
        self.fd = fd
        self.found = os.fstat(fd)
        self.pinned = False  # kept open until the batch is over, because it must be synced
        self.syncable = readable  # else it was opened without the right to list it
        self._mount: Mount | None = None
        self._heritage: dict[str, bytes] | None = None

    @property
    def identity(self) -> tuple[int, int]:
        return (self.found.st_dev, self.found.st_ino)

    @property
    def hands_on_group(self) -> bool:
        return bool(self.found.st_mode & 0o2000)

    @property
    def mount(self) -> Mount:
        if self._mount is None:
            self._mount = Mount(self.found.st_dev, _mount_id(self.fd))
        return self._mount

    @property
    def heritage(self) -> dict[str, bytes]:
        """The attributes that the kernel would give to what is made here: default ACL and label."""
        if self._heritage is None:
            found = xattrs_of(f"/proc/self/fd/{self.fd}/.")
            self._heritage = {new: found[name] for name, given in _HANDED_ON.items() if name in found for new in given}
        return self._heritage

    @property
    def hands_on_acl(self) -> bool:
        return DEFAULT_ACL in self.heritage


class Memory:
    """Which directory each path led to when it was looked at, and what we have rearranged ourselves since."""

    def __init__(self) -> None:
        self._identities: dict[str, tuple[tuple[int, int], int]] = {}
        self._rearranged: dict[str, int] = {}
        self._serial = 0

    def saw(self, identities: Mapping[str, tuple[int, int]]) -> None:
        if len(self._identities) + len(self._rearranged) > REMEMBERED_MAX:
            self._identities.clear()
            self._rearranged.clear()
        serial = self._serial
        self._identities.update((path, (identity, serial)) for path, identity in identities.items())

    def rearranged(self, key: str) -> None:
        self._serial += 1
        self._rearranged[key] = self._serial

    def expected(self, path: str) -> tuple[int, int] | None:
        known = self._identities.get(path)
        if known is None or (self._rearranged and self._rearranged_since(path, known[1])):
            return None
        return known[0]

    def _rearranged_since(self, path: str, serial: int) -> bool:
        while path:
            if self._rearranged.get(path, 0) > serial:
                return True
            path = path.rpartition("/")[0]
        return False


class Places:
    """The open directories of one batch."""

    def __init__(self, calls: Calls, roots: Sequence[str], memory: Memory) -> None:
        self._calls = calls
        self._roots = roots
        self._memory = memory
        self._root_fds: dict[str, int] = {}
        self._open: OrderedDict[str, Place] = OrderedDict()
        self._retired: list[Place] = []

    def of(self, path: str) -> Place:
        """The directory at a path, links on the way followed; Trouble when there is none, or another one."""
        return self._open.get(path) or self._enter(path)

    def open_file(self, path: str) -> int:
        """Open something to be read; whether it is a regular file is for the caller to see before it reads."""
        return self._resolve(path, os.O_RDONLY | os.O_NONBLOCK)

    def forget(self, key: str) -> None:
        """What stands at this path changes now, so whatever was reached through it may be elsewhere."""
        self._memory.rearranged(key)
        prefix = f"{key}/"
        for path in [path for path in self._open if path == key or path.startswith(prefix)]:
            self._retire(path)

    def made(self, key: str, name: str, place: Place) -> None:
        """A directory we have just made: what is made in it later must find this one."""
        found = os.stat(name, dir_fd=place.fd, follow_symlinks=False)
        self._memory.saw({key: (found.st_dev, found.st_ino)})

    def close(self) -> None:
        for place in [*self._open.values(), *self._retired]:
            os.close(place.fd)
        for fd in self._root_fds.values():
            os.close(fd)
        self._open.clear()
        self._retired.clear()
        self._root_fds.clear()

    def _enter(self, path: str) -> Place:
        fd, readable = self._open_directory(path or "/")
        place = Place(path, fd, readable)
        expected = self._memory.expected(path)
        if expected is not None and expected != place.identity:
            os.close(fd)
            raise Trouble("foreign_change", f"{path or '/'} leads to another directory than when it was looked at")
        if len(self._open) >= OPEN_DIRECTORIES_MAX:
            self._evict()
        self._open[path] = place
        return place

    def _evict(self) -> None:
        oldest = next((path for path, place in self._open.items() if not place.pinned), None)
        if oldest is not None:
            self._retire(oldest)

    def _retire(self, path: str) -> None:
        place = self._open.pop(path)
        if place.pinned:
            self._retired.append(place)
        else:
            os.close(place.fd)

    def _open_directory(self, path: str) -> tuple[int, bool]:
        try:
            try:
                return self._resolve(path, _DIRECTORY), True
            except PermissionError:
                return self._resolve(path, _PATH_ONLY), False  # enough to work in, though not to list
        except OSError as error:
            outside = "outside_root" if self._roots else "io_error"
            raise trouble_of(
                error, path, ENOENT="parent_not_found", ENOTDIR="parent_not_found", EXDEV=outside, ELOOP="parent_not_found"
            ) from None

    def _resolve(self, path: str, flags: int) -> int:
        if not self._roots:
            return self._calls.open(path, flags)
        root = root_of(path, self._roots)
        if root is None:
            raise OSError(errno.EXDEV, "not beneath a declared root")
        return self._calls.open_beneath(self._root_fd(root), path[len(root) :].strip("/") or ".", flags)

    def _root_fd(self, root: str) -> int:
        fd = self._root_fds.get(root)
        if fd is None:
            fd = self._root_fds[root] = self._calls.open(root, _PATH_ONLY)
        return fd


def root_of(path: str, roots: Sequence[str]) -> str | None:
    """The root to resolve a path from. That it stays beneath is for the kernel to say."""
    return next((root for root in roots if path == root or path.startswith(root.rstrip("/") + "/")), None)


def _mount_id(fd: int) -> int:
    try:
        with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as lines:
            return next((int(line.split()[1]) for line in lines if line.startswith("mnt_id:")), -1)
    except OSError:
        return -1
