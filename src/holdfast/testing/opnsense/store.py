"""The configuration: an immutable tree, its history, and the lock that most writers take and some do not.

A save replaces the whole tree, as the appliance rewrites its file. Whoever read the tree before somebody else saved,
and saves without having read again, takes the other's change away; nothing here prevents it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Final

from holdfast.testing.opnsense.clock import Clock

Item = Mapping[str, str]
Listing = Mapping[str, Item]
Config = Mapping[str, Listing]

RETENTION: Final = 100
NOTHING: Final[Listing] = {}


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote, and through which call: what the history says about a revision."""

    user: str
    address: str
    key: str
    uri: str


@dataclass(frozen=True)
class Revision:
    time: float
    author: Author
    config: Config
    size: int = 0

    @property
    def id(self) -> str:
        return f"config-{self.time:.4f}.xml"

    @property
    def description(self) -> str:
        return f"{self.author.uri} made changes"

    @property
    def username(self) -> str:
        return f"{self.author.user}@{self.author.address}"

    @cached_property
    def xml(self) -> str:
        return as_xml(self)


class Store:
    def __init__(self, config: Config, clock: Clock, retention: int = RETENTION) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        self.retention = retention
        self.config = config
        self.previous = config
        self.file: Path | None = None  # where it lies for whoever comes in by another door
        self._size = weight(config)
        self.revisions: list[Revision] = []
        self.save(config, Author("root", "127.0.0.1", "", "/system_initial"))

    def save(self, config: Config, author: Author) -> Revision:
        """Make this the configuration; the newest revision stands first."""
        self.previous, self.config = self.config, config
        self._size += grown(self.previous, config)
        revision = Revision(self.clock.advance(0.0001), author, config, self._size)
        self.revisions = [revision, *self.revisions][: self.retention]
        self.write()
        return revision

    def write(self) -> None:
        if self.file is not None:
            new = self.file.with_suffix(".new")
            new.write_text(json.dumps(self.config))
            new.replace(self.file)

    def revision(self, name: str) -> Revision | None:
        return next((revision for revision in self.revisions if revision.id == name), None)

    def prune(self, keep: int) -> None:
        self.revisions = self.revisions[:keep]


def replaced(config: Config, path: str, listing: Listing) -> Config:
    return {**config, path: listing}


def as_xml(revision: Revision) -> str:
    """A text of the tree in the manner of the appliance's file: complete, one line per value, good for comparing."""
    lines = ['<?xml version="1.0"?>', "<opnsense>"]
    for path, listing in sorted(revision.config.items()):
        lines.append(f'  <model path="{escape(path)}">')
        for uuid, item in listing.items():
            lines.append(f'    <item uuid="{escape(uuid)}">')
            lines += (f'      <value name="{escape(name)}">{escape(value)}</value>' for name, value in item.items())
            lines.append("    </item>")
        lines.append("  </model>")
    return "\n".join([*lines, *_signature(revision), "</opnsense>", ""])


def _signature(revision: Revision) -> list[str]:
    return [
        "  <revision>",
        f"    <username>{escape(revision.username)}</username>",
        f"    <description>{escape(revision.description)}</description>",
        f"    <time>{revision.time:.4f}</time>",
        "  </revision>",
    ]


def weight(config: Config) -> int:
    """The size of a tree in characters, near enough for a listing; what trees share is not measured for each of them."""
    return sum(_weight(item) for listing in config.values() for item in listing.values())


def _weight(item: Item) -> int:
    return 64 + sum(30 + len(name) + len(value) for name, value in item.items())


def grown(before: Config, after: Config) -> int:
    """By how much a save changed the size of the tree: only what it changed is looked at."""
    changed = [path for path in {*before, *after} if before.get(path) is not after.get(path)]
    old = {(path, uuid): item for path in changed for uuid, item in before.get(path, NOTHING).items()}
    new = {(path, uuid): item for path in changed for uuid, item in after.get(path, NOTHING).items()}
    gone = [item for key, item in old.items() if new.get(key) is not item]
    come = [item for key, item in new.items() if old.get(key) is not item]
    return sum(map(_weight, come)) - sum(map(_weight, gone))
