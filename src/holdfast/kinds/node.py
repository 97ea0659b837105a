"""The state of a path: one node of a file system, as a comparable value.

Pure and standard library only, because the file worker that runs on remote hosts carries this module with it
(so: nothing newer than Python 3.8 here). A node says *what* stands at a path - that is compared - and *which* object
it is (device, inode, times) - that is only a cheap alarm, used where the content was not read.
"""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Optional

ABSENT_TYPE = "absent"


class Node(NamedTuple):
    type: str  # absent file dir link fifo socket char block
    mode: int = 0  # permission bits, 0o7777
    uid: int = 0
    gid: int = 0
    digest: Optional[str] = None  # sha256 of a file's content; None: not read
    target: str = ""  # of a link
    rdev: int = 0  # of a device
    xattrs: Optional[str] = None  # digest over names and values, ACLs included; None: not read
    # -- which object it is: not compared unless there is nothing better
    size: int = 0
    dev: int = 0
    ino: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    nlink: int = 1
    # -- what surrounds it
    around_ns: int = 0  # mtime of the parent directory, so that undo can put it back; after a move: of the one it left
    writable: bool = True  # may the effective user write: create and replace entries in a directory, or open a file
    readable: bool = True  # may the effective user read it (and pass through it, if a directory)
    readonly: bool = False  # the file system is mounted read-only
    free: int = -1  # bytes free on the file system of a directory; -1: not asked
    empty: Optional[bool] = None  # of a directory; None: not read
    fixed: bool = False  # an immutable or append-only flag forbids replacing it
    content: Optional[bytes] = None  # small files read at depth CONTENT; never journaled
    entries: Optional[Dict[str, "Node"]] = None  # relative path -> node, at depth TREE; parents before children

    @property
    def exists(self) -> bool:
        return self.type != ABSENT_TYPE

    def same(self, other: Any) -> bool:
        """Would anybody see a difference, as far as both were looked at?"""
        if self is other:
            return True
        if not isinstance(other, Node) or self.type != other.type:
            return False
        if self.type == ABSENT_TYPE:
            return True
        if self.uid != other.uid or self.gid != other.gid:
            return False
        if self.type == "link":
            return self.target == other.target
        if self.mode != other.mode or self.rdev != other.rdev or _differ(self.xattrs, other.xattrs):
            return False
        if self.type == "dir":
            return _same_entries(self.entries, other.entries)
        if self.type != "file":
            return True
        if self.digest is not None and other.digest is not None:
            return self.digest == other.digest
        return self.stamp == other.stamp

    @property
    def stamp(self) -> tuple[int, int, int, int]:
        """Identity of an object that was not rewritten: a rename keeps it, an edit does not."""
        return (self.dev, self.ino, self.size, self.mtime_ns)

    def plain(self) -> Any:
        if self.type == ABSENT_TYPE:
            return {"type": ABSENT_TYPE, "around_ns": self.around_ns} if self.around_ns else None
        found: dict[str, Any] = {"type": self.type, "mode": format(self.mode, "04o"), "uid": self.uid, "gid": self.gid}
        for name in ("digest", "target", "rdev", "xattrs", "size", "dev", "ino", "mtime_ns", "around_ns"):
            value = getattr(self, name)
            if value or (name == "xattrs" and value is not None):
                found[name] = value
        if self.entries is not None:
            found["entries"] = {path: node.plain() for path, node in self.entries.items()}
        return found

    @classmethod
    def parse(cls, plain: Any) -> Node:
        """The inverse of `plain`, as far as `same` can tell."""
        if plain is None:
            return ABSENT
        values = dict(plain)
        if "mode" in values:
            values["mode"] = int(values["mode"], 8)
        if "entries" in values:
            values["entries"] = {path: cls.parse(node) for path, node in values["entries"].items()}
        return cls(**values)


ABSENT = Node(ABSENT_TYPE)


class Account(NamedTuple):
    """What a target answers to `@user/NAME` and `@group/NAME`: the number behind the name, None when nobody has it."""

    id: Optional[int] = None

    @property
    def exists(self) -> bool:
        return self.id is not None

    def same(self, other: Any) -> bool:
        return bool(self == other)

    def plain(self) -> Any:
        return self.id


class Sealed(NamedTuple):
    """What "local" answers to `@secret/env:NAME` and `@secret/file:PATH`: what a file made of the secret would compare
    by, and never the secret. None when it cannot be had.
    """

    digest: Optional[str] = None
    size: int = 0

    @property
    def exists(self) -> bool:
        return self.digest is not None

    def same(self, other: Any) -> bool:
        return bool(self == other)

    def plain(self) -> Any:
        return None


def _differ(one: Optional[str], other: Optional[str]) -> bool:
    return one is not None and other is not None and one != other


def _same_entries(one: Optional[Dict[str, Node]], other: Optional[Dict[str, Node]]) -> bool:
    if one is None or other is None:
        return True
    return one.keys() == other.keys() and all(node.same(other[path]) for path, node in one.items())
