"""An attacker who swaps a directory for a link, all the time, never gets anything written outside."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from holdfast.core.change import Change, Depth
from holdfast.drivers.contract import Ending
from holdfast.drivers.files.calls import EXCHANGE, Calls
from holdfast.kinds.content import Content
from holdfast.kinds.node import ABSENT
from holdfast.testing import zoo
from tests.drivers.files.bench import Bench, moves_of, node

ROUNDS = 1500
NEW = Content.of(b"only for inside")


@contextmanager
def flipping(directory: Path, outside: Path) -> Iterator[list[int]]:
    """Swap the directory with a link to the outside, as fast as one thread can. Yields how often that was done."""
    decoy = directory.with_name("decoy")
    decoy.symlink_to(outside)
    stop, flips, parent = threading.Event(), [0], os.open(directory.parent, os.O_PATH)
    calls = Calls()

    def flip() -> None:
        while not stop.is_set():
            calls.renameat2(directory.name, parent, decoy.name, parent, EXCHANGE)
            flips[0] += 1

    attacker = threading.Thread(target=flip)
    attacker.start()
    try:
        yield flips
    finally:
        stop.set()
        attacker.join()
        os.close(parent)


def the_outside(tmp_path: Path) -> Path:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim").write_bytes(b"do not touch")
    (outside / "folder").mkdir()
    return outside


def attack(bench: Bench, outside: Path, look_every_time: bool) -> tuple[int, int]:
    """Create and change through the flipping directory; returns how often it worked, and how often it was flipped."""
    before = zoo.manifest(outside, inodes=True)
    done = 0
    target = bench.root / "target"
    target.mkdir()
    (target / "victim").write_bytes(b"inside")
    bench.look("target/new")
    with flipping(target, outside) as flips:
        number = 0
        while number < ROUNDS or flips[0] < 100:
            number += 1
            if look_every_time:
                bench.look("target/new")
            done += sum(
                outcome.ending is Ending.DONE for outcome in bench.apply(*moves_of(*changes(bench, number)), keep_going=True)
            )
    assert zoo.differences(before, zoo.manifest(outside, inodes=True)) == []
    return done, flips[0]


def changes(bench: Bench, number: int) -> list[Change]:
    absent = ABSENT
    victim = bench.look("target/victim", Depth.CONTENT)
    made = [
        Change(bench.key(f"target/{number}"), absent, node("file", 0o644, digest=NEW.digest), means=NEW),
        Change(bench.key(f"target/link-{number}"), absent, node("link", target="x")),
        Change(bench.key(f"target/dir-{number}"), absent, node("dir", 0o755)),
    ]
    if victim.content == b"inside":  # planned while it was the right one
        made.append(Change(bench.key("target/victim"), victim, victim._replace(mode=victim.mode ^ 0o010)))
    return made


def test_beneath_a_declared_root_nothing_is_written_outside_however_often_we_look(tmp_path: Path) -> None:
    bench = Bench(tmp_path, roots=[tmp_path / "root"])
    done, flips = attack(bench, the_outside(tmp_path), look_every_time=True)
    assert done > 0
    assert flips > 0


def test_without_roots_a_directory_that_is_another_one_than_was_seen_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    target, outside = bench.root / "target", the_outside(tmp_path)
    target.mkdir()
    change = bench.link("target/new", "x")
    target.rename(bench.root / "aside")
    target.symlink_to(outside)
    outcome = bench.apply(*moves_of(change))[0]
    assert outcome.failure is not None
    assert outcome.failure.code == "foreign_change"
    assert sorted(path.name for path in outside.iterdir()) == ["folder", "victim"]


def test_a_link_that_was_there_when_we_looked_is_followed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    (bench.root / "real").mkdir()
    (bench.root / "way").symlink_to("real")
    bench.do(bench.file("way/new", b"x"))
    assert (bench.root / "real" / "new").read_bytes() == b"x"


def test_a_link_out_of_a_declared_root_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path, roots=[tmp_path / "root"])
    outside = the_outside(tmp_path)
    (bench.root / "way").symlink_to(outside)
    assert not bench.look("way/victim").exists
    for name in ("way/new", "../outside/new"):
        path = os.path.normpath(bench.root / name)
        outcome = bench.apply(*moves_of(Change(path, ABSENT, node("link", target="x"))))[0]
        assert outcome.failure is not None
        assert outcome.failure.code == "outside_root"
    stolen = Change(bench.key("stolen"), ABSENT, node("file", 0o644), means=Content(path=str(outside / "victim")))
    outcome = bench.apply(*moves_of(stolen))[0]
    assert outcome.failure is not None
    assert outcome.failure.code == "outside_root"


def test_a_link_within_a_declared_root_is_followed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, roots=[tmp_path / "root"])
    (bench.root / "real").mkdir()
    (bench.root / "way").symlink_to("real")
    bench.do(bench.file("way/new", b"x"), bench.folder("made"), bench.link("made/link", "x"))
    assert (bench.root / "real" / "new").read_bytes() == b"x"


class Planting(Calls):
    """Somebody puts a link where a new file is to be built, just before it is."""

    def __init__(self, leads_to: Path) -> None:
        self.leads_to = leads_to
        self.planted = False

    def open(self, name: str, flags: int, mode: int = 0o600, dir_fd: int | None = None) -> int:
        if name.endswith(".part") and not self.planted:
            self.planted = True
            os.symlink(self.leads_to, name, dir_fd=dir_fd)
        return super().open(name, flags, mode, dir_fd)


def test_a_new_file_is_never_built_through_a_link_that_stands_in_its_way(tmp_path: Path) -> None:
    victim = the_outside(tmp_path) / "victim"
    calls = Planting(victim)
    bench = Bench(tmp_path, calls)
    bench.do(Change(bench.key("new"), ABSENT, node("file", 0o644, digest=NEW.digest), means=NEW))
    assert calls.planted
    assert victim.read_bytes() == b"do not touch"
    assert (bench.root / "new").read_bytes() == b"only for inside"
    assert not (bench.root / "new").is_symlink()
