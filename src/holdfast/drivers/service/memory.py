"""Services in memory: documents by their key, and what listeners were told. For the target `memory`, and for rehearsing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from holdfast.core.change import Look, State
from holdfast.core.errors import Failure
from holdfast.drivers.contract import DONE, UNCHANGED, Batch, Ending, Move, Outcome
from holdfast.drivers.one_by_one import one_by_one
from holdfast.kinds.document import Document


class MemoryServices:
    def __init__(self, documents: Mapping[str, Document] | None = None) -> None:
        self.documents = dict(documents or {})
        self.told: list[Move] = []  # in order

    async def inspect(self, looks: Sequence[Look]) -> Mapping[str, State]:
        return {look.key: self.documents.get(look.key, Document()) for look in looks}

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        return await one_by_one(batch, self._make)

    async def _make(self, move: Move) -> Outcome:
        change = move.change
        if change.runs:
            self.told.append(move)
            return DONE
        after = change.after
        assert isinstance(after, Document)
        found = self.documents.get(change.key, Document())
        if after.wanted.same(found) or (move.undo and after.same(found)):
            return UNCHANGED
        if not found.same(change.before):
            return _failed("foreign_change", f"{change.key} holds neither the old nor the new document")
        if after.wanted.values is None:
            return _failed("no_previous", f"{change.key} held no document before, and none was given to go back to")
        self.documents[change.key] = Document(after.wanted.values)
        return DONE

    async def settle(self, moves: Sequence[Move]) -> None:
        """Nothing is kept for undo."""

    async def close(self) -> None:
        """Nothing is held."""


def _failed(code: str, message: str) -> Outcome:
    return Outcome(Ending.FAILED, Failure(code=code, message=message))
