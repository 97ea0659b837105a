"""What the shell on a host says, read section by section into nodes. Nothing of it is ever evaluated."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Final

from holdfast.drivers.files.looking import FORMATS, FRESH_NS, UNREADABLE
from holdfast.drivers.remote.shell.words import Dialect
from holdfast.kinds.node import ABSENT, Node

CONTENT_BYTES_MAX: Final = 1 << 20
_DIGEST_LENGTH: Final = 64
_TYPES: Final = {bits: name for name, bits in FORMATS.items()}


class Flux(Exception):
    """What was looked at changed meanwhile, so that the parts of the answer do not fit together."""


class Sections:
    """One answer, in its order."""

    def __init__(self, raw: bytes, mark: bytes) -> None:
        self._left: Iterator[bytes] = iter(raw.split(mark + b"\n")[:-1])

    def next(self) -> bytes:
        try:
            return next(self._left)
        except StopIteration:
            raise Flux from None

    def text(self) -> str:
        return os.fsdecode(self.next())

    def lines(self) -> list[str]:
        return self.text().splitlines()

    def words(self) -> list[str]:
        """What ends with NUL each."""
        return self.text().split("\0")[:-1]


class Reader:
    """Makes nodes of what `looking.sh` prints, as fresh or as settled as the host's clock says."""

    def __init__(self, said: Sections, dialect: Dialect) -> None:
        self._said = said
        self._dialect = dialect
        self._limit = int(said.text()) * 1_000_000_000 - FRESH_NS
        self.root = dialect.uid == 0

    def folder(self, asked: Sequence[tuple[str, int]]) -> dict[str, Node]:
        """The nodes of names in one directory, each with the depth at which it was asked for."""
        here = self._said.text()
        if not here.startswith("here "):
            return {name: ABSENT if here == "nowhere" else UNREADABLE for name, _ in asked}
        around_ns = self.node(here[5:]).mtime_ns
        found = self._glanced(around_ns)
        deep = {name: depth for name, depth in asked if depth > 0}
        if deep:
            self._read_files(found)
        for name, depth in deep.items():
            if name in found and found[name].type == "dir" and depth > 1:
                found[name] = self._whole(found[name])
        absent = ABSENT._replace(around_ns=around_ns)
        return {name: found.get(name, absent) for name, _ in asked}

    def node(self, line: str, target: str = "") -> Node:
        fields = line.split(" ", 8)
        if len(fields) != 9:
            raise Flux
        raw, major, minor = (int(fields[at], 16) for at in (0, 3, 4))
        uid, gid, size, dev, ino = (int(fields[at]) for at in (1, 2, 5, 6, 7))
        mtime, ctime, links = fields[8].split("|")
        kind = _TYPES.get(raw & 0o170000, "file")
        rdev = os.makedev(major, minor) if kind in ("char", "block") else 0
        since = self._dialect.nanoseconds(ctime)
        return Node(
            kind, raw & 0o7777, uid, gid, None, target, rdev, None, size, dev, ino, self._dialect.nanoseconds(mtime),
            since if since < self._limit else 0, int(links),
        )  # fmt: skip

    # -- parts of an answer

    def _listed(self) -> dict[str, Node]:
        names = [name[2:] for name in self._said.words()]
        lines, targets = self._said.lines(), self._said.words()
        links = [line.startswith("a") for line in lines]
        if len(lines) != len(names) or sum(links) != len(targets):
            raise Flux
        left = iter(targets)
        return {
            name: self.node(line, next(left) if link else "")
            for name, line, link in zip(names, lines, links, strict=True)
            if line != "-"
        }

    def _glanced(self, around_ns: int) -> dict[str, Node]:
        listed = self._listed()
        self._said.next()
        may, rooms = self._said.lines(), self._said.lines()
        folders = [name for name, node in listed.items() if node.type == "dir"]
        if len(may) != len(listed) or len(rooms) != len(folders):
            raise Flux
        free = dict(zip(folders, map(_room, rooms), strict=True))
        return {
            name: self._may(node, what)._replace(around_ns=around_ns, free=free.get(name, -1))
            for (name, node), what in zip(listed.items(), may, strict=True)
        }

    def _may(self, node: Node, what: str) -> Node:
        if node.type == "link":
            return node
        if node.type != "dir":
            return node._replace(readable=self.root or "r" in what, writable="w" in what)
        readable = self.root or ("r" in what and "x" in what)
        writable = "w" in what and "x" in what and "o" not in what  # root may, says the shell of busybox
        return node._replace(readable=readable, writable=writable, readonly="o" in what, empty="e" in what)

    def _read_files(self, found: dict[str, Node]) -> None:
        names = [name[2:] for name in self._said.words()]
        digests = self._digests(names)
        small = [name[2:] for name in self._said.words()]
        contents = self._said.next()
        at = 0
        pieces: dict[str, bytes] = {}
        for name in small:
            size = found[name].size if name in found else 0
            pieces[name] = contents[at : at + size]
            at += size
        for name, digest in digests.items():
            if name not in found:
                continue
            piece = pieces.get(name)
            if piece is not None and digest is not None and sha256(piece).hexdigest() != digest:
                raise Flux
            known = found[name]._replace(digest=digest, content=piece)
            found[name] = known if digest is not None else known._replace(readable=False)

    def _digests(self, names: Sequence[str]) -> dict[str, str | None]:
        lines = self._said.lines()
        if len(lines) != len(names):
            raise Flux
        found = (line.lstrip("\\")[:_DIGEST_LENGTH] for line in lines)
        return {name: digest if len(digest) == _DIGEST_LENGTH else None for name, digest in zip(names, found, strict=True)}

    def _whole(self, top: Node) -> Node:
        """A directory with everything beneath it, parents before children."""
        if not self._said.text().startswith("tree "):
            raise Flux
        entries: dict[str, Node] = {}
        seen = False
        while (above := self._said.text()) != "over":
            seen = True
            around_ns = self.node(self._said.text().rstrip("\n")).mtime_ns
            listed = self._listed()
            self._fill(listed)
            entries.update((above + name, node._replace(around_ns=around_ns)) for name, node in listed.items())
        return top._replace(entries=entries) if seen else top._replace(readable=False)

    def _fill(self, listed: dict[str, Node]) -> None:
        regular = [name for name, node in listed.items() if node.type == "file"]
        text = self._said.lines()
        if not text:
            return
        if len(text) != len(regular):
            raise Flux
        for name, line in zip(regular, text, strict=True):
            digest = line.lstrip("\\")[:_DIGEST_LENGTH]
            known = len(digest) == _DIGEST_LENGTH
            listed[name] = listed[name]._replace(digest=digest if known else None, readable=known)


def _room(line: str) -> int:
    """Bytes that are free."""
    blocks, _, size = line.partition(" ")
    return int(blocks) * int(size) if size else -1


def seen(signature: str) -> Node:
    """A signature, back into a node that can be described."""
    if signature in ("", "-"):
        return ABSENT
    raw, uid, gid, _, _, *more = signature.split(" ", 6)
    kind = _TYPES.get(int(raw, 16) & 0o170000, "file")
    node = Node(kind, int(raw, 16) & 0o7777, int(uid), int(gid))
    if len(more) < 2:
        return node
    if kind == "link":
        return node._replace(target=more[1])
    return node._replace(digest=more[1]) if more[0] == "=" else node
