"""The driver of local paths: the contract around the engine. Its coroutines never wait, so any thread may drive them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from holdfast.core.change import FACTS, Facts, Look, State
from holdfast.core.errors import Failure, StorageFailed, WorldError
from holdfast.drivers.contract import Batch, Ending, Fetched, Move, Outcome
from holdfast.drivers.files.calls import Calls
from holdfast.drivers.files.engine import FileEngine
from holdfast.drivers.files.fetching import fetch
from holdfast.drivers.files.forms import keeps_what_was
from holdfast.drivers.files.stash import slot_name
from holdfast.drivers.files.values import NotDurable, Order, Report, trouble_of
from holdfast.kinds.content import Content, digest_of
from holdfast.kinds.node import Node, Sealed

if TYPE_CHECKING:
    from holdfast.drivers.secrets import Secrets

SECRET: Final = "@secret/"


class Local:
    """Paths of this machine. `home` is the state directory's folder for what is kept until a run is settled."""

    def __init__(
        self,
        home: str | os.PathLike[str],
        roots: Sequence[str] = (),
        *,
        calls: Calls | None = None,
        secrets: Secrets | None = None,
    ) -> None:
        self.engine = FileEngine(os.fspath(home), roots, calls)
        self._secrets = secrets

    async def inspect(self, looks: Sequence[Look]) -> Mapping[str, State]:
        try:
            found = self.engine.inspect([(key, depth.value) for key, depth in looks if not key.startswith(SECRET)])
        except OSError as error:
            raise _world_error(error) from error
        states: dict[str, Any] = found
        if FACTS in states:
            states[FACTS] = as_facts(states[FACTS])
        states.update((look.key, self._sealed(look.key[len(SECRET) :])) for look in looks if look.key.startswith(SECRET))
        return states

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        outcomes: dict[Report, Outcome] = {}
        try:
            reports = self.engine.apply([self._order(move) for move in batch.moves], batch.keep_going)
        except NotDurable as error:
            raise StorageFailed(str(error)) from error
        return [outcomes.get(report) or outcomes.setdefault(report, as_outcome(report)) for report in reports]

    async def settle(self, moves: Sequence[Move]) -> None:
        try:
            self.engine.settle(move.id for move in moves)
        except OSError as error:
            raise _world_error(error) from error

    async def close(self) -> None:
        self.engine.close()

    async def fetch(self, key: str, into: int | None) -> Fetched:
        try:
            return fetch(key, into)
        except OSError as error:
            raise _world_error(error) from error

    async def untouched(self, moves: Sequence[Move]) -> set[str]:
        slots = self.engine.slots()
        return {move.id for move in moves if keeps_what_was(move.change) and slot_name(move.id) not in slots}

    def held(self, move: str) -> str:
        """Where the before-image of a move is kept; empty when there is none."""
        return self.engine.held(move)

    def _order(self, move: Move) -> Order:
        change = move.change
        before, after, means = change.before, change.after, change.means
        assert isinstance(before, Node) and isinstance(after, Node)
        if isinstance(means, Content) and means.secret is not None:
            means = self._reveal(means)
        return Order(move.id, change.key, before, after, change.origin, means, move.undo, move.needs)

    def _reveal(self, content: Content) -> Content:
        try:
            return content._replace(secret=None, data=self._bytes_of(str(content.secret)))
        except WorldError:
            return content  # the engine will say that it cannot be had

    def _bytes_of(self, reference: str) -> bytes:
        from holdfast.drivers.secrets import Secrets
        from holdfast.kinds.contract import Secret

        self._secrets = self._secrets or Secrets()
        return self._secrets.value(Secret(reference)).encode("utf-8", "surrogateescape")

    def _sealed(self, reference: str) -> Sealed:
        try:
            data = self._bytes_of(reference)
        except WorldError:
            return Sealed()  # that it cannot be had is the answer
        return Sealed(digest_of(data), len(data))


def as_facts(plain: Mapping[str, Any]) -> Facts:
    return Facts(plain["uid"], plain["gid"], frozenset(plain["groups"]), plain["umask"], plain.get("exchanges", True))


def as_outcome(report: Report) -> Outcome:
    failure = None
    if report.code:
        failure = Failure(code=report.code, message=report.message, doubtful=report.ending == Ending.IN_DOUBT)
    return Outcome(Ending(report.ending), failure, report.duration_s, kept=report.kept)


def _world_error(error: OSError) -> WorldError:
    trouble = trouble_of(error, str(error.filename or "the stash"))
    return WorldError(trouble.message, code=trouble.code)
