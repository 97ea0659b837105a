"""Files and directories to hosts: one stream each, verified there, and named only when complete.

A large file goes on where a broken upload ended. Many small files travel as one archive: none costs a round trip.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Final

from holdfast.core.errors import WorldError
from holdfast.ssh.archive import Tree, pack, size_of
from holdfast.ssh.carrying import Carrying
from holdfast.ssh.dialogue import Dialogue
from holdfast.ssh.far_side import SUMS_BYTES_MAX, Pour, Talk, far_path, repeatable, sent, sums_of
from holdfast.ssh.local_side import Source, said_plainly
from holdfast.ssh.values import Transferred

LARGE_BYTES_MIN: Final = 16 * 1024 * 1024  # smaller ones are sent again when they broke, and need no program of their own


class Upload(Carrying):
    async def carry(self) -> Transferred:
        with said_plainly():
            if os.path.isdir(self._asked.source):
                return await self._tree()
            source = Source(self._asked.source)
        try:
            return await self._file(source)
        finally:
            source.close()

    async def _file(self, source: Source) -> Transferred:
        asked = self._asked
        large = source.size >= LARGE_BYTES_MIN
        key, taker = source.key if asked.resume and large else "", sent("take_file.py") if large else ""
        words = (far_path(asked.to), os.path.basename(asked.source), asked.on_conflict, str(source.size), key, taker)
        with repeatable():
            talk = await self._side.run("receive_file", *words, pour=lambda talk: self._send(talk, source))
        if "skipped" in talk.notes:
            return self._nothing
        await self._expect(talk.notes.get("sum") == source.checksum, talk)
        if not await self._finish("file", talk, self._mode(source.stat.st_mode), source.stat.st_mtime):
            return self._nothing
        return self._done(1, source.size, source.checksum, int(talk.notes.get("have", "0")))

    def _send(self, talk: Talk, source: Source) -> Pour:
        async def pour(dialogue: Dialogue) -> None:
            if not await talk.wrap.heard_of("have", dialogue):
                return
            done = int(talk.notes["have"])
            if done:
                await asyncio.to_thread(source.skip, done)
            data = source.chunk()  # on the loop: a hop to a thread and back costs more than to read and hash
            while data and not dialogue.exited.is_set():
                done += len(data)
                if done > source.size:
                    break
                dialogue.write(data)
                data = source.chunk()  # while the one before is on its way
                await dialogue.writable.wait()
                self._progress(done, source.size)
            if done != source.size and not dialogue.exited.is_set():
                raise WorldError(f"here: {source.path} changed while it was read", code="checksum_mismatch")

        return pour

    async def _tree(self) -> Transferred:
        asked, tree = self._asked, Tree()
        total = await asyncio.to_thread(size_of, asked.source)
        words = (far_path(asked.to).rstrip("/") or "/", "", asked.on_conflict)
        with repeatable():
            talk = await self._side.run(
                "receive_tree", *words, pour=lambda talk: self._send_tree(talk, tree, total), keep=SUMS_BYTES_MAX
            )
        if "skipped" in talk.notes:
            return self._nothing
        await self._expect(sums_of(talk.ran.stdout) == tree.sums, talk)
        found = os.stat(asked.source)
        if not await self._finish("tree", talk, self._mode_of_tree(found.st_mode), found.st_mtime):
            return self._nothing
        return self._done(len(tree.sums), tree.bytes, tree.checksum)

    def _send_tree(self, talk: Talk, tree: Tree, total: int) -> Pour:
        async def pour(dialogue: Dialogue) -> None:
            if not await talk.wrap.heard_of("at", dialogue):
                return
            pieces = pack(self._asked.source, tree, self._asked.mode, times=self._asked.times)
            while not dialogue.exited.is_set() and (data := await asyncio.to_thread(_next_piece, pieces)):
                await _write(dialogue, data)
                self._progress(tree.bytes, total)

        return pour

    async def _expect(self, arrived: bool, talk: Talk) -> None:
        if not arrived:
            await self._side.remove(talk.new)
            message = f"{self._side.host}: {self._asked.to} did not arrive as it was sent"
            raise WorldError(message, code="checksum_mismatch")

    async def _finish(self, kind: str, talk: Talk, mode: int, time: float) -> bool:
        """Give it its name. False: something came meanwhile, and is left alone."""
        asked = self._asked
        owner = asked.owner + (f":{asked.group}" if asked.group else "")
        at = f"{time:.0f}" if asked.times else ""
        words = (kind, talk.new, talk.to, asked.on_conflict, f"{mode:o}", owner, at, self._stamp)
        try:
            with repeatable(asked.on_conflict == "overwrite"):
                done = await self._side.run("finish", *words)
        except BaseException:
            await self._side.remove(talk.new)
            raise
        return "skipped" not in done.notes


async def _write(dialogue: Dialogue, data: bytes) -> None:
    dialogue.write(data)
    await dialogue.writable.wait()


def _next_piece(pieces: Iterator[bytes]) -> bytes:
    with said_plainly():
        return next(pieces, b"")
