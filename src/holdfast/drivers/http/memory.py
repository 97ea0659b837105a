"""REST resources in memory: documents by their key. For rehearsing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from holdfast.core.change import Look, State
from holdfast.core.errors import Failure
from holdfast.drivers.contract import DONE, UNCHANGED, Batch, Ending, Move, Outcome
from holdfast.drivers.one_by_one import one_by_one
from holdfast.kinds.document import Document
from holdfast.kinds.http import Rest, document_of


class MemoryRest:
    def __init__(self, documents: Mapping[str, Document]) -> None:
        self.documents = dict(documents)

    async def inspect(self, looks: Sequence[Look]) -> Mapping[str, State]:
        return {look.key: self.documents.get(look.key, Document()) for look in looks}

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        return await one_by_one(batch, self._make)

    async def settle(self, moves: Sequence[Move]) -> None:
        """Nothing is kept for undo."""

    async def close(self) -> None:
        """Nothing is held."""

    async def _make(self, move: Move) -> Outcome:
        change = move.change
        rest, found = Rest.of(change.key), self.documents.get(change.key, Document())
        wanted, before = document_of(change.after), document_of(change.before)
        if rest.alike(found, wanted):
            return UNCHANGED
        if not rest.alike(found, before):
            message = f"{rest.url} holds neither the old nor the new document"
            return Outcome(Ending.FAILED, Failure(code="foreign_change", message=message))
        self.documents[change.key] = Document(wanted.values)
        return DONE
