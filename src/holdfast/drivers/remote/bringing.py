"""A driver around that of local files: contents that are on a host come into a private file here first.

They are checked against their digest when the local driver puts them where they belong. The private files are gone
when the batch is over.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from shutil import rmtree
from typing import Any

from holdfast.core.change import Look, State
from holdfast.core.errors import WorldError
from holdfast.drivers.contract import Batch, Carrier, Driver, Ending, Fetched, Keeper, Move, Outcome
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
            return (await self._inner.apply(Batch((move._replace(needs=()),))))[0]
        os.makedirs(self._work, mode=0o700, exist_ok=True)
        folder = tempfile.mkdtemp(prefix="brought.", dir=self._work)
        try:
            means = await self._brought(move.change.means, move.change.after, folder)
            here = move._replace(change=move.change._replace(means=means), needs=())
            return (await self._inner.apply(Batch((here,))))[0]
        except WorldError as error:
            return Outcome(Ending.FAILED, error.as_failure())
        finally:
            rmtree(folder, ignore_errors=True)  # it is private, and lies where such things are swept up

    async def _brought(self, content: object, node: State, folder: str) -> Any:
        assert isinstance(node, Node) and isinstance(content, Content)
        if node.type != "dir":
            return await self._bring(content, f"{folder}/content")
        files = [path for path, entry in (node.entries or {}).items() if entry.type == "file"]
        return await self._bring_all([content.below(path) for path in files], files, folder)

    async def _bring_all(self, contents: Sequence[Content], paths: Sequence[str], folder: str) -> dict[str, Content]:
        """In one stream where the source can do that; one by one would cost a round trip each."""
        places = [f"{folder}/{number}" for number in range(len(contents))]
        source = self._source(contents[0].feed[0]) if contents else None
        if not isinstance(source, Carrier):
            found = [await self._bring(content, to) for content, to in zip(contents, places, strict=True)]
            return dict(zip(paths, found, strict=True))
        with Landing(places) as landing:
            await source.fetch_all([content.feed[1] for content in contents], landing.file)
        return {path: content._replace(feed=None, path=to) for path, content, to in zip(paths, contents, places, strict=True)}

    async def _bring(self, content: Content, to: str) -> Content:
        target, path = content.feed
        source: Keeper = self._source(target)  # type: ignore[assignment]  # hosts have drivers of files
        with Landing([to]) as landing:
            await source.fetch(path, landing.file(0))
        return content._replace(feed=None, path=to)


class Landing:
    """Private files that are filled one after the other; those that nothing came for are empty."""

    def __init__(self, places: Sequence[str]) -> None:
        self._places = places
        self._made = 0
        self._fd = -1

    def __enter__(self) -> Landing:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        while kind is None and self._made < len(self._places):
            self._next()
        self._close()

    def file(self, number: int) -> int:
        """The file of this number; those before it have all they get."""
        while self._made <= number:
            self._next()
        return self._fd

    def _next(self) -> None:
        self._close()
        self._fd = os.open(self._places[self._made], os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._made += 1

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


def _feeds(move: Move) -> bool:
    return not move.undo and isinstance(move.change.means, Content) and move.change.means.feed is not None
