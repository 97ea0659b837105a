"""How paths, nodes and whole scripts are said to the shell on a host. Signatures are explained in `looking.sh`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

from holdfast.drivers.files.looking import FORMATS
from holdfast.kinds.node import Node

PARTS: Final = ("looking.sh", "keeping.sh", "building.sh", "switching.sh", "guarding.sh", "beginning.sh")
NOTHING: Final = "-"
_SECOND_NS: Final = 1_000_000_000


def quoted(word: str | bytes) -> bytes:
    """One word of a shell, whatever is in it but NUL."""
    raw = os.fsencode(word) if isinstance(word, str) else word
    return b"'" + raw.replace(b"'", b"'\\''") + b"'"


def call(*words: str | bytes | int) -> bytes:
    """One call of a function there, with its words."""
    first, *rest = (str(word) if isinstance(word, int) else word for word in words)
    name = first.encode() if isinstance(first, str) else first
    return b" ".join([name, *map(quoted, rest)]) + b"\n"


@lru_cache(maxsize=1)
def library() -> bytes:
    """Everything that the shell is made of, without what only its reader wants."""
    text = "".join((files(__package__) / name).read_text(encoding="utf-8") for name in PARTS)
    return "".join(f"{line.strip()}\n" for line in text.splitlines() if not line.strip().startswith("#")).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What the tools of a host are like."""

    gnu: bool  # coreutils; else busybox
    base64: bool
    uid: int
    gid: int
    mark: bytes  # ends a section of an answer

    # -- times

    def moment(self, ns: int) -> str:
        """As `stat` writes it there."""
        seconds, rest = divmod(ns, _SECOND_NS)
        if self.gnu:
            return f"{seconds}.{rest:09d}"
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{rest:09d} +0000"

    def nanoseconds(self, text: str) -> int:
        if self.gnu:
            seconds, _, rest = text.partition(".")
            return int(seconds) * _SECOND_NS + int(rest or 0)
        day, _, zone = text.partition(".")
        return int(datetime.fromisoformat(f"{day[:19]}+00:00").timestamp()) * _SECOND_NS + int(zone[:9] or 0)

    def wish(self, ns: int) -> str:
        """As `touch` reads it there: busybox knows whole seconds only."""
        return f"@{self.moment(ns)}" if self.gnu else self.moment(ns)[:19]

    # -- nodes

    def line(self, node: Node) -> str:
        """How an object looked when it was inspected; nothing to compare with when that is not known well enough."""
        if not node.ino:
            return ""
        since = self.moment(node.ctime_ns) if node.ctime_ns else "?"
        return f"{head(node)} {self.stamp(node)}|{since}"

    def stamp(self, node: Node) -> str:
        return f"{node.size} {node.dev} {node.ino} {self.moment(node.mtime_ns)}"

    def signature(self, node: Node, *, emptied: bool = False) -> str:
        """What `look` must find, as deep as this node is known. `emptied`: a directory must be empty."""
        if not node.exists:
            return NOTHING
        if node.type == "link":
            return f"{head(node)} > {node.target}"
        if node.type == "file":
            return f"{head(node)} = {node.digest}" if node.digest is not None else f"{head(node)} @ {self.stamp(node)}"
        if node.type != "dir":
            return head(node)
        if node.entries:
            return f"{head(node)} {self._entries(node.entries)}".rstrip()
        return f"{head(node)} !" if emptied and node.empty else head(node)

    def _entries(self, entries: Mapping[str, Node]) -> str:
        regular = [node for node in entries.values() if node.type == "file"]
        if all(node.digest is not None or not node.readable for node in regular):
            return f"* {self._digest(entries, by_content=True)}"
        if all(node.ino for node in regular):
            return f"# {self._digest(entries, by_content=False)}"
        return ""  # a mixture of what was seen and what was predicted: the directory itself is compared

    def _digest(self, entries: Mapping[str, Node], *, by_content: bool) -> str:
        """Over the text that `tree` prints there."""
        digest = sha256()
        for above, names in walked(entries):
            nodes = [entries[above + name] for name in names]
            regular = [(name, node) for name, node in zip(names, nodes, strict=True) if node.type == "file"]
            files = _digests(regular) if by_content else [f"{self.stamp(node)}\n" for _, node in regular]
            sections = (
                above,
                "".join(f"./{name}\0" for name in names),
                "".join(f"{head(node)}\n" for node in nodes),
                "".join(f"{node.target}\0" for node in nodes if node.type == "link"),
                "".join(files),
            )
            for section in sections:
                digest.update(os.fsencode(section) + self.mark + b"\n")
        return digest.hexdigest()


def head(node: Node) -> str:
    mode = FORMATS[node.type] | (0o777 if node.type == "link" else node.mode)
    return f"{mode:x} {node.uid} {node.gid} {os.major(node.rdev):x} {os.minor(node.rdev):x}"


def walked(entries: Mapping[str, Node]) -> Iterator[tuple[str, list[str]]]:
    """Every directory, written as what stands before the names in it, with these names in the order of `ALL`."""
    beneath: dict[str, list[str]] = {"": []}
    for path, node in entries.items():
        above, slash, name = path.rpartition("/")
        beneath.setdefault(above + slash, []).append(name)
        if node.type == "dir":
            beneath.setdefault(f"{path}/", [])
    todo = [""]
    while todo:
        above = todo.pop()
        names = sorted(beneath[above], key=_order)
        yield above, names
        todo += [f"{above}{name}/" for name in reversed(names) if entries[above + name].type == "dir"]


def _order(name: str) -> tuple[int, bytes]:
    hidden = 0 if name[0] != "." else 1 if name[1:2] != "." else 2
    return hidden, os.fsencode(name)


def _digests(regular: list[tuple[str, Node]]) -> list[str]:
    odd = any("\n" in name or "\\" in name or node.digest is None for name, node in regular)
    if odd:
        return ["-\n" if node.digest is None else f"{node.digest}  -\n" for _, node in regular]
    return [f"{node.digest}  ./{name}\n" for name, node in regular]
