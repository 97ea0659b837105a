"""A place to work at: a local driver, a directory, and short ways to look, apply and undo."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from holdfast.core.change import Change, Depth, Look
from holdfast.drivers.contract import Batch, Ending, Move, Outcome
from holdfast.drivers.files.calls import Calls
from holdfast.drivers.files.local import Local
from holdfast.kinds.content import Content
from holdfast.kinds.node import ABSENT, Node
from holdfast.testing import zoo

_RUN = uuid4().hex  # stashes of other mounts outlive a test run
_NUMBERS = count(1)


AS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not AS_ROOT, reason="only root may do this")


def node(kind: str, mode: int = 0o777, **more: Any) -> Node:
    """A node as we would make it."""
    return Node(kind, mode, **{"uid": os.geteuid(), "gid": os.getegid(), **more})


OPEN: list[Bench] = []  # closed after each test, so that no stash stays behind on another mount


class Bench:
    def __init__(self, base: Path, calls: Calls | None = None, roots: Sequence[Path] = ()) -> None:
        self.base = base
        self.root = base / "root"
        self.root.mkdir(exist_ok=True)
        self.stash = base / "stash"
        self.roots = [str(root) for root in roots]
        self.driver = Local(self.stash, self.roots, calls=calls)
        OPEN.append(self)

    def close(self) -> None:
        asyncio.run(self.driver.close())

    def restart(self, calls: Calls | None = None) -> None:
        """Another process takes over."""
        self.close()
        self.driver = Local(self.stash, self.roots, calls=calls)

    def key(self, name: str | Path) -> str:
        return str(self.root / name)

    def look(self, name: str | Path, depth: Depth = Depth.CONTENT) -> Node:
        found = asyncio.run(self.driver.inspect([Look(self.key(name), depth)]))[self.key(name)]
        assert isinstance(found, Node)
        return found

    def apply(self, *moves: Move, keep_going: bool = False) -> Sequence[Outcome]:
        return asyncio.run(self.driver.apply(Batch(moves, keep_going)))

    def do(self, *changes: Change) -> tuple[Move, ...]:
        moves = moves_of(*changes)
        outcomes = self.apply(*moves)
        failures = [outcome.failure for outcome in outcomes if outcome.ending is not Ending.DONE]
        assert not failures, failures
        return moves

    def undo(self, *moves: Move) -> Sequence[Outcome]:
        return self.apply(*undoing(*moves), keep_going=True)

    def undone(self, *moves: Move) -> None:
        outcomes = self.undo(*moves)
        failures = [outcome.failure for outcome in outcomes if outcome.ending is not Ending.DONE]
        assert not failures, failures

    def settle(self, *moves: Move) -> None:
        asyncio.run(self.driver.settle(moves))

    def manifest(self) -> dict[str, zoo.Row]:
        return zoo.manifest(self.root)

    def kept(self) -> list[str]:
        """What lies in the stash."""
        return (
            sorted(path.name for path in self.stash.iterdir() if not path.name.startswith(".at-"))
            if self.stash.exists()
            else []
        )

    # -- changes, planned as they should be

    def file(self, name: str, content: bytes, mode: int = 0o644) -> Change:
        new = Content.of(content)
        found = self.look(name)
        if found.type == "file":
            after = found._replace(digest=new.digest, size=new.size, content=None)
        else:
            after = node("file", mode, digest=new.digest, xattrs="", size=new.size)
        return Change(self.key(name), found, after, means=new)

    def link(self, name: str, target: str) -> Change:
        return Change(self.key(name), self.look(name), node("link", 0o777, target=target))

    def folder(self, name: str, mode: int = 0o755) -> Change:
        return Change(self.key(name), self.look(name), node("dir", mode))

    def removal(self, name: str, depth: Depth = Depth.TREE) -> Change:
        return Change(self.key(name), self.look(name, depth), ABSENT)

    def move(self, source: str | Path, goal: str | Path, depth: Depth = Depth.TREE) -> Change:
        return Change(self.key(goal), self.look(goal), self.look(source, depth), origin=self.key(source))


def moves_of(*changes: Change) -> tuple[Move, ...]:
    return tuple(Move(f"test-{_RUN}/{next(_NUMBERS)}", change) for change in changes)


def undoing(*moves: Move) -> tuple[Move, ...]:
    return tuple(Move(move.id, move.change.reversed(), undo=True) for move in reversed(moves))
