"""Many paths at once: one lstat per key, and nothing twice that keys have in common.

What surrounds a key - its directory, its device - is looked at once per call. Where many keys share a directory, its
listing tells which of them are absent. Nothing here raises for a path that vanished or is forbidden.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from holdfast.drivers.files.calls import Calls
from holdfast.drivers.files.looking import NODE, UNREADABLE, deepen, fresh_limit, node_of, open_quietly
from holdfast.drivers.files.places import root_of
from holdfast.kinds.node import ABSENT, Account, Node

_LISTED_KEYS_MIN = 16  # a listing pays from here on
_ENTRY_BYTES = 512  # and while the directory is not much larger than the number of keys asked for


class Surroundings(NamedTuple):
    absent: Node  # what a key is that does not exist here
    around_ns: int
    names: frozenset[str] | None  # everything there is; None: not listed


NOWHERE = Surroundings(ABSENT, 0, frozenset())
AT_ROOT = Surroundings(ABSENT, 0, None)
FORBIDDEN = Surroundings(UNREADABLE, 0, frozenset())


class Inspection:
    """One call's worth of looking."""

    __slots__ = ("_calls", "_devices", "_limit", "_places", "_root", "_roots", "_surroundings", "identities")

    def __init__(self, calls: Calls, roots: Sequence[str] = ()) -> None:
        self._calls = calls
        self._roots = roots
        self.identities: dict[str, tuple[int, int]] = {}  # which directory a path led to
        self._surroundings: dict[str, Surroundings] = {}
        self._devices: dict[int, tuple[bool, int]] = {}
        self._places: Counter[str] = Counter()
        self._limit = fresh_limit()
        self._root = os.geteuid() == 0

    def look(self, looks: Iterable[tuple[str, int]]) -> dict[str, Node]:
        asked = list(looks)
        self._places = Counter([key.rpartition("/")[0] for key, _ in asked])
        known = self._surroundings
        found: dict[str, Node] = {}
        for key, depth in asked:
            parent, _, name = key.rpartition("/")
            around = known.get(parent) or self._look_around(parent, key)
            if around.names is not None and name not in around.names:
                found[key] = around.absent
            else:
                found[key] = self._look_at(key, depth, around)
        return found

    def _look_at(self, key: str, depth: int, around: Surroundings) -> Node:
        try:
            seen = os.lstat(key)
            device = self._devices.get(seen.st_dev) or self._ask_device(key, seen)
            node = node_of(seen, key, None, self._limit, around.around_ns, device[0])
        except (FileNotFoundError, NotADirectoryError):
            return around.absent
        except (OSError, ValueError):
            return UNREADABLE
        if node.type == "dir":
            node = self._as_directory(node, key, device[1])
        elif not self._root and node.type != "link":
            node = node._replace(writable=_may(key, os.W_OK), readable=_may(key, os.R_OK))
        return node if depth == NODE else deepen(node, key, None, depth)

    def _as_directory(self, node: Node, key: str, free: int) -> Node:
        writable = _may(key, os.W_OK | os.X_OK)
        readonly = node.readonly if writable else _is_readonly(key)  # one device may be mounted twice
        readable = self._root or _may(key, os.R_OK | os.X_OK)
        return node._replace(writable=writable, readable=readable, readonly=readonly, free=free)

    def _ask_device(self, key: str, seen: os.stat_result) -> tuple[bool, int]:
        """Is it mounted read-only, and how many bytes are free on it?"""
        try:
            found = os.statvfs(os.path.dirname(key) if stat.S_ISLNK(seen.st_mode) else key)
            answer = (bool(found.f_flag & os.ST_RDONLY), found.f_bavail * found.f_frsize)
        except OSError:
            answer = (False, -1)
        self._devices[seen.st_dev] = answer
        return answer

    def _look_around(self, parent: str, key: str) -> Surroundings:
        if key in self._roots:
            return AT_ROOT
        around = self._surroundings[parent] = self._survey(parent or "/", self._places[parent])
        return around

    def _survey(self, parent: str, keys: int) -> Surroundings:
        if self._roots and not self._lies_beneath(parent):
            return FORBIDDEN
        try:
            seen = os.stat(parent)
        except (FileNotFoundError, NotADirectoryError):
            return NOWHERE
        except (OSError, ValueError):
            return FORBIDDEN
        if not stat.S_ISDIR(seen.st_mode):
            return NOWHERE
        self.identities["" if parent == "/" else parent] = (seen.st_dev, seen.st_ino)
        listed = keys >= _LISTED_KEYS_MIN and seen.st_size <= keys * _ENTRY_BYTES
        absent = ABSENT._replace(around_ns=seen.st_mtime_ns)
        return Surroundings(absent, seen.st_mtime_ns, _list(parent) if listed else None)

    def _lies_beneath(self, parent: str) -> bool:
        """Does the kernel get from a declared root to this directory without leaving it?"""
        root = root_of(parent, self._roots)
        if root is None:
            return False
        try:
            top = self._calls.open(root, os.O_PATH | os.O_DIRECTORY)
        except OSError:
            return False
        try:
            os.close(self._calls.open_beneath(top, parent[len(root) :].strip("/") or ".", os.O_PATH | os.O_DIRECTORY))
        except OSError as error:
            return error.errno in (errno.ENOENT, errno.ENOTDIR)
        finally:
            os.close(top)
        return True


def _list(parent: str) -> frozenset[str] | None:
    """The names in a directory, unless they cannot be read or would not tell: where case is ignored."""
    try:
        fd = open_quietly(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, None)
    except OSError:
        return None
    try:
        names = frozenset(os.listdir(fd))
        return None if _ignores_case(names, fd) else names | {""}  # "" is how `/` is called in its parent
    finally:
        os.close(fd)


def _ignores_case(names: frozenset[str], fd: int) -> bool:
    """Does an entry answer to its name with the letters' case swapped?"""
    for name in names:
        swapped = name.swapcase()
        if swapped.swapcase() == name != swapped and swapped not in names:
            try:
                os.stat(swapped, dir_fd=fd, follow_symlinks=False)
            except OSError:
                return False
            return True
    return False


def account(key: str) -> Account:
    """The number behind `@user/NAME` or `@group/NAME`."""
    import grp
    import pwd

    kind, _, name = key.partition("/")
    try:
        return Account(pwd.getpwnam(name).pw_uid if kind == "@user" else grp.getgrnam(name).gr_gid)
    except (KeyError, ValueError):
        return Account(None)


def facts() -> dict[str, Any]:
    """What this machine is to us: who we are, and what is taken away from the modes we ask for."""
    return {"uid": os.geteuid(), "gid": os.getegid(), "groups": sorted({*os.getgroups(), os.getegid()}), "umask": umask()}


def umask() -> int:
    """Read without setting it: other threads make files meanwhile."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("Umask:"):
                    return int(line.split()[1], 8)
    except OSError:
        pass  # no /proc: the old way
    found = os.umask(0o077)
    os.umask(found)
    return found


def _may(path: str, how: int) -> bool:
    return os.access(path, how, effective_ids=os.access in os.supports_effective_ids)


def _is_readonly(path: str) -> bool:
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:
        return False
