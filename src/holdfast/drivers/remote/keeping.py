"""Where a worker keeps things on its host, who may work for a run, and how nothing is left behind.

One private directory per user holds the stash; in `.runs` beside it lie the locks of runs and their switches. Whoever
works there holds a shared lock on it; the last one out, finding nothing kept, takes it away. The host carries this.
"""

from __future__ import annotations

import errno
import fcntl
import os
import pwd
import signal
import stat
import time
from contextlib import suppress

from holdfast.drivers.files.stash import slot_name

RUNS = ".runs"
_RECORD = ".at-"  # of stashes on other mounts, see `files.stash`
_LOOK_S = 0.01
_END_S = 30.0  # who was killed and is not gone by then hangs in the kernel


def home() -> str:
    """The directory of this user; the same for every worker, so that the next one finds what the last one kept.

    Who runs the host may name another one, in the environment that its sshd gives to sessions.
    """
    named = os.environ.get("HOLDFAST_REMOTE", "")
    if os.path.isabs(named):
        return named
    if os.geteuid() == 0:
        return "/var/lib/holdfast-remote"
    mine = pwd.getpwuid(os.geteuid()).pw_dir
    if os.path.isdir(mine) and os.access(mine, os.W_OK | os.X_OK):
        return os.path.join(mine, ".holdfast-remote")
    return f"/var/tmp/holdfast-remote-{os.geteuid()}"


def runs_of(home: str) -> str:
    """The folder of what belongs to runs, made where it is missing."""
    folder = os.path.join(home, RUNS)
    with suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    return folder


def is_regular(fd: int) -> bool:
    return stat.S_ISREG(os.fstat(fd).st_mode)


class Held:
    """What one worker holds of the directory: a share in it, and the runs it works for."""

    def __init__(self, home: str, patience_s: float = _END_S) -> None:
        self._home = home
        self._patience_s = patience_s
        self._share: int | None = None
        self._runs: dict[str, int] = {}

    def enter(self) -> None:
        """Make sure that the directory is there, ours alone, and that nobody takes it away meanwhile."""
        while self._share is None:
            with suppress(FileExistsError):
                os.mkdir(self._home, 0o700)
            fd = os.open(self._home, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                found = os.fstat(fd)
                if found.st_uid != os.geteuid() or found.st_mode & 0o077:
                    raise PermissionError(1, "not a private directory of this user", self._home)
                fcntl.flock(fd, fcntl.LOCK_SH)  # who has it alone only takes the directory away
                if _is_at(self._home, fd):
                    self._share = fd
            finally:
                if self._share is None:
                    os.close(fd)

    def take(self, run: str) -> None:
        """Work for a run, alone: a worker that a broken connection left behind is ended."""
        if run in self._runs:
            return
        self.enter()
        path = os.path.join(runs_of(self._home), f"{slot_name(run)}.lock")
        while run not in self._runs:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                self._wait_for(fd, path)
                if _is_at(path, fd):
                    os.ftruncate(fd, 0)
                    os.pwrite(fd, str(os.getpid()).encode("ascii"), 0)
                    self._runs[run] = fd
            finally:
                if run not in self._runs:  # a disk that is full has no room for our name: who asks again must find it free
                    os.close(fd)

    def _wait_for(self, fd: int, path: str) -> None:
        deadline = time.monotonic() + self._patience_s
        while not _locked(fd):
            if time.monotonic() > deadline:
                raise TimeoutError(errno.ETIMEDOUT, "the worker that holds it cannot be ended", path)
            _end_holder(fd)
            time.sleep(_LOOK_S)  # a lock that is waited for in the kernel has no limit

    def tidy(self) -> None:
        """Let go of everything; who is the last takes the directory away, unless something is kept in it."""
        for fd in self._runs.values():
            os.close(fd)
        self._runs.clear()
        if self._share is None:
            return
        _sweep(os.path.join(self._home, RUNS))
        with suppress(OSError):  # somebody else is there, or something is kept: then it stays
            fcntl.flock(self._share, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(self._home)
        os.close(self._share)
        self._share = None


def _is_at(path: str, fd: int) -> bool:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    mine = os.fstat(fd)
    return (found.st_dev, found.st_ino) == (mine.st_dev, mine.st_ino)


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sweep(folder: str) -> None:
    """Locks that nobody holds: ours, and those of workers that were killed."""
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        path = os.path.join(folder, name)
        if not name.endswith(".lock"):
            continue
        with suppress(OSError):
            fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if _locked(fd) and _is_at(path, fd):
                    os.unlink(path)
            finally:
                os.close(fd)


def _end_holder(fd: int) -> None:
    """Whoever holds the lock is alive, so the number in the file is nobody else's."""
    said = os.pread(fd, 20, 0)
    if said.isdigit():
        with suppress(ProcessLookupError):
            os.kill(int(said), signal.SIGKILL)


def _remove(home: str) -> None:
    """An empty home, with the empty stashes on other mounts that it knows. Raises OSError when something is kept."""
    names = os.listdir(home)
    records: list[str] = [os.path.join(home, name) for name in names if name.startswith(_RECORD)]
    if len(names) > len(records) + (RUNS in names):
        return
    for record in records:
        with suppress(FileNotFoundError):
            os.rmdir(os.readlink(record))
        os.unlink(record)
    with suppress(FileNotFoundError):
        os.rmdir(os.path.join(home, RUNS))
    os.rmdir(home)
