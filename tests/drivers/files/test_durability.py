"""What a power cut would take: nothing gets its name before its content is on the disk, and nothing is reported before
its name is. The door to the file system is watched, call by call, while a plan of every kind is applied."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from holdfast.app.engine import Holdfast
from holdfast.app.home import Home
from holdfast.app.parts import Parts
from holdfast.app.wiring import TARGETS, Wiring
from holdfast.drivers.contract import Batch
from holdfast.drivers.files.calls import Calls
from holdfast.drivers.files.local import Local
from holdfast.drivers.threaded import Threaded
from holdfast.journal.memory import MemoryJournal
from holdfast.planfile import parse
from holdfast.runtime.crew import run_to_end
from holdfast.testing import mixed

Inode = tuple[int, int]


class Volatile(Calls):
    """Remembers what a power cut would lose right now."""

    def __init__(self, stash: str) -> None:
        self.stash = stash
        self.contents: set[Inode] = set()  # objects whose content or attributes are not on the disk
        self.names: dict[Inode, str] = {}  # directories whose entries are not
        self.early: list[str] = []  # what got its name too early
        self.named = 0

    def write(self, fd: int, data: Any) -> int:
        self.contents.add(_inode(fd))
        return super().write(fd, data)

    def fchmod(self, fd: int, mode: int) -> None:
        super().fchmod(fd, mode)
        self.contents.add(_inode(fd))

    def chmod(self, fd: int, mode: int) -> None:
        super().chmod(fd, mode)
        self.contents.add(_inode(fd))

    def chown_open(self, fd: int, uid: int, gid: int) -> None:
        super().chown_open(fd, uid, gid)
        self.contents.add(_inode(fd))

    def fsync(self, fd: int) -> None:
        super().fsync(fd)
        self.contents.discard(_inode(fd))
        self.names.pop(_inode(fd), None)

    def syncfs(self, fd: int) -> None:
        self.contents.clear()
        self.names.clear()

    def mkdir(self, name: str, mode: int, dir_fd: int | None = None) -> None:
        super().mkdir(name, mode, dir_fd)
        self._touched(dir_fd)

    def symlink(self, target: str, name: str, dir_fd: int) -> None:
        super().symlink(target, name, dir_fd)
        self._touched(dir_fd)

    def unlink(self, name: str, dir_fd: int) -> None:
        super().unlink(name, dir_fd)
        self._touched(dir_fd)

    def rmdir(self, name: str, dir_fd: int) -> None:
        super().rmdir(name, dir_fd)
        self._touched(dir_fd)

    def renameat2(self, name: str, dir_fd: int, new: str, new_fd: int, flags: int) -> None:
        if self._is_ours(dir_fd) and not self._is_ours(new_fd):
            self.named += 1
            if not self.contents.isdisjoint(_inodes(f"/proc/self/fd/{dir_fd}/{name}")):
                self.early.append(new)
        super().renameat2(name, dir_fd, new, new_fd, flags)
        self._touched(dir_fd)
        self._touched(new_fd)

    def _is_ours(self, fd: int) -> bool:
        return os.readlink(f"/proc/self/fd/{fd}").startswith(self.stash)

    def _touched(self, dir_fd: int | None) -> None:
        if dir_fd is not None and not self._is_ours(dir_fd):
            self.names[_inode(dir_fd)] = os.readlink(f"/proc/self/fd/{dir_fd}")


def _inode(fd: int) -> Inode:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


def _inodes(path: str) -> set[Inode]:
    """Of an object, and of everything beneath it."""
    paths = [path, *(os.path.join(folder, name) for folder, names, files in os.walk(path) for name in (*names, *files))]
    return {(found.st_dev, found.st_ino) for found in map(os.lstat, paths)}


class Watched(Local):
    """The local driver, asked after each batch what a power cut would take of what it reports."""

    def __init__(self, home: str, calls: Volatile, lost: list[str]) -> None:
        super().__init__(home, calls=calls)
        self.volatile, self.lost = calls, lost

    async def apply(self, batch: Batch) -> Any:
        outcomes = await super().apply(batch)
        self.lost += list(self.volatile.names.values())
        self.lost += [f"content of inode {inode}" for inode in self.volatile.contents]
        return outcomes


@pytest.mark.parametrize("fails", [False, True], ids=["committed", "rolled back"])
@pytest.mark.parametrize("few", [10_000, 0], ids=["synced one by one", "synced as a whole"])
def test_a_power_cut_takes_nothing_that_was_reported(
    tmp_path: Path, fails: bool, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.drivers.files.barrier.FEW", few)
    root, sources, home = tmp_path / "root", tmp_path / "sources", Home(str(tmp_path / "state"))
    root.mkdir()
    mixed.build(str(root), str(sources))
    calls, lost = Volatile(home.stash), list[str]()

    def files(wiring: Wiring, target: str, on_loop: bool) -> Any:
        return Threaded(Watched(home.stash, calls, lost), run_to_end)

    targets = {**TARGETS, "local": {**TARGETS["local"], "files": files}}
    home.make()
    with Holdfast(Parts(home, MemoryJournal(), Wiring(home, targets=targets))) as engine:
        result = engine.apply(parse(mixed.document(str(root), str(sources), fails=fails)))
    assert result.ending == ("rolled_back" if fails else "committed")
    assert calls.named > 10
    assert calls.early == []
    assert lost == []
