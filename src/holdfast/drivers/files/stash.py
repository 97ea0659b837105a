"""Where new objects are completed and old ones are kept: private directories, one per mount, with a slot per order.

The first choice is the state directory's own folder. A mount that it does not lie on gets a hidden directory (0700) as
near to its top as we may write, and a link `.at-...` at home leads there. Slot `ID` holds a complete object;
`.ID.part` one that is being built, worth nothing after a crash; `.ID.kept` something foreign that could not be put back.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from threading import Lock

from holdfast.drivers.files.calls import APPEND_ONLY, IMMUTABLE, Calls, flags_of, lies, old_name
from holdfast.drivers.files.looking import glance, open_quietly, walk
from holdfast.drivers.files.places import Mount, Place
from holdfast.drivers.files.values import not_durable
from holdfast.kinds.node import Node

HIDDEN = ".holdfast-stash"
_RECORD = ".at-"  # followed by a digest of the path that it leads to
_NAME_BYTES_MAX = 200  # a name may have 255, and ours get a prefix and a suffix
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def slot_name(order: str) -> str:
    """One file name per order id; different ids have different names, and none begins with a dot."""
    name = order.replace("%", "%25").replace("/", "%2F")
    if name.startswith("."):
        name = "%2E" + name[1:]
    raw = os.fsencode(name)
    return name if len(raw) <= _NAME_BYTES_MAX else f"{sha256(raw).hexdigest()}%"


def part_name(slot: str) -> str:
    return f".{slot}.part"


def kept_name(slot: str) -> str:
    return f".{slot}.kept"


class Stash:
    """One private directory on one mount."""

    __slots__ = ("fd", "path", "place")

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self.fd = fd
        self.place = Place(path, fd, True)

    def slots(self) -> set[str]:
        """The names of all orders that have anything here."""
        return {name[1:].rpartition(".")[0] if name.startswith(".") else name for name in os.listdir(self.fd)}

    def path_of(self, slot: str) -> str:
        return f"{self.path}/{slot}"


class Stashes:
    """All of them, opened when first needed and kept open."""

    def __init__(self, home: str, calls: Calls) -> None:
        self._home = home
        self._calls = calls
        self._by_mount: dict[Mount, list[Stash]] = {}
        self._at_home: Stash | None = None
        self._opened = False
        self._making = Lock()  # batches of several threads share the stashes

    def near(self, place: Place) -> Stash:
        """A stash that a rename from and to this directory reaches."""
        self._open_known()
        with self._making:
            found = self._by_mount.get(place.mount)
            return found[0] if found else self._make_near(place)

    def holding(self, slot: str, place: Place) -> Stash | None:
        """The stash on the mount of this directory in which the slot is taken."""
        self._open_known()
        return next((stash for stash in self._by_mount.get(place.mount, ()) if lies(slot, stash.fd)), None)

    def all(self) -> Iterator[Stash]:
        self._open_known()
        for stashes in list(self._by_mount.values()):
            yield from stashes

    def close(self) -> None:
        """Leave no empty directory behind on other people's mounts."""
        for stash in [stash for stashes in self._by_mount.values() for stash in stashes]:
            if stash is not self._at_home:
                self._clear_away(stash)
            os.close(stash.fd)
        self._by_mount.clear()
        self._opened = False

    def _clear_away(self, stash: Stash) -> None:
        assert self._at_home is not None
        with suppress(OSError):  # somebody else uses it, or something is in it
            fcntl.flock(stash.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._calls.rmdir(stash.path, dir_fd=self._at_home.fd)
            self._calls.unlink(_record_name(stash.path), self._at_home.fd)

    def _open_known(self) -> None:
        if self._opened:
            return
        with self._making:
            if not self._opened:
                self._open_home()
                self._open_recorded()
                self._opened = True

    def _open_home(self) -> None:
        os.makedirs(os.path.dirname(self._home) or "/", mode=0o700, exist_ok=True)
        self._at_home = self._enter(self._home, self._open_private(self._home))

    def _open_recorded(self) -> None:
        for path in self._recorded():
            try:
                self._enter(path, self._open_private(path, make=False))
            except OSError:
                continue  # a mount that is not there today; what it holds comes back with it

    def _enter(self, path: str, fd: int) -> Stash:
        stash = Stash(path, fd)
        self._by_mount.setdefault(stash.place.mount, []).append(stash)
        return stash

    def _recorded(self) -> list[str]:
        names = sorted(name for name in os.listdir(self._home) if name.startswith(_RECORD))
        return [os.readlink(os.path.join(self._home, name)) for name in names]

    def _record(self, path: str) -> None:
        """Remember a stash for good before anything is in it: what undo needs must be found by the next process."""
        assert self._at_home is not None
        with suppress(FileExistsError):  # known since an earlier run
            self._calls.symlink(path, _record_name(path), self._at_home.fd)
            try:
                self._calls.fsync(self._at_home.fd)
            except OSError as error:
                raise not_durable(error) from None

    def _make_near(self, place: Place) -> Stash:
        refused: OSError | None = None
        for above in _upwards(place):
            path = os.path.join(above, HIDDEN)
            try:
                fd = self._open_private(path)
            except OSError as error:
                refused = error
                continue
            try:
                self._record(path)
            except BaseException:
                os.close(fd)
                raise
            return self._enter(path, fd)
        assert refused is not None
        raise refused

    def _open_private(self, path: str, make: bool = True) -> int:
        """Open a directory that is ours alone, making it where it is missing."""
        while True:
            made = make and self._make(path)
            fd = self._calls.open(path, _DIRECTORY)
            try:
                if made:
                    self._make_plain(fd)
                found = os.fstat(fd)
                if found.st_uid != os.geteuid() or found.st_mode & 0o077:
                    raise PermissionError(errno.EACCES, "not a private directory of ours", path)
                if _hold(fd):
                    return fd
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)  # somebody cleared it away while we opened it

    def _make(self, path: str) -> bool:
        with suppress(FileExistsError):
            self._calls.mkdir(path, 0o700)
            return True
        return False

    def _make_plain(self, fd: int) -> None:
        """What is built here must inherit neither group nor ACL from where the stash happens to lie."""
        self._calls.chmod(fd, 0o700)
        where = f"/proc/self/fd/{fd}/."
        for name in ("system.posix_acl_default", "system.posix_acl_access"):
            try:
                self._calls.removexattr(where, name)
            except OSError as error:
                if error.errno not in (errno.ENODATA, errno.ENOTSUP):
                    raise


def _record_name(path: str) -> str:
    return _RECORD + sha256(os.fsencode(path)).hexdigest()[:32]


def _hold(fd: int) -> bool:
    """While we hold it, nobody clears it away. False when that has just happened."""
    with suppress(OSError):  # no locks here, so nobody clears anything away either
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return os.fstat(fd).st_nlink > 0


def _upwards(place: Place) -> Iterator[str]:
    """The directories from the top of a mount down to this one."""
    path = os.readlink(f"/proc/self/fd/{place.fd}")
    found = [path]
    while path != "/":
        path = os.path.dirname(path)
        if not _lies_on(path, place.mount):
            break
        found.append(path)
    return reversed(found)


def _lies_on(path: str, mount: Mount) -> bool:
    try:
        fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return Place(path, fd, False).mount == mount
    finally:
        os.close(fd)


def remove(calls: Calls, name: str, dir_fd: int) -> None:
    """Delete an object in a stash, with everything beneath it. Nothing there is anybody else's."""
    try:
        _unlink(calls, name, dir_fd)
    except FileNotFoundError:
        return
    except IsADirectoryError:
        _remove_tree(calls, name, dir_fd)


def _remove_tree(calls: Calls, name: str, dir_fd: int) -> None:
    _unlock(calls, name, dir_fd)
    top = open_quietly(name, _DIRECTORY, dir_fd)
    try:
        for path, node in reversed(list(_all_beneath(calls, name, dir_fd).items())):
            if node.type == "dir":
                calls.rmdir(path, top)
            else:
                _unlink(calls, path, top)
    finally:
        os.close(top)
    calls.rmdir(name, dir_fd)


def _all_beneath(calls: Calls, name: str, dir_fd: int) -> dict[str, Node]:
    def look(path: str, top: int, limit: int) -> Node:
        node = glance(path, top, limit)
        if node.type == "dir":
            _unlock(calls, path, top)
        return node

    return walk(name, dir_fd, look)


def _unlink(calls: Calls, name: str, dir_fd: int) -> None:
    try:
        calls.unlink(name, dir_fd)
    except PermissionError:
        _thaw(calls, name, dir_fd)
        calls.unlink(name, dir_fd)


def _unlock(calls: Calls, name: str, dir_fd: int) -> None:
    """Make a directory one that its owner may empty."""
    if os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode & 0o700 != 0o700:
        fd = calls.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=dir_fd)
        try:
            calls.chmod(fd, 0o700)
        finally:
            os.close(fd)
    _thaw(calls, name, dir_fd)


def _thaw(calls: Calls, name: str, dir_fd: int) -> None:
    """Take away the flags that forbid to delete."""
    try:
        fd = open_quietly(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd)
    except OSError:
        return  # not a kind of object that can have them
    try:
        flags = flags_of(fd)
        if flags & (IMMUTABLE | APPEND_ONLY):
            calls.set_flags(fd, flags & ~(IMMUTABLE | APPEND_ONLY))
    finally:
        os.close(fd)


def drop(calls: Calls, stash: Stash, slot: str) -> None:
    """Empty a slot and what may lie beside it, except what is not ours."""
    for name in (slot, part_name(slot), old_name(slot)):
        remove(calls, name, stash.fd)
