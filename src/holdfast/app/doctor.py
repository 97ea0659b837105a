"""Is this installation sound, and what can it do? Each check is a function and a row in CHECKS; none changes anything
but a file of its own, which it removes.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from holdfast.app.check import Check
from holdfast.app.home import Home

PYTHON_MIN: Final = (3, 11)
EPOCH_MIN: Final = 1_735_689_600  # 2025: whoever says it is earlier has lost the clock
AHEAD_S: Final = 60  # how far a journal may be ahead of the clock


def examine(home: Home) -> list[Check]:
    return [check for examined in CHECKS for check in examined(home)]


def _version(parts: tuple[int, ...]) -> str:
    return ".".join(map(str, parts))


def _python(home: Home) -> Iterator[Check]:
    found = tuple(sys.version_info[:3])
    yield Check("python", found >= PYTHON_MIN, _version(found), f"Holdfast needs {_version(PYTHON_MIN)} or newer")


def _sqlite(home: Home) -> Iterator[Check]:
    from holdfast.journal.library import VERSION, VERSION_MIN

    yield Check("sqlite", VERSION >= VERSION_MIN, _version(VERSION), f"the journal needs {_version(VERSION_MIN)} or newer")


# -- where things are kept


def _privacy(home: Home) -> Iterator[Check]:
    """Before-images are as secret as what they are images of."""
    try:
        found = os.stat(home.path)
    except FileNotFoundError:
        yield Check("state directory", True, f"{home.path}, made by the first run")
        return
    mine = found.st_uid == os.geteuid()
    private = not stat.S_IMODE(found.st_mode) & 0o077
    kept = f"{home.path}, mode {stat.S_IMODE(found.st_mode):04o}"
    yield Check("state directory", mine and private, kept, f"make it yours and private: chmod 700 {home.path}")


# Where a lock or a sync may not mean what it says; what `stat -f` calls them.
NOT_LOCAL: Final[Mapping[str, str]] = {
    "nfs": "a network file system",
    "nfs4": "a network file system",
    "cifs": "a network file system",
    "smb3": "a network file system",
    "9p": "a shared file system",
    "ceph": "a network file system",
    "tmpfs": "memory: it is lost with the power",
    "ramfs": "memory: it is lost with the power",
}


def _file_system(home: Home) -> Iterator[Check]:
    place = _nearest(home.path)
    kind = _kind_of(place)
    why = NOT_LOCAL.get(kind) or ("a file system of a user's program" if kind.startswith("fuse") else "")
    message = f"{kind}: {why}" if why else kind
    yield Check("file system", not why, message, "name a directory on a local disk with --state or HOLDFAST_STATE")


def _nearest(path: str) -> str:
    """The directory itself, or the one it will be made in."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def _kind_of(path: str) -> str:
    """The type of the mount that holds a path, as the kernel lists it."""
    device = os.stat(path).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            rows = [row.split() for row in file]
    except OSError:
        return "unknown"
    kinds = [row[row.index("-") + 1] for row in rows if row[2] == number]
    return kinds[-1] if kinds else "unknown"


def _durability(home: Home) -> Iterator[Check]:
    """Does writing through work here, and how long does it take?"""
    try:
        with tempfile.TemporaryFile(dir=_nearest(home.path)) as file:
            file.write(b"durable")
            file.flush()
            started = time.perf_counter()
            os.fsync(file.fileno())
            spent = time.perf_counter() - started
    except OSError as error:
        yield Check("durable writes", False, f"fsync fails: {error.strerror}", "check the disk")
        return
    yield Check("durable writes", True, f"fsync took {spent * 1000:.1f} ms")


def _exchange(home: Home) -> Iterator[Check]:
    """Without it a file is replaced in two steps, and the guarantee of the step says so."""
    try:
        with tempfile.TemporaryDirectory(dir=_nearest(home.path)) as directory:
            _swap(directory)
    except OSError as error:
        hint = "files are replaced in two steps here: steps are labelled `reversible` instead of `atomic`"
        yield Check("exchange of names", False, error.strerror or str(error), hint)
        return
    yield Check("exchange of names", True, "replacing is one switch")


def _swap(directory: str) -> None:
    from holdfast.drivers.files.calls import EXCHANGE, Calls

    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in ("one", "two"):
            os.mkdir(name, dir_fd=fd)
        Calls().renameat2("one", fd, "two", fd, EXCHANGE)
    finally:
        os.close(fd)


def _journal(home: Home) -> Iterator[Check]:
    from holdfast.core.errors import HoldfastError
    from holdfast.journal.sqlite import SqliteJournal

    try:
        journal = SqliteJournal.open(home.journal, read_only=True)
    except HoldfastError as error:
        yield Check("journal", False, error.message, error.hint)
        return
    try:
        found = journal.verify()
        newest = journal.runs(limit=1) if found.ok else ()
    finally:
        journal.close()
    hint = "`holdfast journal verify` lists the damage; nothing is written to a damaged journal"
    yield Check("journal", found.ok, f"{found.records} records" if found.ok else found.problems[0], hint)
    yield clock(newest[0].started_at if newest else 0.0)


def clock(newest: float) -> Check:
    now = time.time()
    if now < EPOCH_MIN:
        return Check("clock", False, f"it says {time.strftime('%Y-%m-%d', time.gmtime(now))}", "set the clock")
    if newest > now + AHEAD_S:
        ahead = f"the newest run began {newest - now:.0f} s in the future"
        return Check("clock", False, ahead, "set the clock: ids of runs sort by time")
    return Check("clock", True, time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now)))


# -- what it can do


def _kinds(home: Home) -> Iterator[Check]:
    from holdfast.kinds.registry import KINDS

    yield Check("kinds", True, ", ".join(KINDS))
    yield from _registered("holdfast.kinds", "kind")


def _drivers(home: Home) -> Iterator[Check]:
    from holdfast.app.wiring import TARGETS

    yield Check("targets", True, "; ".join(f"{target}: {', '.join(families)}" for target, families in TARGETS.items()))
    yield from _registered("holdfast.drivers", "driver")


def _registered(group: str, what: str) -> Iterator[Check]:
    """What other packages bring; one that cannot be loaded must not stop the others."""
    from importlib.metadata import entry_points

    for point in entry_points(group=group):
        package = f"from {point.dist.name} {point.dist.version}" if point.dist else f"from {point.value}"
        try:
            point.load()
        except Exception as error:  # whatever a stranger's package does when it is imported
            message = f"{package} cannot be loaded: {type(error).__name__}: {error}"
            yield Check(f"{what} {point.name}", False, message, "repair or remove the package")
        else:
            yield Check(f"{what} {point.name}", True, package)


def _extras(home: Home) -> Iterator[Check]:
    """An extra that is not installed is no mistake."""
    from importlib.util import find_spec

    for name, (module, purpose) in EXTRAS.items():
        installed = find_spec(module) is not None
        yield Check(f"extra {name}", True, f"{'installed' if installed else 'not installed'}: {purpose}")


def _server(home: Home) -> Iterator[Check]:
    from holdfast.app.serving.soundness import server

    yield from server(home, os.environ)


EXTRAS: Final[Mapping[str, tuple[str, str]]] = {
    "http": ("httpx2", "resources of services and appliances"),
    "mcp": ("mcp", "AI agents"),
    "otel": ("opentelemetry", "traces and metrics"),
    "serve": ("starlette", "the API and the dashboard"),
    "ssh": ("asyncssh", "hosts"),
    "triggers": ("cronsim", "cron, watchers and scanners"),
}

CHECKS: Final[tuple[Callable[[Home], Iterator[Check]], ...]] = (
    _python,
    _sqlite,
    _privacy,
    _file_system,
    _durability,
    _exchange,
    _journal,
    _kinds,
    _drivers,
    _extras,
    _server,
)
