"""Whatever call fails, and whatever call the process dies before: the paths are old or new, and both ways stay open."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.core.errors import StorageFailed
from holdfast.drivers.contract import Ending, Move
from holdfast.drivers.files.calls import Calls
from holdfast.testing import zoo
from holdfast.testing.boundaries import ShortWrites, WithoutExchange, counted, dying, failing
from tests.drivers.files import menagerie
from tests.drivers.files.bench import Bench, undoing

Manifest = dict[str, zoo.Row]


@pytest.fixture
def trials(elsewhere: Path, tmp_path: Path) -> Iterator[Callable[[], Trial]]:
    """Worlds for one trial each, in memory, where a sync costs nothing; with a second file system for the far end."""
    far = tmp_path
    (elsewhere / "keeper").mkdir()
    keeper = Bench(elsewhere / "keeper")
    (far / "held").write_bytes(b"x")  # while this is kept, the stash over there stays, and every trial makes the same calls
    held = keeper.do(keeper.removal(str(far / "held")))
    numbers = iter(range(100_000))

    def begin() -> Trial:
        number = next(numbers)
        return Trial(elsewhere / str(number), far / str(number))

    yield begin
    keeper.settle(*held)
    keeper.restart()


class Trial:
    """One world before the batch, and all it may become."""

    def __init__(self, base: Path, far: Path) -> None:
        base.mkdir()
        far.mkdir()
        self.base, self.far = base, far
        self.bench = Bench(base)
        menagerie.build(self.bench.root)
        self.moves = menagerie.batch(self.bench, far)
        self.old = self.manifest()

    def manifest(self) -> tuple[Manifest, Manifest]:
        return zoo.manifest(self.bench.root), zoo.manifest(self.far)

    def apply(self, calls: Calls | None = None, *moves: Move) -> list[Ending] | None:
        """Endings; None when the storage was said to have failed."""
        self.bench.restart(calls)
        try:
            outcomes = self.bench.apply(*(moves or self.moves), keep_going=True)
        except StorageFailed:
            return None
        self.failures = [outcome.failure for outcome in outcomes if outcome.failure]
        return [outcome.ending for outcome in outcomes]

    def undo(self, calls: Calls | None = None) -> list[Ending] | None:
        return self.apply(calls, *undoing(*self.moves))

    def in_a_process_that_dies(self, step: Callable[[Calls], object], calls: Calls) -> bool:
        """Did it die?"""
        child = os.fork()
        if child == 0:
            step(calls)
            os._exit(0)
        return os.waitpid(child, 0)[1] != 0

    def every_path_is_old_or_new(self, new: tuple[Manifest, Manifest]) -> None:
        for old_world, new_world, now in zip(self.old, new, self.manifest(), strict=True):
            for path, row in now.items():
                allowed = [essence(world[path]) for world in (old_world, new_world) if path in world]
                assert essence(row) in allowed or _is_between_owner_and_mode(path), (path, row)
            for path in old_world.keys() & new_world.keys():
                assert path in now, f"{path} is missing, and is in neither world"

    def is_new(self, new: tuple[Manifest, Manifest]) -> None:
        assert [essences(world) for world in self.manifest()] == [essences(world) for world in new]

    def is_old(self) -> None:
        for before, now in zip(self.old, self.manifest(), strict=True):
            assert zoo.differences(before, now) == []

    def end(self) -> None:
        self.bench.restart()
        self.bench.settle(*self.moves)
        self.bench.restart()
        assert self.bench.kept() == []
        shutil.rmtree(self.base)
        shutil.rmtree(self.far)


def essence(row: zoo.Row) -> zoo.Row:
    """Everything but times: a new object has the time at which it was made."""
    return row._replace(mtime_ns=0)


def essences(manifest: Manifest) -> Manifest:
    return {path: essence(row) for path, row in manifest.items()}


def _is_between_owner_and_mode(path: str) -> bool:
    """The one change that takes two calls; a mark in the stash says so, and both ways go on from there."""
    return path == "owned"


def reference(trials: Callable[[], Trial], base: type[Calls] = Calls) -> tuple[list[str], list[str], tuple[Manifest, Manifest]]:
    """The calls of an undisturbed run, those of its undo, and the new world."""
    trial = trials()
    calls: list[str] = []
    assert set(trial.apply(counted(calls, base)) or ()) == {Ending.DONE}, trial.failures
    forward, new = list(calls), trial.manifest()
    calls = []
    assert set(trial.undo(counted(calls, base)) or ()) == {Ending.DONE}, trial.failures
    back = list(calls)
    trial.is_old()
    trial.end()
    return forward, back, new


@pytest.mark.parametrize("base", [Calls, WithoutExchange])
def test_a_process_killed_at_any_boundary_leaves_old_or_new_and_both_ways_open(
    trials: Callable[[], Trial], base: type[Calls]
) -> None:
    forward, _, new = reference(trials, base)
    for at in range(1, len(forward) + 1):
        for finish in (True, False):
            trial = trials()
            assert trial.in_a_process_that_dies(trial.apply, dying(at, base))
            if base is Calls:
                trial.every_path_is_old_or_new(new)
            if finish:
                assert set(trial.apply(base()) or ()) <= {Ending.DONE, Ending.UNCHANGED}, (at, forward[at - 1], trial.failures)
                trial.is_new(new)
            assert set(trial.undo(base()) or ()) <= {Ending.DONE, Ending.UNCHANGED}, (at, forward[at - 1], trial.failures)
            trial.is_old()
            trial.end()


@pytest.mark.parametrize("base", [Calls, WithoutExchange])
def test_an_undo_killed_at_any_boundary_can_be_undone_again_or_redone(trials: Callable[[], Trial], base: type[Calls]) -> None:
    _, back, new = reference(trials, base)
    for at in range(1, len(back) + 1):
        for redo in (True, False):
            trial = trials()
            trial.apply(base())
            assert trial.in_a_process_that_dies(trial.undo, dying(at, base))
            if redo:
                assert set(trial.apply(base()) or ()) <= {Ending.DONE, Ending.UNCHANGED}, (at, back[at - 1], trial.failures)
                trial.is_new(new)
            assert set(trial.undo(base()) or ()) <= {Ending.DONE, Ending.UNCHANGED}, (at, back[at - 1], trial.failures)
            trial.is_old()
            trial.end()


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EMFILE])
def test_any_call_may_fail_and_what_was_done_can_be_undone(trials: Callable[[], Trial], error: int) -> None:
    forward, _, new = reference(trials)
    for at in range(1, len(forward) + 1):
        trial = trials()
        endings = trial.apply(failing(at, error))
        assert endings is not None or forward[at - 1] in ("fsync", "syncfs", "utime")
        trial.every_path_is_old_or_new(new)
        assert set(trial.undo() or ()) <= {Ending.DONE, Ending.UNCHANGED}, (at, forward[at - 1], trial.failures)
        trial.is_old()
        trial.end()


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC, errno.EACCES])
def test_an_undo_in_which_a_call_failed_can_be_repeated(trials: Callable[[], Trial], error: int) -> None:
    _, back, new = reference(trials)
    for at in range(1, len(back) + 1):
        trial = trials()
        trial.apply()
        trial.undo(failing(at, error))
        trial.every_path_is_old_or_new(new)
        assert set(trial.undo() or ()) <= {Ending.DONE, Ending.UNCHANGED}, (at, back[at - 1], trial.failures)
        trial.is_old()
        trial.end()


def test_a_disk_that_stays_broken_leaves_old_or_new(trials: Callable[[], Trial]) -> None:
    forward, _, new = reference(trials)
    for at in range(1, len(forward) + 1):
        trial = trials()
        trial.apply(failing(at, errno.EIO, ever_after=True))
        trial.every_path_is_old_or_new(new)
        trial.undo()
        trial.is_old()
        trial.end()


def test_a_failed_sync_is_never_reported_as_done(trials: Callable[[], Trial]) -> None:
    forward, _, _ = reference(trials)
    syncs = [at for at, name in enumerate(forward, 1) if name in ("fsync", "syncfs")]
    assert syncs
    for at in syncs:
        trial = trials()
        assert trial.apply(failing(at, errno.EIO)) is None
        trial.undo()
        trial.end()


def test_short_writes_are_continued(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ShortWrites())
    content = bytes(range(256)) * 33
    bench.do(bench.file("file", content))
    assert (bench.root / "file").read_bytes() == content
