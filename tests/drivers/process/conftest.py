"""Builders for the tests of processes: real programs, one driver, and a look at what is left of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from holdfast.core.change import Change, Effect
from holdfast.drivers.contract import Batch, Move, Outcome
from holdfast.drivers.process import leftovers
from holdfast.drivers.process.local import LocalProcesses
from holdfast.drivers.secrets import Secrets
from holdfast.kinds.command import Command
from holdfast.kinds.running import Running

OURS = f"{uuid4().hex[:8]}-"  # tests that run beside these must not be taken for what these left behind
ENVIRON = {"PATH": "/usr/bin:/bin", "TOKEN": "hunter2-hunter2"}


def move(
    operation: Running, *, id: str = "run-1", undo: bool = False, timeout: float | None = None, needs: tuple[int, ...] = ()
) -> Move:
    change = Change(f"{operation.kind}/it", Effect(False), Effect(True), means=operation, runs=True)
    return Move(OURS + id, change.reversed() if undo else change, undo=undo, needs=needs, timeout=timeout)


def command(argv: str | Sequence[str], **arguments: Any) -> Command:
    return Command(argv=argv if isinstance(argv, str) else tuple(argv), **arguments)


def shell(text: str, **arguments: Any) -> Command:
    return Command(argv=text, shell=True, **arguments)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "work"


@pytest.fixture
def make(work: Path) -> Iterator[Callable[..., LocalProcesses]]:
    """A driver; when the test is over, no process it started may be left and no file."""

    def build(**arguments: Any) -> LocalProcesses:
        secrets = Secrets(arguments.pop("environ", ENVIRON))
        return LocalProcesses(str(work), secrets=secrets, grace_s=arguments.pop("grace_s", 2.0), **arguments)

    yield build
    assert [mark for mark in leftovers.marked() if mark.startswith(OURS)] == []
    assert not work.exists() or not list(work.iterdir())


def apply(driver: Any, *moves: Move, keep_going: bool = False) -> list[Outcome]:
    return list(asyncio.run(driver.apply(Batch(moves, keep_going))))
