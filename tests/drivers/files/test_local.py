"""What a real file system asks of the local driver beyond the laws: mounts, metadata, order, durability, odd objects."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import stat
import struct
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.change import Change, Depth, Look
from holdfast.drivers.contract import Batch, Ending
from holdfast.drivers.files.calls import GET_FLAGS, IMMUTABLE, SET_FLAGS
from holdfast.drivers.files.local import Local
from holdfast.drivers.files.stash import HIDDEN, slot_name
from holdfast.kinds.content import Content
from holdfast.kinds.node import ABSENT, Sealed
from holdfast.testing import zoo
from holdfast.testing.boundaries import counted
from tests.drivers.files.bench import AS_ROOT, Bench, moves_of, needs_root, node


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Drive a coroutine that never waits, without an event loop."""
    with pytest.raises(StopIteration) as stop:
        coroutine.send(None)
    return stop.value.value


def test_its_coroutines_never_wait(bench: Bench) -> None:
    seen = at_once(bench.driver.inspect([Look(bench.key("new"))]))
    moves = moves_of(Change(bench.key("new"), seen[bench.key("new")], node("link", target="x")))
    assert at_once(bench.driver.apply(Batch(moves)))[0].ending is Ending.DONE
    at_once(bench.driver.settle(moves))
    at_once(bench.driver.close())


# -- durability


def test_content_is_synced_before_it_gets_its_name_and_the_directory_after(bench: Bench) -> None:
    calls: list[str] = []
    change = bench.file("new", b"x")
    bench.restart(counted(calls))
    bench.do(change)
    switch = calls.index("renameat2")
    assert "fsync" in calls[calls.index("write") : switch]
    assert "fsync" in calls[switch:]


def test_many_objects_share_two_barriers(bench: Bench) -> None:
    calls: list[str] = []
    changes = [bench.file(f"new-{number}", b"x") for number in range(50)]
    folders = [bench.folder(f"folder-{number}") for number in range(20)]
    links = [Change(bench.key(f"folder-{number}/link"), ABSENT, node("link", target="x")) for number in range(20)]
    bench.restart(counted(calls))
    bench.do(*changes, *folders, *links)
    assert calls.count("syncfs") == 2
    assert "fsync" not in calls


def test_what_was_there_already_is_synced_too(bench: Bench) -> None:
    """Perhaps we made it ourselves and were killed before the barrier."""
    moves = bench.do(bench.link("new", "x"))
    calls: list[str] = []
    bench.restart(counted(calls))
    assert bench.apply(*moves)[0].ending is Ending.UNCHANGED
    assert "fsync" in calls


def test_links_in_one_directory_take_one_call_each_and_one_sync(bench: Bench) -> None:
    calls: list[str] = []
    changes = [bench.link(f"link-{number}", "x") for number in range(100)]
    bench.restart(counted(calls))
    bench.do(*changes)
    assert calls == ["open"] + ["symlink"] * 100 + ["fsync"]


def test_a_whole_tree_is_switched_once(bench: Bench) -> None:
    entries = {"sub": node("dir", 0o755), **{f"sub/{number}": node("link", target="x") for number in range(50)}}
    calls: list[str] = []
    change = Change(bench.key("tree"), bench.look("tree"), node("dir", 0o755, entries=entries))
    bench.restart(counted(calls))
    bench.do(change)
    assert calls.count("renameat2") == 1
    assert len(list((bench.root / "tree" / "sub").iterdir())) == 50


# -- order within a batch


def test_a_copy_of_what_an_earlier_move_of_the_batch_writes_is_the_new_one(bench: Bench) -> None:
    (bench.root / "file").write_bytes(b"old")
    new = Content.of(b"new")
    change = bench.file("file", b"new")
    copy = Change(
        bench.key("copy"), bench.look("copy"), node("file", 0o644, digest=new.digest), means=Content(origin=bench.key("file"))
    )
    bench.do(change, copy)
    assert (bench.root / "copy").read_bytes() == b"new"


def test_what_is_made_in_a_directory_that_moved_in_the_same_batch_follows_it(bench: Bench) -> None:
    (bench.root / "a").mkdir()
    move = bench.move("a", "b")
    below = Change(bench.key("b/file"), ABSENT, node("file", 0o644, digest=Content.of(b"x").digest), means=Content.of(b"x"))
    anew = Change(bench.key("a"), ABSENT, node("dir", 0o755))
    again = Change(bench.key("a/link"), ABSENT, node("link", target="x"))
    moves = bench.do(move, below, anew, again)
    assert (bench.root / "b" / "file").exists()
    assert [path.name for path in (bench.root / "a").iterdir()] == ["link"]
    bench.undone(*moves)
    assert [path.name for path in bench.root.iterdir()] == ["a"]


def test_a_link_that_changes_in_the_batch_leads_later_moves_elsewhere(bench: Bench) -> None:
    for name in ("one", "two"):
        (bench.root / name).mkdir()
    (bench.root / "way").symlink_to("one")
    first = bench.link("way/first", "x")
    turn = bench.link("way", "two")
    second = Change(bench.key("way/second"), ABSENT, node("link", target="x"))
    moves = bench.do(first, turn, second)
    assert (bench.root / "one" / "first").is_symlink()
    assert (bench.root / "two" / "second").is_symlink()
    bench.undone(*moves)
    assert [*(bench.root / "one").iterdir(), *(bench.root / "two").iterdir()] == []


def test_thousands_of_directories_in_one_batch_need_few_open_files(bench: Bench) -> None:
    changes = []
    for number in range(1500):
        changes.append(Change(bench.key(f"d{number}"), ABSENT, node("dir", 0o755)))
        changes.append(Change(bench.key(f"d{number}/link"), ABSENT, node("link", target="x")))
    moves = bench.do(*changes)
    bench.undone(*moves)
    assert list(bench.root.iterdir()) == []


# -- what a new object has


def test_a_rewritten_file_keeps_owner_mode_and_attributes_and_gets_a_new_time(bench: Bench) -> None:
    path = bench.root / "file"
    path.write_bytes(b"old")
    os.setxattr(path, "user.colour", b"blue")
    os.setxattr(path, "system.posix_acl_access", zoo.access_list(6, 1000, 4, 4, 6, 0))
    if AS_ROOT:
        os.chown(path, 1234, 1235)
    os.utime(path, ns=(1, 1))
    before = zoo.manifest(path)["."]
    bench.do(bench.file("file", b"new"))
    after = zoo.manifest(path)["."]
    assert path.read_bytes() == b"new"
    assert after.mtime_ns > before.mtime_ns
    assert after._replace(digest="", mtime_ns=0) == before._replace(digest="", mtime_ns=0)


def test_what_is_made_inherits_from_its_directory_what_the_kernel_would_give(bench: Bench) -> None:
    folder = bench.root / "shared"
    folder.mkdir()
    os.setxattr(folder, "system.posix_acl_default", zoo.access_list(7, 1000, 7, 5, 7, 0))
    (folder / "by-kernel").write_bytes(b"x")
    (folder / "by-kernel").chmod(0o660)
    (folder / "dir-by-kernel").mkdir()
    (folder / "dir-by-kernel").chmod(0o770)
    new = Content.of(b"x")
    bench.do(
        Change(bench.key("shared/ours"), bench.look("shared/ours"), node("file", 0o660, digest=new.digest), means=new),
        Change(bench.key("shared/dir-ours"), bench.look("shared/dir-ours"), node("dir", 0o770)),
    )
    for theirs, ours in (("by-kernel", "ours"), ("dir-by-kernel", "dir-ours")):
        assert zoo.manifest(folder / theirs)["."].xattrs == zoo.manifest(folder / ours)["."].xattrs


@needs_root
def test_a_directory_in_one_that_hands_on_its_group_can_have_it_or_not(bench: Bench) -> None:
    os.chown(bench.root, 0, 1234)
    bench.root.chmod(0o2755)
    changes = [Change(bench.key(name), bench.look(name), node) for name, node in (
        ("with", node("dir", 0o2755, gid=1234)),
        ("without", node("dir", 0o755)),
        ("link", node("link", target="x")),
        ("other", node("link", gid=1234, target="x")),
    )]  # fmt: skip
    bench.do(*changes)
    for change in changes:
        seen = os.lstat(change.key)
        assert seen.st_gid == change.after.gid  # type: ignore[attr-defined]
        assert change.after.type == "link" or stat.S_IMODE(seen.st_mode) == change.after.mode  # type: ignore[attr-defined]


def test_a_node_that_says_a_time_gets_it(bench: Bench) -> None:
    new = Content.of(b"x")
    after = node("file", 0o644, digest=new.digest, mtime_ns=1_234_567_890_123_456_789)
    bench.do(Change(bench.key("new"), bench.look("new"), after, means=new))
    assert (bench.root / "new").stat().st_mtime_ns == after.mtime_ns


def test_holes_stay_holes_in_a_copy(bench: Bench) -> None:
    with open(bench.root / "sparse", "wb") as file:
        file.seek(1 << 24)
        file.write(b"end")
    node = bench.look("sparse")
    bench.do(Change(bench.key("copy"), bench.look("copy"), node, means=Content(origin=bench.key("sparse"))))
    assert zoo.manifest(bench.root / "copy") == zoo.manifest(bench.root / "sparse")
    assert (bench.root / "copy").stat().st_blocks * 512 < 1 << 20


def test_names_of_one_file_stay_names_of_one_file_in_a_copied_tree(bench: Bench) -> None:
    (bench.root / "tree" / "sub").mkdir(parents=True)
    (bench.root / "tree" / "one").write_bytes(b"x")
    os.link(bench.root / "tree" / "one", bench.root / "tree" / "sub" / "two")
    bench.do(
        Change(bench.key("copy"), bench.look("copy"), bench.look("tree", Depth.TREE), means=Content(path=bench.key("tree")))
    )
    assert os.path.samefile(bench.root / "copy" / "one", bench.root / "copy" / "sub" / "two")
    assert not os.path.samefile(bench.root / "copy" / "one", bench.root / "tree" / "one")


def test_other_names_of_a_rewritten_file_keep_the_old_content(bench: Bench) -> None:
    (bench.root / "one").write_bytes(b"old")
    os.link(bench.root / "one", bench.root / "two")
    moves = bench.do(bench.file("one", b"new"))
    assert (bench.root / "two").read_bytes() == b"old"
    bench.undone(*moves)
    assert os.path.samefile(bench.root / "one", bench.root / "two")


def test_a_running_program_can_be_replaced(bench: Bench) -> None:
    shutil.copy("/bin/sleep", bench.root / "program")
    running = os.spawnv(os.P_NOWAIT, str(bench.root / "program"), ["program", "60"])
    try:
        moves = bench.do(bench.file("program", b"new"))
        bench.undone(*moves)
    finally:
        os.kill(running, 9)
        os.waitpid(running, 0)


def test_secrets_become_content_at_the_last_moment(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "swordfish")
    seen = asyncio.run(bench.driver.inspect([Look("@secret/env:A_SECRET"), Look("@secret/env:NO_SECRET")]))
    sealed = seen["@secret/env:A_SECRET"]
    assert isinstance(sealed, Sealed)
    assert sealed.digest == Content.of(b"swordfish").digest
    assert not seen["@secret/env:NO_SECRET"].exists
    after = node("file", 0o600, digest=sealed.digest)
    bench.do(Change(bench.key("new"), bench.look("new"), after, means=Content(secret="env:A_SECRET", digest=sealed.digest)))
    assert (bench.root / "new").read_bytes() == b"swordfish"


# -- what forbids


@pytest.fixture
def immutable(bench: Bench) -> Iterator[Path]:
    path = bench.root / "immutable"
    path.write_bytes(b"x")
    set_immutable(path, True)
    yield path
    set_immutable(path, False)


def set_immutable(path: Path, wanted: bool) -> None:
    with open(path, "rb") as file:
        (flags,) = struct.unpack("l", fcntl.ioctl(file, GET_FLAGS, b"\0" * 8))
        fcntl.ioctl(file, SET_FLAGS, struct.pack("l", flags | IMMUTABLE if wanted else flags & ~IMMUTABLE))


@needs_root
def test_an_immutable_file_is_seen_as_fixed_and_refuses_to_go(bench: Bench, immutable: Path) -> None:
    assert bench.look("immutable").fixed
    for change in (bench.removal("immutable"), bench.file("immutable", b"new"), bench.move("immutable", "moved")):
        outcome = bench.apply(*moves_of(change))[0]
        assert outcome.failure is not None
        assert outcome.failure.code == "permission_denied"
    assert immutable.read_bytes() == b"x"
    assert [path.name for path in bench.root.iterdir()] == ["immutable"]


@pytest.mark.parametrize("name", ["nul\0byte", "x" * 300])
def test_an_impossible_name_is_an_outcome(bench: Bench, name: str) -> None:
    assert not bench.look(name).exists
    for made, means in ((node("link", target="x"), None), (node("file", 0o644), Content.of(b"x")), (node("dir", 0o755), None)):
        outcome = bench.apply(*moves_of(Change(bench.key(name), ABSENT, made, means=means)))[0]
        assert outcome.failure is not None
        assert outcome.failure.code == "invalid_value"


def test_content_that_changed_since_it_was_planned_is_not_taken(bench: Bench) -> None:
    source = bench.base / "source"
    source.write_bytes(b"planned")
    change = bench.file("new", b"planned")
    source.write_bytes(b"changed")
    outcome = bench.apply(*moves_of(Change(change.key, change.before, change.after, means=Content(path=str(source)))))[0]
    assert outcome.failure is not None
    assert outcome.failure.code == "checksum_mismatch"
    assert bench.kept() == []


# -- where the stash is


def test_another_mount_gets_a_private_stash_of_its_own_that_the_next_process_finds(bench: Bench, elsewhere: Path) -> None:
    path = elsewhere / "file"
    path.write_bytes(b"old")
    (move,) = bench.do(bench.removal(str(path)))
    held = Path(bench.driver.held(move.id))
    assert held.read_bytes() == b"old"
    assert held.parent.name == HIDDEN
    assert stat.S_IMODE(held.parent.stat().st_mode) == 0o700
    assert held.stat().st_dev == elsewhere.stat().st_dev
    bench.restart()
    assert bench.driver.held(move.id) == str(held)
    bench.undone(move)
    assert path.read_bytes() == b"old"
    bench.settle(move)
    bench.restart()
    assert not held.exists()


def test_a_stash_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "stash").mkdir(mode=0o755)
    bench = Bench(tmp_path)
    outcome = bench.apply(*moves_of(bench.file("new", b"x")))[0]
    assert outcome.failure is not None
    assert outcome.failure.code == "permission_denied"


@pytest.mark.parametrize("order", ["run/1", "..", ".hidden", "a%2Fb", "x" * 400, "ümläut"])
def test_every_id_is_the_name_of_a_slot(bench: Bench, order: str) -> None:
    name = slot_name(order)
    assert "/" not in name
    assert not name.startswith(".")
    assert len(name.encode()) <= 200
    assert slot_name(order + "'") != name


def test_settling_drops_what_was_locked(bench: Bench) -> None:
    (bench.root / "tree" / "closed").mkdir(parents=True)
    (bench.root / "tree" / "closed" / "file").write_bytes(b"x")
    (bench.root / "tree" / "closed").chmod(0)
    if AS_ROOT:
        set_immutable(bench.root / "tree" / "closed" / "file", True)
    (move,) = bench.do(bench.removal("tree"))
    bench.settle(move)
    assert bench.kept() == []


def test_a_before_image_that_was_tampered_with_is_not_put_back(bench: Bench) -> None:
    (bench.root / "file").write_bytes(b"old")
    (move,) = bench.do(bench.file("file", b"new"))
    Path(bench.driver.held(move.id)).write_bytes(b"something else")
    outcome = bench.undo(move)[0]
    assert outcome.failure is not None
    assert outcome.failure.code == "before_image_lost"
    assert (bench.root / "file").read_bytes() == b"new"


def test_what_needs_no_before_image_is_made_anew(bench: Bench) -> None:
    (bench.root / "link").symlink_to("x")
    (bench.root / "hollow").mkdir()
    moves = bench.do(bench.removal("link"), bench.removal("hollow"))
    bench.settle(*moves)
    bench.undone(*moves)
    assert os.readlink(bench.root / "link") == "x"
    assert (bench.root / "hollow").is_dir()


def test_two_drivers_share_a_state_directory(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    other = Local(bench.stash)
    (bench.root / "file").write_bytes(b"old")
    (move,) = bench.do(bench.removal("file"))
    assert Path(other.held(move.id)).read_bytes() == b"old"
    asyncio.run(other.settle([move]))
    assert bench.kept() == []
