"""A tree with every kind of object that a file system knows, and a manifest that sees every difference.

Tests build a zoo, do something, undo it, and compare manifests: type, mode, owner, attributes, ACLs, times, content,
holes, hard links, targets and devices. What only root may make is left out for everybody else.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

_LONG_AGO_NS = 1_234_567_890_123_456_789
_OTHER = 12345  # an owner who is nobody in particular
_HOLE_BYTES = 1 << 20


class Row(NamedTuple):
    """One object of a manifest."""

    type: str
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    rdev: int
    target: str
    digest: str
    segments: tuple[tuple[int, int], ...]  # where a file has data; the rest is holes
    twins: tuple[str, ...]  # other names of the same object within the tree
    xattrs: tuple[tuple[str, bytes], ...]
    inode: int = 0  # compared only where a test asks for it


def build(root: Path, families: int = 1) -> None:
    """Fill a directory. Each family is about thirty objects."""
    root.mkdir(exist_ok=True)
    for number in range(families):
        home = root / f"family-{number}"
        home.mkdir()
        for make in _KINDS:
            make(home)
        _set_times(home)


def manifest(root: str | Path, *, inodes: bool = False) -> dict[str, Row]:
    """Every object at and beneath a path."""
    where = {path: os.path.normpath(os.path.join(root, path)) for path in _paths(os.fspath(root))}
    found = {path: os.lstat(place) for path, place in where.items()}
    names: dict[tuple[int, int], list[str]] = {}
    for path, seen in found.items():
        names.setdefault((seen.st_dev, seen.st_ino), []).append(path)
    return {path: _row(where[path], seen, names, inodes) for path, seen in found.items()}


def differences(before: dict[str, Row], after: dict[str, Row]) -> list[str]:
    """What changed, in words that a failing test can show."""
    said = [f"{path} is missing" for path in before.keys() - after.keys()]
    said += [f"{path} is new" for path in after.keys() - before.keys()]
    for path in before.keys() & after.keys():
        for field, old, new in zip(Row._fields, before[path], after[path], strict=True):
            if old != new:
                said.append(f"{path}: {field} was {old!r}, is {new!r}")
    return sorted(said)


def _paths(root: str) -> Iterator[str]:
    yield "."
    for folder, folders, files in os.walk(root):
        for name in sorted(folders + files):
            yield os.path.relpath(os.path.join(folder, name), root)


def _row(where: str, seen: os.stat_result, names: dict[tuple[int, int], list[str]], inodes: bool) -> Row:
    kind = stat.S_IFMT(seen.st_mode)
    regular, link = kind == stat.S_IFREG, kind == stat.S_IFLNK
    twins = names[seen.st_dev, seen.st_ino] if kind != stat.S_IFDIR else []
    return Row(
        type=stat.filemode(kind)[0],
        mode=stat.S_IMODE(seen.st_mode),
        uid=seen.st_uid,
        gid=seen.st_gid,
        mtime_ns=seen.st_mtime_ns,
        rdev=seen.st_rdev,
        target=os.readlink(where) if link else "",
        digest=sha256(Path(where).read_bytes()).hexdigest() if regular else "",
        segments=tuple(_segments(where)) if regular else (),
        twins=tuple(sorted(twins)),
        xattrs=tuple((name, os.getxattr(where, name, follow_symlinks=False)) for name in sorted(_xattr_names(where))),
        inode=seen.st_ino if inodes else 0,
    )


def _xattr_names(where: str) -> list[str]:
    return os.listxattr(where, follow_symlinks=False)


def _segments(where: str) -> Iterator[tuple[int, int]]:
    with open(where, "rb") as file:
        size, at = os.fstat(file.fileno()).st_size, 0
        while at < size:
            try:
                start = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                return  # only a hole is left
            at = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            yield start, at


# -- the animals


def _files(home: Path) -> None:
    for name, content, mode in (
        ("empty", b"", 0o644),
        ("text", b"hello\n", 0o640),
        ("binary", bytes(range(256)) * 300, 0o600),
        ("locked", b"nobody else reads this", 0o000 if os.geteuid() == 0 else 0o400),
        ("read-only", b"nobody writes this", 0o444),
        ("set-uid", b"#!/bin/sh\n", 0o4755),
        ("set-gid", b"#!/bin/sh\n", 0o2755),
        ("with space\nand line", b"x", 0o644),
        ("ümläut-日本", b"x", 0o644),
        ("-rf", b"x", 0o644),
        ("n" * 255, b"x", 0o644),
    ):
        (home / name).write_bytes(content)
        (home / name).chmod(mode)
    raw = os.path.join(os.fsencode(home), b"not-utf-8-\xff")
    with open(raw, "wb") as file:
        file.write(b"x")


def _sparse(home: Path) -> None:
    with open(home / "sparse", "wb") as file:
        file.seek(_HOLE_BYTES)
        file.write(b"island" * 1000)
        file.truncate(4 * _HOLE_BYTES)
    with open(home / "all-hole", "wb") as file:
        file.truncate(_HOLE_BYTES)


def _links(home: Path) -> None:
    for name, target in (
        ("relative", "text"),
        ("absolute", "/etc/hostname"),
        ("dangling", "no/where"),
        ("loop", "loop"),
        ("up", "../.."),
    ):
        (home / name).symlink_to(target)


def _hard_links(home: Path) -> None:
    (home / "one").write_bytes(b"three names")
    (home / "folder-of-links").mkdir()
    os.link(home / "one", home / "two")
    os.link(home / "one", home / "folder-of-links" / "three")


def _folders(home: Path) -> None:
    for name, mode in (
        ("sticky", 0o1777),
        ("handing-on", 0o2775),
        ("closed", 0o500 if os.geteuid() == 0 else 0o700),
        ("hollow", 0o755),
    ):
        (home / name).mkdir()
        (home / name).chmod(mode)
    deep = home / "deep" / "er" / "and" / "deeper"
    deep.mkdir(parents=True)
    (deep / "pearl").write_bytes(b"found")


def _specials(home: Path) -> None:
    os.mkfifo(home / "fifo", 0o620)
    where = os.open(home, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(f"/proc/self/fd/{where}/socket")
    os.close(where)
    if os.geteuid() == 0:
        os.mknod(home / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.mknod(home / "loop0", stat.S_IFBLK | 0o660, os.makedev(7, 0))


def _attributes(home: Path) -> None:
    for name in ("tagged", "listed", "tagged-folder"):
        (home / name).mkdir() if name.endswith("folder") else (home / name).write_bytes(b"x")
    os.setxattr(home / "tagged", "user.colour", b"\0blue\xff")
    os.setxattr(home / "tagged-folder", "user.colour", b"green")
    os.setxattr(home / "listed", "system.posix_acl_access", access_list(0o6, _OTHER, 0o4, 0o4, 0o6, 0o0))
    os.setxattr(home / "tagged-folder", "system.posix_acl_default", access_list(0o7, _OTHER, 0o5, 0o5, 0o7, 0o0))
    if os.geteuid() == 0:
        os.setxattr(home / "tagged", "trusted.secret", b"root only")
        (home / "able").write_bytes(b"x")
        os.setxattr(home / "able", "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0))


def _owned(home: Path) -> None:
    if os.geteuid() == 0:
        (home / "foreign").write_bytes(b"x")
        os.chown(home / "foreign", _OTHER, _OTHER + 1)
        (home / "foreign-link").symlink_to("foreign")
        os.chown(home / "foreign-link", _OTHER, _OTHER + 1, follow_symlinks=False)


_KINDS: tuple[Callable[[Path], None], ...] = (
    _files,
    _sparse,
    _links,
    _hard_links,
    _folders,
    _specials,
    _attributes,
    _owned,
)  # fmt: skip


def access_list(user: int, named: int, named_may: int, group: int, mask: int, other: int) -> bytes:
    """A POSIX ACL as the kernel keeps it, with one named user."""
    nobody = 0xFFFFFFFF
    entries = [(1, user, nobody), (2, named_may, named), (4, group, nobody), (16, mask, nobody), (32, other, nobody)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def _set_times(home: Path) -> None:
    """Each object gets a time of its own, the folders after what is in them."""
    for number, path in enumerate(reversed(list(_paths(os.fspath(home))))):
        moment = _LONG_AGO_NS + number * 1_000_000_007
        os.utime(home / path, ns=(moment, moment), follow_symlinks=False)
