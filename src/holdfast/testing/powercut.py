"""The power is cut at every write boundary: what was written and not synced is lost, and what was synced is not.

`python -m holdfast.testing.powercut` needs root. Each trial has a file system of its own on a loop device, holds the tree
and the state directory on it, and shuts it down before the n-th write: nothing reaches the device any more, neither data
nor the file system's own journal (`--flush-log` lets the latter through, as a disk with a battery does). Then it is mounted
again and Holdfast recovers. The tree must be the old one or the new one, and a commit that was announced must still be
there. The plan is the one of the crash matrix without its commands: nobody promises that `touch` syncs what it makes.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from holdfast.planfile import parse
from holdfast.testing import mixed
from holdfast.testing.crash import Boundary, Manifest, Tally, counted_engine, in_child, manifest

SHUTDOWN: Final = 0x8004587D  # the same ioctl for ext4 and xfs
FLUSH_LOG: Final = 1
LOSE_LOG: Final = 2
SIZES_MB: Final = {"ext4": 64, "xfs": 320}  # xfs refuses to be smaller
MKFS: Final = {"ext4": ("mkfs.ext4", "-q"), "xfs": ("mkfs.xfs", "-q")}


@dataclass(frozen=True, slots=True)
class Disk:
    """An image of a file system with the world before on it; each trial mounts a copy."""

    image: str
    mounted: str
    log: int

    @classmethod
    def made(cls, base: str, file_system: str, log: int) -> Disk:
        disk = cls(os.path.join(base, "pattern.img"), os.path.join(base, "disk"), log)
        os.mkdir(disk.mounted)
        with open(disk.image, "wb") as image:
            image.truncate(SIZES_MB[file_system] << 20)
        name, *options = MKFS[file_system]
        subprocess.run([_tool(name) or name, *options, disk.image], check=True)
        with _mounted(disk.image, disk.mounted):
            os.mkdir(disk.root)
            mixed.build(disk.root, disk.sources)
        return disk

    @property
    def root(self) -> str:
        return os.path.join(self.mounted, "root")

    @property
    def sources(self) -> str:
        return os.path.join(self.mounted, "sources")

    @property
    def state(self) -> str:
        return os.path.join(self.mounted, "state")

    def plan(self, *, fails: bool) -> Any:
        document = mixed.document(self.root, self.sources, fails=fails)
        (task,) = document["tasks"]
        task["stages"] = [stage for stage in task["stages"] if stage["name"] != "effects"]
        return parse(document)

    def cut(self) -> None:
        """From here on nothing reaches the device; then the process is gone as well."""
        room = os.open(self.mounted, os.O_RDONLY)
        fcntl.ioctl(room, SHUTDOWN, struct.pack("I", self.log))
        os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def trial(self) -> Iterator[Callable[[], None]]:
        """A fresh copy, mounted; what is given unmounts it and mounts it again, as a machine that starts does."""
        copy = f"{self.image}.trial"
        subprocess.run(["cp", "--sparse=always", self.image, copy], check=True)
        with _mounted(copy, self.mounted):

            def restart() -> None:
                subprocess.run(["umount", self.mounted], check=True)
                subprocess.run(["mount", "-o", "loop", copy, self.mounted], check=True)

            yield restart


@contextmanager
def _mounted(image: str, where: str) -> Iterator[None]:
    subprocess.run(["mount", "-o", "loop", image, where], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", where], check=True)


def applying(disk: Disk, *, fails: bool, cut_at: int | None) -> int:
    """Apply the plan until the power is gone; the number of boundaries. Zero: cut after the end was announced."""

    def work() -> int:
        boundary = Boundary(cut_at or None, disk.cut)
        with counted_engine(disk.state, boundary) as engine:
            engine.apply(disk.plan(fails=fails))
            if cut_at == 0:
                disk.cut()
        return boundary.count

    return in_child(work)


def recovering(disk: Disk, *, resume: bool) -> str | None:
    """The ending that the journal tells after recovery."""
    with counted_engine(disk.state, Boundary()) as engine:
        engine.recover(resume=resume)
        rows = engine.runs(limit=1)
    return rows[0]["ending"] if rows else None


def run_matrix(disk: Disk, *, stride: int, resume: bool, tally: Tally) -> None:
    with disk.trial():
        old = manifest(disk.root)
        boundaries = {fails: applying(disk, fails=fails, cut_at=None) for fails in (True, False)}
        new = manifest(disk.root)
    for fails, count in boundaries.items():
        for point in (0, *range(1, count + 1, stride)):
            with disk.trial() as restart:
                applying(disk, fails=fails, cut_at=point)
                restart()
                ending = recovering(disk, resume=resume)
                label = f"fails={fails} cut at {point}/{count}" if point else f"fails={fails} cut after its end"
                _judge(disk, ending, (old, new), announced=None if point else not fails, label=label, tally=tally)


def _judge(
    disk: Disk, ending: str | None, worlds: tuple[Manifest, Manifest], *, announced: bool | None, label: str, tally: Tally
) -> None:
    if announced is not None and (ending == "committed") is not announced:
        tally.bad.append(f"{label}: it was announced otherwise, and the journal says {ending}")
    tally.weigh(manifest(disk.root), ending, *worlds, label)


def _tool(name: str) -> str | None:
    """Root's tools are not on everybody's path."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")


def unable(file_system: str) -> str:
    """Why this machine cannot do it; empty when it can."""
    if os.geteuid() != 0:
        return "only root may mount file systems"
    if _tool(MKFS[file_system][0]) is None:
        return f"there is no {MKFS[file_system][0]}"
    return "" if os.path.exists("/dev/loop-control") else "there are no loop devices"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="powercut", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file-system", default="ext4", choices=sorted(MKFS))
    parser.add_argument("--flush-log", action="store_true", help="the file system's own journal still reaches the device")
    parser.add_argument("--stride", type=int, default=1, help="try every n-th boundary only")
    parser.add_argument("--resume", action="store_true", help="recover by going on instead of rolling back")
    parser.add_argument("--small", action="store_true", help="a budget for continuous integration")
    options = parser.parse_args(arguments)
    if why := unable(options.file_system):
        sys.stdout.write(f"not tried: {why}\n")
        return 0 if options.small else 1
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="holdfast-powercut-") as base:
        disk = Disk.made(base, options.file_system, FLUSH_LOG if options.flush_log else LOSE_LOG)
        stride = max(options.stride, 47 if options.small else 1)
        run_matrix(disk, stride=stride, resume=options.resume, tally=tally)
    return tally.report()


if __name__ == "__main__":
    sys.exit(main())
