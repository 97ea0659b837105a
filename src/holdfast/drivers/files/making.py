"""Building an object complete, where nobody sees it: content, owner, attributes, mode and times, in this order.

chown comes first because it clears set-uid bits and capabilities; attributes come before the mode because an ACL
rewrites it and a read-only file takes no more attributes; times come last because everything else moves them.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from holdfast.drivers.files.calls import Calls
from holdfast.drivers.files.copying import copy_open_file, write_all
from holdfast.drivers.files.looking import FORMATS, digest_of_xattrs, path_of, xattrs_of
from holdfast.drivers.files.places import DEFAULT_ACL, Places
from holdfast.drivers.files.values import Trouble, trouble_of
from holdfast.kinds.content import Content, digest_of
from holdfast.kinds.node import Node

_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


class Sources(NamedTuple):
    """Where an object's attributes may come from when its node does not spell them out."""

    heritage: dict[str, bytes]  # what the kernel would give to what is made in the directory
    replaced: dict[str, bytes] | None = None  # those of the object it takes the place of


class Maker:
    """Builds objects with one set of credentials."""

    def __init__(self, calls: Calls, places: Places) -> None:
        self._calls = calls
        self._places = places
        self._uid = os.geteuid()
        self._gid = os.getegid()

    def make(self, name: str, dir_fd: int, node: Node, means: Any, sources: Sources) -> int:
        """Build the node, with everything beneath it; returns how many objects there are to be synced."""
        if node.type == "dir":
            self._make_tree(name, dir_fd, node, means, sources)
            return 1 + len(node.entries or ())
        content = means if isinstance(means, Content) else None
        self._make_one(name, dir_fd, node, content, sources)
        return 1

    def _make_one(self, name: str, dir_fd: int, node: Node, content: Content | None, sources: Sources) -> None:
        if node.type == "link":
            self._calls.symlink(node.target, name, dir_fd)
            self._finish_link(name, dir_fd, node)
        elif node.type == "file":
            self._make_file(name, dir_fd, node, content, sources)
        else:
            self._calls.mknod(name, FORMATS[node.type] | 0o600, node.rdev, dir_fd)
            self._finish(name, dir_fd, node, self._attributes(node, content, sources))

    # -- files

    def _make_file(self, name: str, dir_fd: int, node: Node, content: Content | None, sources: Sources) -> None:
        if content is None:
            raise Trouble("before_image_lost", "nothing holds the content of this file any more")
        fd = self._calls.open(name, _NEW_FILE, 0o600, dir_fd=dir_fd)
        try:
            self._check(node, content, self._fill(fd, content))
            if node.uid != self._uid or node.gid != self._gid:
                self._calls.chown(name, node.uid, node.gid, dir_fd)
            for key, value in self._attributes(node, content, sources).items():
                self._calls.setxattr(path_of(name, dir_fd), key, value)
            self._calls.fchmod(fd, node.mode)
            self._set_times(name, dir_fd, node)
        finally:
            self._calls.close(fd)

    def _fill(self, fd: int, content: Content) -> str:
        """Write the content; returns the digest of what was written."""
        if content.data is not None:
            write_all(self._calls, fd, content.data)
            return digest_of(content.data)
        if content.feed is not None:
            return str(content.feed(lambda piece: write_all(self._calls, fd, piece)))
        source = self._open_source(content)
        try:
            return copy_open_file(self._calls, source, fd)
        finally:
            os.close(source)

    def _open_source(self, content: Content) -> int:
        path = content.path or content.origin
        if content.secret is not None:
            raise Trouble("not_found", f"the secret `{content.secret}` is not there any more")
        if path is None:
            raise Trouble("before_image_lost", "nothing holds the content of this file any more")
        try:
            fd = self._places.open_file(path)
        except OSError as error:
            raise trouble_of(error, path, ENOENT="source_not_found", ENOTDIR="source_not_found", EXDEV="outside_root") from None
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise Trouble("conflict", f"{path} is not a regular file any more")
        return fd

    def _check(self, node: Node, content: Content, digest: str) -> None:
        wrong = next((want for want in (content.digest, node.digest) if want is not None and want != digest), None)
        if wrong is not None:
            where = content.path or content.origin or "the content"
            raise Trouble("checksum_mismatch", f"{where} is not what was planned: its digest is {digest}, not {wrong}")

    # -- trees

    def _make_tree(self, name: str, dir_fd: int, node: Node, means: Any, sources: Sources) -> None:
        """Directories stay open to us until everything beneath them is made; then they get their modes and times."""
        self._calls.mkdir(name, 0o700, dir_fd=dir_fd)
        root = means if isinstance(means, Content) else (means or {}).get("")
        if node.entries:
            top = self._calls.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=dir_fd)
            try:
                twins = Twins(self._calls, top, means) if isinstance(means, Content) else None
                self._make_entries(top, node.entries, _content_of(means), twins, Sources(sources.heritage))
            finally:
                os.close(top)
        self._finish(name, dir_fd, node, self._attributes(node, root, sources))

    def _make_entries(
        self,
        top: int,
        entries: Mapping[str, Node],
        content: Callable[[str], Content | None],
        twins: Twins | None,
        sources: Sources,
    ) -> None:
        folders = []
        for path, node in entries.items():
            if node.type == "dir":
                self._calls.mkdir(path, 0o700, dir_fd=top)
                folders.append((path, node))
                continue
            if twins is None or not twins.link(path, node):
                self._make_one(path, top, node, content(path) if node.type != "link" else None, sources)
        for path, node in reversed(folders):
            self._finish(path, top, node, self._attributes(node, content(path), sources))

    # -- what an object has beside its content

    def _finish(self, name: str, dir_fd: int, node: Node, attributes: dict[str, bytes]) -> None:
        if node.uid != self._uid or node.gid != self._gid:
            self._calls.chown(name, node.uid, node.gid, dir_fd)
        for key, value in attributes.items():
            self._calls.setxattr(path_of(name, dir_fd), key, value)
        if node.type != "dir" or node.mode != 0o700 or attributes:
            self._set_mode(name, dir_fd, node.mode)
        self._set_times(name, dir_fd, node)

    def _finish_link(self, name: str, dir_fd: int, node: Node) -> None:
        if node.uid != self._uid or node.gid != self._gid:
            self._calls.chown(name, node.uid, node.gid, dir_fd)
        self._set_times(name, dir_fd, node)

    def _set_mode(self, name: str, dir_fd: int, mode: int) -> None:
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
        try:
            self._calls.chmod(fd, mode)
        finally:
            os.close(fd)

    def _set_times(self, name: str, dir_fd: int, node: Node) -> None:
        """Where the node says a time."""
        if node.mtime_ns:
            self._calls.utime(name, time.time_ns(), node.mtime_ns, dir_fd)

    def _attributes(self, node: Node, content: Content | None, sources: Sources) -> dict[str, bytes]:
        """The attributes whose digest the node states; where it states none, those of what it replaces."""
        if node.xattrs is None:
            return sources.replaced if sources.replaced is not None else _inherited(node, sources)
        if node.xattrs == "":
            return {}
        for found in _candidates(node, content, sources):
            if digest_of_xattrs(found) == node.xattrs:
                return found
        raise Trouble("unsupported", "the extended attributes that are wanted are not to be had any more")


def _inherited(node: Node, sources: Sources) -> dict[str, bytes]:
    """Only directories hand on further what they were handed."""
    return {name: value for name, value in sources.heritage.items() if node.type == "dir" or name != DEFAULT_ACL}


def _candidates(node: Node, content: Content | None, sources: Sources) -> list[dict[str, bytes]]:
    found = [sources.replaced or {}, _inherited(node, sources)]
    if content is None:
        return found
    where = content.origin or content.path
    return [dict(content.xattrs), *found, *([xattrs_of(where)] if where else [])]


def _content_of(means: Any) -> Callable[[str], Content | None]:
    """What is to be in each file of a tree: one by one, or the same relative path below a root."""
    if isinstance(means, Content):
        return means.below
    given: Mapping[str, Content] = means or {}
    return given.get


class Twins:
    """Names of one object in the source become names of one object in the copy."""

    def __init__(self, calls: Calls, top: int, source: Content) -> None:
        self._calls = calls
        self._top = top
        self._source = source
        self._first: dict[tuple[int, int], tuple[str, Node]] = {}

    def link(self, path: str, node: Node) -> bool:
        """Was this object copied before, under another name?"""
        if node.nlink < 2:
            return False
        content = self._source.below(path)
        where = content.origin or content.path or path
        try:
            found = os.stat(where, follow_symlinks=False)
        except OSError:
            return False  # the copy itself will say what is wrong
        first = self._first.get((found.st_dev, found.st_ino))
        if first is None or not first[1].same(node):
            self._first[found.st_dev, found.st_ino] = (path, node)
            return False
        self._calls.link(first[0], self._top, path, self._top)
        return True
