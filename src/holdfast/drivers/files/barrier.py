"""What must be on the disk before the batch may go on, and before it may be called done.

A few objects are synced one by one; from `FEW` on, one `syncfs` per file system is cheaper. A failed sync is never
tried again: the kernel may have dropped the pages, and a second call would lie.
"""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

from holdfast.drivers.files.calls import Calls
from holdfast.drivers.files.places import Place
from holdfast.drivers.files.stash import Stash
from holdfast.drivers.files.values import not_durable

FEW = 8

_SYNCED_ALONE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


class Built(NamedTuple):
    stash: Stash
    name: str
    kind: str
    objects: int


class Barrier:
    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._built: list[Built] = []
        self._touched: dict[int, Place] = {}
        self._inodes: list[tuple[Place, str]] = []
        self._times: dict[int, tuple[Place, int]] = {}

    def built(self, stash: Stash, name: str, kind: str, objects: int) -> None:
        self._built.append(Built(stash, name, kind, objects))

    def touch(self, place: Place) -> None:
        """Names in this directory changed."""
        place.pinned = True
        self._touched[id(place)] = place

    def changed(self, place: Place, name: str) -> None:
        """The object itself changed, not its name."""
        place.pinned = True
        self._inodes.append((place, name))

    def put_back_time(self, place: Place, mtime_ns: int) -> None:
        """When everything is undone, the directory shall look as if nobody had been there."""
        if mtime_ns:
            place.pinned = True
            self._times[id(place)] = (place, mtime_ns)

    def sync_built(self) -> None:
        """Everything built is durable before any of it gets its name."""
        built, self._built = self._built, []
        for stash in {id(one.stash): one.stash for one in built}.values():
            mine = [one for one in built if one.stash is stash]
            if sum(one.objects for one in mine) <= FEW and not any(one.kind == "dir" and one.objects > 1 for one in mine):
                self._sync_alone([(stash.fd, one.name) for one in mine if one.kind in ("file", "dir")])
            else:
                self._sync_whole(stash.fd)

    def sync_touched(self) -> None:
        """Every name that changed is durable before anybody is told."""
        for place, mtime_ns in self._times.values():
            self._set_time(place, mtime_ns)
        devices = {place.found.st_dev: place for place in [*self._touched.values(), *(place for place, _ in self._inodes)]}
        for device, any_place in devices.items():
            places = [place for place in self._touched.values() if place.found.st_dev == device]
            inodes = [(place.fd, name) for place, name in self._inodes if place.found.st_dev == device]
            if len(places) + len(inodes) > FEW:
                self._sync_whole(any_place.fd)
                continue
            self._sync_alone(inodes)
            for place in places:
                self._sync(place.fd) if place.syncable else self._sync_whole(place.fd)

    def _set_time(self, place: Place, mtime_ns: int) -> None:
        try:
            self._calls.utime(f"/proc/self/fd/{place.fd}/.", os.fstat(place.fd).st_atime_ns, mtime_ns, place.fd)
        except (PermissionError, FileNotFoundError):
            return  # not our directory, so nobody promised; or it is gone by now
        except OSError as error:
            raise not_durable(error) from None

    def _sync_alone(self, objects: list[tuple[int, str]]) -> None:
        for dir_fd, name in objects:
            try:
                fd = self._calls.open(name, _SYNCED_ALONE, dir_fd=dir_fd)
            except OSError:
                self._sync_whole(dir_fd)  # a link, a device, or unreadable: then with everything around it
                continue
            try:
                self._sync(fd)
            finally:
                os.close(fd)

    def _sync(self, fd: int) -> None:
        try:
            self._calls.fsync(fd)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise not_durable(error) from None
            self._sync_whole(fd)  # no fsync for this kind of object here

    def _sync_whole(self, fd: int) -> None:
        try:
            self._calls.syncfs(fd)
        except OSError as error:
            if error.errno != errno.EBADF:
                raise not_durable(error) from None
            self._calls.sync()  # we may work in this directory but not read it
