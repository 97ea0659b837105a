"""The crash matrix: a mixed plan, killed with SIGKILL at every write boundary, forward, in rollback and in recovery.

`python -m holdfast.testing.crash` forks a real process per trial, lets it die before its n-th write, recovers, and
compares the whole tree: it must be the old one or the new one, and the journal must say which. `--depth 2` kills the
recovery as well, at each of its own boundaries. Exit code 1 when any trial ended in between.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from holdfast.app.engine import Holdfast
from holdfast.app.home import Home
from holdfast.app.parts import Parts
from holdfast.app.wiring import TARGETS, Target, Wiring
from holdfast.drivers.files.calls import Calls
from holdfast.drivers.files.local import Local
from holdfast.journal.sqlite import SqliteJournal
from holdfast.planfile import parse
from holdfast.runtime.crew import run_to_end
from holdfast.testing import mixed

Manifest = Mapping[str, tuple[Any, ...]]


# -- boundaries


def gone() -> None:
    """The end of this process, without a last word."""
    os.kill(os.getpid(), signal.SIGKILL)


class Boundary:
    """Counts write boundaries; at the chosen one the process is gone."""

    def __init__(self, kill_at: int | None = None, end: Callable[[], None] = gone) -> None:
        self.count = 0
        self.kill_at = kill_at
        self._end = end

    def cross(self) -> None:
        self.count += 1
        if self.count == self.kill_at:
            self._end()


def counted_calls(boundary: Boundary) -> Calls:
    """The driver's door to the file system, with a boundary before every call that writes."""

    def crossing(name: str) -> Callable[..., Any]:
        original = getattr(Calls, name)

        def call(self: Calls, *args: Any, **options: Any) -> Any:
            boundary.cross()
            return original(self, *args, **options)

        return call

    reads = {"open", "open_beneath", "close"}
    names = [name for name in vars(Calls) if not name.startswith("_") and name not in reads and callable(getattr(Calls, name))]
    counted: Calls = type("CountedCalls", (Calls,), {name: crossing(name) for name in names})()
    return counted


def counted_journal(boundary: Boundary, directory: str) -> SqliteJournal:
    class Counted(SqliteJournal):
        def append(self, run: str | None, events: Any, **options: Any) -> Any:
            boundary.cross()
            receipt = super().append(run, events, **options)
            boundary.cross()
            return receipt

    journal: SqliteJournal = Counted.open(directory)
    return journal


def counted_engine(state: str, boundary: Boundary) -> Holdfast:
    home = Home(state)
    home.make()

    def files(wiring: Wiring, target: Target, on_loop: bool) -> Any:
        driver = Local(wiring.home.stash, calls=counted_calls(boundary))
        if not on_loop:
            return driver
        from holdfast.drivers.threaded import Threaded

        return Threaded(driver, run_to_end)

    targets = {**TARGETS, "local": {**TARGETS["local"], "files": files}}
    return Holdfast(Parts(home, counted_journal(boundary, home.journal), Wiring(home, targets=targets)))


# -- the world


def manifest(root: str) -> Manifest:
    """Everything a person could tell apart, by path."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in _walk(root):
        status = os.lstat(path)
        content: Any = None
        if stat.S_ISREG(status.st_mode):
            with open(path, "rb") as file:
                content = file.read()
        elif stat.S_ISLNK(status.st_mode):
            content = os.readlink(path)
        found[os.path.relpath(path, root)] = (status.st_mode, status.st_uid, status.st_gid, content)
    return found


def _walk(root: str) -> Iterator[str]:
    yield root
    for directory, names, files in os.walk(root):
        yield from (os.path.join(directory, name) for name in (*names, *files))


def difference(one: Manifest, other: Manifest) -> list[str]:
    return [path for path in sorted({*one, *other}) if one.get(path) != other.get(path)]


# -- trials


@dataclass
class Site:
    """A place to try things: the tree, its sources, and a state directory, all made anew for each trial."""

    base: str
    pattern: str = field(init=False)

    def __post_init__(self) -> None:
        self.pattern = os.path.join(self.base, "pattern")
        os.makedirs(os.path.join(self.pattern, "root"))
        mixed.build(os.path.join(self.pattern, "root"), os.path.join(self.base, "sources"))

    @property
    def root(self) -> str:
        return os.path.join(self.base, "root")

    @property
    def state(self) -> str:
        return os.path.join(self.base, "state")

    def renew(self) -> None:
        for path in (self.root, self.state):
            shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(os.path.join(self.pattern, "root"), self.root, symlinks=True)

    def plan(self, *, fails: bool) -> Any:
        return parse(mixed.document(self.root, os.path.join(self.base, "sources"), fails=fails))


def in_child(work: Callable[[], int]) -> int:
    """Run in a process of its own; the number it returns, or the negative signal that ended it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        status = 70
        try:
            os.write(writing, str(work()).encode())
            status = 0
        except BaseException as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return -os.WTERMSIG(status)
    if os.WEXITSTATUS(status):
        raise RuntimeError("a trial ended with a traceback")
    return int(said)


def applying(site: Site, *, fails: bool, kill_at: int | None) -> int:
    """Apply the plan, or die; the number of boundaries crossed."""

    def work() -> int:
        boundary = Boundary(kill_at)
        with counted_engine(site.state, boundary) as engine:
            engine.apply(site.plan(fails=fails))
        return boundary.count

    return in_child(work)


def recovering(site: Site, *, resume: bool, kill_at: int | None) -> int:
    def work() -> int:
        boundary = Boundary(kill_at)
        with counted_engine(site.state, boundary) as engine:
            engine.recover(resume=resume)
        return boundary.count

    return in_child(work)


@dataclass
class Tally:
    trials: int = 0
    old: int = 0
    new: int = 0
    bad: list[str] = field(default_factory=list)

    def judge(self, site: Site, old: Manifest, new: Manifest, label: str) -> None:
        self.weigh(manifest(site.root), _ending(site), old, new, label)

    def weigh(self, now: Manifest, ending: str | None, old: Manifest, new: Manifest, label: str) -> None:
        """The tree is old or new, and the journal says which."""
        self.trials += 1
        expected = new if ending in ("committed", "unchanged") else old
        if wrong := difference(now, expected):
            self.bad.append(f"{label}: ended {ending}, but differs at {', '.join(wrong[:5])}")
        elif ending not in (None, "committed", "unchanged", "rolled_back"):
            self.bad.append(f"{label}: ended {ending}")
        elif expected is new:
            self.new += 1
        else:
            self.old += 1

    def report(self) -> int:
        """Written for people; the exit code."""
        for line in self.bad[:20]:
            sys.stdout.write(f"BAD  {line}\n")
        sys.stdout.write(f"{self.trials} trials: {self.old} old, {self.new} new, {len(self.bad)} neither\n")
        return 1 if self.bad else 0


def _ending(site: Site) -> str | None:
    home = Home(site.state)
    if not os.path.isdir(home.journal):
        return None
    journal = SqliteJournal.open(home.journal)
    try:
        rows = journal.runs(limit=1)
        return rows[0].ending if rows else None
    finally:
        journal.close()


def run_matrix(site: Site, *, depth: int, stride: int, resume: bool, tally: Tally) -> None:
    old = manifest(site.pattern + "/root")
    site.renew()
    with counted_engine(site.state, Boundary()) as engine:  # here, so that the trials need not load every module anew
        engine.apply(site.plan(fails=False))
    new = manifest(site.root)
    for fails in (False, True):
        site.renew()
        boundaries = applying(site, fails=fails, kill_at=None)
        target = old if fails else new
        tally.judge(site, old, target, f"fails={fails} undisturbed")
        for point in range(1, boundaries + 1, stride):
            trial = Trial(site, fails, point, resume, f"fails={fails} killed at {point}/{boundaries}")
            crossed = trial.run(None)
            tally.judge(site, old, target, trial.label)
            for again in range(1, crossed + 1, stride) if depth > 1 else ():
                trial.run(again)
                tally.judge(site, old, target, f"{trial.label}, recovery killed at {again}/{crossed}")


@dataclass
class Trial:
    """A plan killed at a point, and its recovery. Every trial is done from the start: a copy of a half-done site would
    have other inodes, and Holdfast would rightly take them for the work of somebody else."""

    site: Site
    fails: bool
    point: int
    resume: bool
    label: str

    def run(self, kill_recovery_at: int | None) -> int:
        """The number of boundaries that the last recovery crossed."""
        self.site.renew()
        applying(self.site, fails=self.fails, kill_at=self.point)
        if kill_recovery_at is not None:
            recovering(self.site, resume=self.resume, kill_at=kill_recovery_at)
        return recovering(self.site, resume=self.resume, kill_at=None)


def quick_place() -> str | None:
    """Memory where there is some: a kill loses nothing that was written, synced or not, so the disk is not what is tried."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="crash", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--depth", type=int, default=1, choices=(1, 2), help="2: kill the recovery as well")
    parser.add_argument("--stride", type=int, default=1, help="try every n-th boundary only")
    parser.add_argument("--resume", action="store_true", help="recover by going on instead of rolling back")
    parser.add_argument("--small", action="store_true", help="a budget for continuous integration")
    options = parser.parse_args(arguments)
    stride = max(options.stride, 7 if options.small else 1)
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="holdfast-crash-", dir=quick_place()) as base:
        run_matrix(Site(base), depth=options.depth, stride=stride, resume=options.resume, tally=tally)
    return tally.report()


if __name__ == "__main__":
    sys.exit(main())
