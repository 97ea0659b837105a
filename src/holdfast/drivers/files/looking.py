"""Looking at one object, as deep as asked, without a trace: no link followed, no special file opened, no atime moved.

Names are relative to a directory descriptor, or absolute with `dir_fd=None`. A ctime younger than two seconds is
recorded as 0, "too fresh to tell": coarse clocks give two edits the same time, so such a node is compared by content.
"""

from __future__ import annotations

import os
import stat
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256

from holdfast.drivers.files.calls import APPEND_ONLY, IMMUTABLE, flags_of
from holdfast.kinds.node import ABSENT, Node

NODE, CONTENT, SHAPE, TREE = range(4)  # as in core.change.Depth

FRESH_NS = 2_000_000_000
CONTENT_BYTES_MAX = 1 << 20  # larger contents are digested and not kept
_CHUNK_BYTES = 1 << 20

_TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
}
FORMATS = {name: bits for bits, name in _TYPES.items()}

_ACCESS_LIST = "system.posix_acl_access"
_OWNER, _GROUP, _MASK, _OTHERS = 0x01, 0x04, 0x10, 0x20  # tags in it

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

UNREADABLE = Node("absent", readable=False, writable=False)


def fresh_limit() -> int:
    """Times after this are too young to prove anything."""
    return time.time_ns() - FRESH_NS


def node_of(
    found: os.stat_result, name: str, dir_fd: int | None, limit: int, around_ns: int = 0, readonly: bool = False
) -> Node:
    mode, ctime = found.st_mode, found.st_ctime_ns
    kind = _TYPES.get(mode & 0o170000, "file")
    target = os.readlink(name, dir_fd=dir_fd) if kind == "link" else ""
    rdev = found.st_rdev if kind in ("char", "block") else 0
    return Node(
        kind, mode & 0o7777, found.st_uid, found.st_gid, None, target, rdev, None, found.st_size, found.st_dev, found.st_ino,
        found.st_mtime_ns, ctime if ctime < limit else 0, found.st_nlink, around_ns, not readonly, True, readonly,
    )  # fmt: skip


def glance(name: str, dir_fd: int | None, limit: int) -> Node:
    """What stands at a name; ABSENT when nothing does."""
    try:
        return node_of(os.stat(name, dir_fd=dir_fd, follow_symlinks=False), name, dir_fd, limit)
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT


def deepen(node: Node, name: str, dir_fd: int | None, depth: int) -> Node:
    """Add to a glance what the depth asks for. What cannot be read is said to be unreadable."""
    try:
        if node.type == "file":
            return _with_content(node, name, dir_fd, keep=True)
        if node.type == "dir":
            node = _with_listing(node, name, dir_fd)
            if depth >= SHAPE:
                return node._replace(entries=walk(name, dir_fd, read_fully if depth == TREE else glance))
        return node
    except OSError:
        return node._replace(readable=False)


def read_fully(name: str, dir_fd: int | None, limit: int) -> Node:
    """One node of a tree, with the digests of its content and attributes."""
    node = glance(name, dir_fd, limit)
    try:
        if node.type == "file":
            return _with_content(node, name, dir_fd, keep=False)
        if node.type == "dir":
            return node._replace(xattrs=xattr_digest(name, dir_fd))
    except OSError:
        return node._replace(readable=False)
    return node


def look_for(name: str, dir_fd: int | None, *wanted: Node) -> Node:
    """Look at a name as deep as it takes to tell whether one of the wanted nodes stands there."""
    return _look_for(name, dir_fd, fresh_limit(), wanted)


def _look_for(name: str, dir_fd: int | None, limit: int, wanted: Sequence[Node]) -> Node:
    node = glance(name, dir_fd, limit)
    alike = [want for want in wanted if want.type == node.type]
    if not alike or node.type == "link" or node.type == "absent":
        return node
    if node.type == "file":
        known = next((want for want in alike if untouched(node, want)), None)
        if known is not None:
            return node._replace(digest=known.digest, xattrs=known.xattrs)
        if any(want.digest is not None for want in alike):
            node = _with_digest(node, name, dir_fd)
    if any(want.xattrs is not None for want in alike):
        node = node._replace(xattrs=xattr_digest(name, dir_fd))
    if node.type == "dir":
        trees = [want.entries for want in alike if want.entries is not None]
        if trees:
            return node._replace(entries=walk(name, dir_fd, partial(_look_for_entry, trees)))
    return node


def _look_for_entry(trees: Sequence[Mapping[str, Node]], path: str, dir_fd: int, limit: int) -> Node:
    return _look_for(path, dir_fd, limit, [tree[path] for tree in trees if path in tree])


def untouched(node: Node, known: Node) -> bool:
    """Nothing at all was done to the object since it was known: ctime cannot be set back by anybody."""
    return known.ctime_ns != 0 and node.ctime_ns == known.ctime_ns and node.stamp == known.stamp


def walk(name: str, dir_fd: int | None, look: Callable[[str, int, int], Node]) -> dict[str, Node]:
    """Everything beneath a directory, parents before children, by relative path."""
    limit = fresh_limit()
    entries: dict[str, Node] = {}
    top = open_quietly(name, _LIST, dir_fd)
    try:
        below = [("", os.fstat(top).st_mtime_ns)]
        while below:
            parent, around_ns = below.pop()
            names = _names(parent or ".", top)
            if names is None:
                entries[parent] = entries[parent]._replace(readable=False)
                continue
            for entry in names:
                path = f"{parent}/{entry}" if parent else entry
                node = look(path, top, limit)
                if node.exists:
                    entries[path] = node._replace(around_ns=around_ns)
                    if node.type == "dir":
                        below.append((path, node.mtime_ns))
    finally:
        os.close(top)
    return entries


def _names(name: str, top: int) -> list[str] | None:
    try:
        fd = open_quietly(name, _LIST, top)
    except OSError:
        if name == ".":
            raise
        return None
    try:
        return sorted(os.listdir(fd))
    finally:
        os.close(fd)


def open_quietly(name: str, flags: int, dir_fd: int | None) -> int:
    """Open for reading without moving the atime, where we may."""
    try:
        return os.open(name, flags | os.O_NOATIME, dir_fd=dir_fd)
    except PermissionError:
        return os.open(name, flags, dir_fd=dir_fd)


def open_file(name: str, dir_fd: int | None) -> int:
    """Open a regular file for reading; a fifo or device that took its place is not waited for."""
    return open_quietly(name, _READ, dir_fd)


def read_digest(fd: int) -> tuple[str, bytes | None]:
    """The digest of an open file, and its content when it is small enough to keep."""
    chunk = os.read(fd, _CHUNK_BYTES)
    first, total, digest = chunk, 0, sha256()
    while chunk:
        total += len(chunk)
        digest.update(chunk)
        chunk = os.read(fd, _CHUNK_BYTES)
    return digest.hexdigest(), first if total == len(first) <= CONTENT_BYTES_MAX else None


def _with_digest(node: Node, name: str, dir_fd: int | None) -> Node:
    fd = open_file(name, dir_fd)
    try:
        before = os.fstat(fd)
        digest, _ = read_digest(fd)
        return _settled(node, before, os.fstat(fd))._replace(digest=digest)
    finally:
        os.close(fd)


def _with_content(node: Node, name: str, dir_fd: int | None, keep: bool) -> Node:
    fd = open_file(name, dir_fd)
    try:
        before = os.fstat(fd)
        digest, content = read_digest(fd)
        node = _settled(node, before, os.fstat(fd))
        xattrs = digest_of_xattrs(xattrs_of(fd))
        fixed = bool(flags_of(fd) & (IMMUTABLE | APPEND_ONLY))
        return node._replace(digest=digest, content=content if keep else None, xattrs=xattrs, fixed=fixed)
    finally:
        os.close(fd)


def _settled(node: Node, before: os.stat_result, after: os.stat_result) -> Node:
    """A file that changed while it was read proves nothing by its times."""
    same = before.st_ctime_ns == after.st_ctime_ns and (before.st_dev, before.st_ino) == (node.dev, node.ino)
    return node if same else node._replace(ctime_ns=0, size=after.st_size, mtime_ns=after.st_mtime_ns)


def _with_listing(node: Node, name: str, dir_fd: int | None) -> Node:
    fd = open_quietly(name, _LIST, dir_fd)
    try:
        with os.scandir(fd) as listing:
            empty = next(listing, None) is None
        fixed = bool(flags_of(fd) & (IMMUTABLE | APPEND_ONLY))
        return node._replace(empty=empty, fixed=fixed, xattrs=digest_of_xattrs(xattrs_of(fd)))
    finally:
        os.close(fd)


def path_of(name: str, dir_fd: int | None) -> str:
    """For calls that know no directory descriptors; the kernel goes through the descriptor all the same."""
    return name if dir_fd is None else f"/proc/self/fd/{dir_fd}/{name}"


def xattrs_of(where: str | int) -> dict[str, bytes]:
    """Every extended attribute, ACLs and labels included; empty where the file system has none."""
    follow = isinstance(where, int)
    try:
        names = os.listxattr(where, follow_symlinks=follow)
    except OSError:
        return {}
    return {name: os.getxattr(where, name, follow_symlinks=follow) for name in names}


def xattr_digest(name: str, dir_fd: int | None) -> str:
    return digest_of_xattrs(xattrs_of(path_of(name, dir_fd)))


def digest_of_xattrs(found: dict[str, bytes]) -> str:
    """Empty when there are none, so that "none" and "not read" are different."""
    if not found:
        return ""
    digest = sha256()
    for name in sorted(found):
        value = _without_mode(found[name]) if name == _ACCESS_LIST else found[name]
        digest.update(b"%b\0%d\0%b" % (os.fsencode(name), len(value), value))
    return digest.hexdigest()


def _without_mode(acl: bytes) -> bytes:
    """An access list without what chmod rewrites in it: those bits are the mode's, which is compared on its own."""
    entries = [struct.unpack_from("<HHI", acl, at) for at in range(4, len(acl), 8)]
    masked = any(tag == _MASK for tag, _, _ in entries)
    shown = {_OWNER, _OTHERS, _MASK if masked else _GROUP}
    return b"".join(struct.pack("<HHI", tag, 0 if tag in shown else may, who) for tag, may, who in entries)
