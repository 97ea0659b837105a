"""The store of contents."""

from __future__ import annotations

import asyncio
import os
import stat
from hashlib import sha256
from pathlib import Path

import pytest

from holdfast.app.keeping.objects import Objects
from holdfast.core.errors import WorldError
from holdfast.drivers.contract import Fetched
from holdfast.drivers.files.calls import Calls


def digest_of(data: bytes) -> str:
    return sha256(data).hexdigest()


def filler(data: bytes, says: str | None = None):  # type: ignore[no-untyped-def]
    async def fill(fd: int) -> Fetched:
        os.write(fd, data)
        return Fetched(says or digest_of(data), {})

    return fill


def add(objects: Objects, *contents: bytes) -> None:
    async def work() -> None:
        with objects.adding() as adding:
            for data in contents:
                await adding.add(digest_of(data), filler(data))
            adding.finish()

    asyncio.run(work())


def test_a_content_is_named_by_its_digest_and_private(tmp_path: Path) -> None:
    objects = Objects(str(tmp_path / "objects"))
    add(objects, b"one", b"two")
    path = Path(objects.path_of(digest_of(b"one")))
    assert path.read_bytes() == b"one"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(objects.names()) == sorted([digest_of(b"one"), digest_of(b"two")])
    assert digest_of(b"two") in objects and digest_of(b"three") not in objects


def test_many_contents_are_added_at_once(tmp_path: Path) -> None:
    objects = Objects(str(tmp_path / "objects"))
    add(objects, *(str(number).encode() for number in range(40)))
    assert len(objects.names()) == 40


@pytest.mark.parametrize(("count", "whole"), [(3, False), (40, True)])
def test_contents_are_synced_before_they_get_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, whole: bool
) -> None:
    objects, done = Objects(str(tmp_path / "objects")), list[tuple[str, str]]()
    fsync, rename, syncfs = os.fsync, os.rename, Calls.syncfs

    def synced(fd: int) -> None:
        done.append(("sync", os.path.basename(os.readlink(f"/proc/self/fd/{fd}"))))
        fsync(fd)

    def synced_whole(calls: Calls, fd: int) -> None:
        done.append(("sync", "everything"))
        syncfs(calls, fd)

    def renamed(old: str, new: str) -> None:
        done.append(("name", os.path.basename(old)))
        rename(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Calls, "syncfs", synced_whole)
    monkeypatch.setattr(os, "rename", renamed)
    add(objects, *(str(number).encode() for number in range(count)))

    named = [name for what, name in done if what == "name"]
    assert len(named) == count
    wanted = ["everything"] if whole else named
    assert done == [*(("sync", name) for name in wanted), *(("name", name) for name in named), ("sync", "objects")]


def test_what_is_not_finished_leaves_nothing(tmp_path: Path) -> None:
    objects = Objects(str(tmp_path / "objects"))

    async def work() -> None:
        with objects.adding() as adding:
            await adding.add(digest_of(b"one"), filler(b"one"))
            raise KeyError("somebody made a mistake")

    with pytest.raises(KeyError):
        asyncio.run(work())
    assert os.listdir(objects.path) == [".lock"]


def test_a_content_that_changed_meanwhile_is_not_kept(tmp_path: Path) -> None:
    objects = Objects(str(tmp_path / "objects"))

    async def work() -> None:
        with objects.adding() as adding:
            await adding.add(digest_of(b"before"), filler(b"after"))

    with pytest.raises(WorldError) as failed:
        asyncio.run(work())
    assert failed.value.code == "checksum_mismatch"
    assert objects.names() == []


def test_garbage_goes_and_what_is_needed_stays(tmp_path: Path) -> None:
    objects = Objects(str(tmp_path / "objects"))
    add(objects, b"needed", b"garbage")
    Path(objects.path, f"{digest_of(b'torn')}.1.part").write_bytes(b"to")
    assert objects.collect(lambda: {digest_of(b"needed")}) == (2, len(b"garbage") + 2)
    assert objects.names() == [digest_of(b"needed")]


def test_collecting_where_nothing_was_kept_makes_nothing(tmp_path: Path) -> None:
    assert Objects(str(tmp_path / "objects")).collect(set) == (0, 0)
    assert not (tmp_path / "objects").exists()
