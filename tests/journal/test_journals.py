"""Every journal keeps the contract: one suite over all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.journal.memory import MemoryJournal
from holdfast.journal.sqlite import SqliteJournal
from holdfast.testing.journal_suite import RING, JournalSuite


class TestMemory(JournalSuite):
    @pytest.fixture
    def journal(self) -> MemoryJournal:
        return MemoryJournal(executions_max=RING)

    @pytest.fixture
    def again(self) -> Callable[[MemoryJournal], MemoryJournal]:
        return lambda journal: journal


class TestSqlite(JournalSuite):
    @pytest.fixture
    def opened(self) -> Iterator[list[SqliteJournal]]:
        opened: list[SqliteJournal] = []
        yield opened
        for journal in opened:
            journal.close()

    @pytest.fixture
    def journal(self, tmp_path: Path, opened: list[SqliteJournal]) -> SqliteJournal:
        opened.append(SqliteJournal.open(tmp_path / "state", executions_max=RING))
        return opened[-1]

    @pytest.fixture
    def again(self, tmp_path: Path, opened: list[SqliteJournal]) -> Callable[[SqliteJournal], SqliteJournal]:
        def reopen(journal: SqliteJournal) -> SqliteJournal:
            journal.close()
            opened.append(SqliteJournal.open(tmp_path / "state"))
            assert opened[-1].damage is None
            return opened[-1]

        return reopen
