"""A driver around that of local files: contents that are on a host come into a private file here first.

They are checked against their digest when the local driver puts them where they belong. The private files are gone
when the batch is over.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from shutil import rmtree
from typing import Any

from holdfast.core.change import Look, State
from holdfast.core.errors import WorldError
from holdfast.drivers.contract import Batch, Driver, Ending, Fetched, Keeper, Move, Outcome
from holdfast.drivers.one_by_one import one_by_one
from holdfast.kinds.content import Content
from holdfast.kinds.node import Node


class Bringing:
    def __init__(self, inner: Driver, source: Callable[[str], Driver], work: str) -> None:
        self._inner = inner
        self._source = source
        self._work = work

    async def inspect(self, looks: Sequence[Look]) -> Mapping[str, State]:
        return await self._inner.inspect(looks)

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        """As one batch where nothing has to be brought; else what cannot be had fails alone."""
        if not any(_feeds(move) for move in batch.moves):
            return await self._inner.apply(batch)
        return await one_by_one(batch, self._make)

    async def settle(self, moves: Sequence[Move]) -> None:
        await self._inner.settle(moves)

    async def close(self) -> None:
        await self._inner.close()

    async def fetch(self, key: str, into: int | None) -> Fetched:
        return await self._keeper.fetch(key, into)

    async def untouched(self, moves: Sequence[Move]) -> set[str]:
        return await self._keeper.untouched(moves)

    @property
    def _keeper(self) -> Keeper:
        keeper: Keeper = self._inner  # type: ignore[assignment]  # only drivers of files are asked
        return keeper

    async def _make(self, move: Move) -> Outcome:
        if not _feeds(move):
            return (await self._inner.apply(Batch((replace(move, needs=()),))))[0]
        os.makedirs(self._work, mode=0o700, exist_ok=True)
        folder = tempfile.mkdtemp(prefix="brought.", dir=self._work)
        try:
            means = await self._brought(move.change.means, move.change.after, folder)
            here = replace(move, change=replace(move.change, means=means), needs=())
            return (await self._inner.apply(Batch((here,))))[0]
        except WorldError as error:
            return Outcome(Ending.FAILED, error.as_failure())
        finally:
            rmtree(folder, ignore_errors=True)  # it is private, and lies where such things are swept up

    async def _brought(self, content: Content, node: State, folder: str) -> Any:
        assert isinstance(node, Node)
        if node.type != "dir":
            return await self._bring(content, f"{folder}/content")
        files = [path for path, entry in (node.entries or {}).items() if entry.type == "file"]
        return {path: await self._bring(content.below(path), f"{folder}/{n}") for n, path in enumerate(files)}

    async def _bring(self, content: Content, to: str) -> Content:
        target, path = content.feed
        source: Keeper = self._source(target)  # type: ignore[assignment]  # hosts have drivers of files
        fd = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            await source.fetch(path, fd)
        finally:
            os.close(fd)
        return content._replace(feed=None, path=to)


def _feeds(move: Move) -> bool:
    return not move.undo and isinstance(move.change.means, Content) and move.change.means.feed is not None
