"""The driver of paths on a host: the local engine, carried there. One round trip looks at, or moves, a whole batch.

A connection that is lost while a batch is made leaves every move of it in doubt; what became of them is found out by
looking. Nothing is made a second time on suspicion.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from holdfast.core.change import FACTS, Look, State
from holdfast.core.errors import Bug, Failure, StorageFailed, WorldError
from holdfast.drivers.contract import Batch, Ending, Fetched, Move, Outcome
from holdfast.drivers.files.forms import keeps_what_was
from holdfast.drivers.files.local import SECRET, as_facts, as_outcome
from holdfast.drivers.files.stash import slot_name
from holdfast.drivers.files.values import Report
from holdfast.drivers.remote.guard import Guards, run_of
from holdfast.drivers.remote.host import Host
from holdfast.drivers.remote.hosts import Hosts
from holdfast.drivers.remote.near import Line, Lost
from holdfast.drivers.remote.sending import Sending
from holdfast.drivers.remote.wire import state_from, taken
from holdfast.drivers.secrets import Secrets
from holdfast.kinds.content import digest_of
from holdfast.kinds.contract import Secret
from holdfast.kinds.node import Sealed

AGAIN_S: Final = (0.0, 0.5, 2.0, 4.0)  # before each further try
LOST: Final = Failure(code="in_doubt", message="the connection was lost while it was made", doubtful=True)
_IN_DOUBT: Final = Outcome(Ending.IN_DOUBT, LOST)


class RemoteFiles(Guards):
    """Paths of one host."""

    def __init__(self, host: Host, hosts: Hosts, secrets: Secrets) -> None:
        super().__init__(host, secrets)
        self._hosts = hosts

    async def inspect(self, looks: Sequence[Look]) -> Mapping[str, State]:
        asked = [(key, depth.value) for key, depth in looks if not key.startswith(SECRET)]
        found: dict[str, Any] = {}
        if asked:
            answer, beside = await self._again("inspect", looks=asked)
            found = {key: state_from(key, values, beside) for key, values in answer.items()}
        if FACTS in found:
            found[FACTS] = as_facts(found[FACTS])
        found.update((key, self._sealed(key[len(SECRET) :])) for key, _ in looks if key.startswith(SECRET))
        return found

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        undo = any(move.undo for move in batch.moves)
        runs = sorted({run_of(move.id) for move in batch.moves})
        await self.hold(runs, undo=undo)
        sending = Sending(self._secrets)
        orders = [sending.order(move) for move in batch.moves]
        labels = [self._host.label(run) for run in runs]
        self._host.took_over.update(labels)
        asked: dict[str, Any] = {"serve": sending.serve, "orders": orders, "keep_going": batch.keep_going, "runs": labels}
        try:
            answer, _ = await (self._again("apply", **asked) if undo else self._host.ask("apply", **asked))
        except Lost:
            return [_IN_DOUBT] * len(batch.moves)
        except WorldError as error:
            if error.code == "storage_failed":
                raise StorageFailed(error.message) from error
            raise
        return [as_outcome(Report(*values)) for values in answer]

    async def settle(self, moves: Sequence[Move]) -> None:
        ids = [move.id for move in moves]
        await self._again("settle", ids=ids, runs=sorted({self._host.label(run_of(id)) for id in ids}))

    async def close(self) -> None:
        self.hush()
        await self._hosts.leave(self._host)

    async def fetch(self, key: str, into: int | None) -> Fetched:
        async def receive(worker: Line, said: dict[str, Any]) -> None:
            assert into is not None
            _write(into, taken(said["piece"], said["beside"]))

        try:
            (digest, xattrs), beside = await self._host.ask("fetch", receive, path=key, content=into is not None)
        except Lost as lost:
            raise lost.error from lost
        return Fetched(digest, {name: taken(place, beside) for name, place in xattrs})

    async def fetch_all(self, keys: Sequence[str], into: Callable[[int], int]) -> None:
        async def receive(worker: Line, said: dict[str, Any]) -> None:
            _write(into(said["of"]), taken(said["piece"], said["beside"]))

        try:
            await self._host.ask("fetch_all", receive, paths=list(keys))
        except Lost as lost:
            raise lost.error from lost

    async def untouched(self, moves: Sequence[Move]) -> set[str]:
        answer, _ = await self._again("slots")
        slots = set(answer)
        return {move.id for move in moves if keeps_what_was(move.change) and slot_name(move.id) not in slots}

    async def _again(self, what: str, **values: Any) -> Any:
        """What may be asked twice is asked again, over a new connection: looking, and taking back, which looks first."""
        for number, pause_s in enumerate((*AGAIN_S, None), 1):
            try:
                return await self._host.ask(what, **values)
            except Lost as lost:
                if pause_s is None:
                    raise lost.error from lost
                found = lost.error
            except WorldError as error:  # a host that was there a moment ago may come back
                if pause_s is None or error.code != "unreachable" or not self._host.known:
                    raise
                found = error
            self._host.retrying(found, number, pause_s)
            await asyncio.sleep(pause_s)
        raise Bug("the last try either answers or raises")

    def _sealed(self, reference: str) -> Sealed:
        try:
            data = self._secrets.value(Secret(reference)).encode("utf-8", "surrogateescape")
        except WorldError:
            return Sealed()  # that it cannot be had is the answer
        return Sealed(digest_of(data), len(data))


def _write(fd: int, piece: bytes) -> None:
    left = memoryview(piece)
    while left:
        left = left[os.write(fd, left) :]
