"""Files and directories from hosts: written beside their place, compared with what the host has, then named."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from io import BufferedReader

from holdfast.core.errors import WorldError
from holdfast.ssh.archive import Tree, unpack
from holdfast.ssh.carrying import Carrying
from holdfast.ssh.dialogue import Dialogue
from holdfast.ssh.far_side import SUMS_BYTES_MAX, Pour, Talk, far_path, repeatable, sums_of
from holdfast.ssh.local_side import Inflow, Sink, said_plainly
from holdfast.ssh.placing import own, parent_of, place_for, put
from holdfast.ssh.values import Transferred


class Download(Carrying):
    async def carry(self) -> Transferred:
        base = os.path.basename(self._asked.source.rstrip("/"))
        with said_plainly():
            to = place_for(self._asked.to, base, self._asked.on_conflict)
            if to is None:
                return self._nothing
            sink = Sink(parent_of(to))
        try:
            with repeatable():
                talk = await self._side.run(
                    "send_file", far_path(self._asked.source), watch=lambda error, data: self._take(sink, error, data)
                )
            if "tree" not in talk.notes:
                return self._keep_file(sink, talk, to)
        finally:
            sink.discard()
        return await self._tree(talk)

    def _take(self, sink: Sink, error: bool, data: bytes) -> None:
        if not error:
            sink.feed(data)
            self._progress(sink.size, sink.size)

    def _keep_file(self, sink: Sink, talk: Talk, to: str) -> Transferred:
        asked = self._asked
        mode, time, size = talk.notes["file"].split()
        checksum = sink.finish(self._mode(int(mode, 8)), asked.owner, asked.group, float(time) if asked.times else None)
        self._expect(checksum == talk.notes.get("sum") and sink.size == int(size))
        with said_plainly():
            if not put(sink.path, to, asked.on_conflict, self._stamp, tree=False):
                return self._nothing
        return self._done(1, sink.size, checksum)

    async def _tree(self, talk: Talk) -> Transferred:
        asked = self._asked
        with said_plainly():
            to = place_for(asked.to.rstrip("/") or "/", "", asked.on_conflict)
            if to is None:
                return self._nothing
            new = tempfile.mkdtemp(prefix=".holdfast-", dir=parent_of(to))
        try:
            with repeatable():
                tree = await self._receive(new)
                sums = await self._side.run("send_tree", far_path(asked.source), "sums", keep=SUMS_BYTES_MAX)
            self._expect(sums_of(sums.ran.stdout) == tree.sums)
            if not await asyncio.to_thread(self._keep_tree, new, to, talk.notes["tree"].split()):
                return self._nothing
        finally:
            shutil.rmtree(new, ignore_errors=True)
        return self._done(len(tree.sums), tree.bytes, tree.checksum)

    async def _receive(self, new: str) -> Tree:
        found: list[Tree] = []
        inflow = Inflow()

        def hear(error: bool, data: bytes) -> None:
            if not error:
                inflow.feed(data)
                self._progress(inflow.received, inflow.received)

        try:
            await self._side.run(
                "send_tree",
                far_path(self._asked.source),
                "archive",
                pour=lambda talk: self._pour(inflow, new, found),
                watch=hear,
            )
        finally:
            inflow.end()
        return found[0]

    def _pour(self, inflow: Inflow, new: str, found: list[Tree]) -> Pour:
        async def pour(dialogue: Dialogue) -> None:
            loop = asyncio.get_running_loop()

            def pause(paused: bool) -> None:
                loop.call_soon_threadsafe(dialogue.pause, paused)

            inflow.pause = pause
            dialogue.on_eof = inflow.end
            if dialogue.over.is_set():
                inflow.end()
            found.append(await asyncio.to_thread(self._unpack, inflow, new))

        return pour

    def _unpack(self, inflow: Inflow, new: str) -> Tree:
        with said_plainly():
            return unpack(BufferedReader(inflow), new, self._asked.mode, times=self._asked.times)

    def _keep_tree(self, new: str, to: str, attributes: list[str]) -> bool:
        asked = self._asked
        with said_plainly():
            own(new, asked.owner, asked.group)
            os.chmod(new, self._mode_of_tree(int(attributes[0], 8)))
            os.sync()
            if asked.times:
                os.utime(new, (float(attributes[1]),) * 2)
            return put(new, to, asked.on_conflict, self._stamp, tree=True)

    def _expect(self, same: bool) -> None:
        if not same:
            message = f"{self._side.host}: {self._asked.source} changed while it was read"
            raise WorldError(message, code="checksum_mismatch")
