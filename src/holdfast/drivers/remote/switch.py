"""The dead man's switch of one run on its host: a detached process that takes the run back, unless it hears in time.

Its deadline lies in a file of the run's folder, on the clock of the host that no one can set. Extending, disarming and
firing each claim the folder under one lock, and firing gives it another name: so it fires once, or never. What it has to
undo it holds in memory, secrets of commands included; nothing of that is written down. The host carries this module.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from holdfast.drivers.files.engine import FileEngine
from holdfast.drivers.files.stash import slot_name
from holdfast.drivers.files.values import Order
from holdfast.drivers.remote.keeping import RUNS, Held, runs_of
from holdfast.drivers.remote.wire import order_from

ARMED, FIRED, DISARMED, ABSENT = "armed", "fired", "disarmed", "absent"
LOOK_S = 0.2
FINISH_S = 120.0  # how long who asks waits for a switch that is at work
COMMAND_S = 300.0


class Folder:
    """What a run's switch has on the host's disk."""

    def __init__(self, home: str, run: str) -> None:
        base = os.path.join(home, RUNS, slot_name(run))
        self.armed = f"{base}.armed"
        self.fired = f"{base}.fired"
        self.result = f"{self.fired}/result"
        self._lock = f"{base}.switch"

    @property
    def there(self) -> bool:
        return os.path.isdir(self.armed) or os.path.isdir(self.fired)

    @contextmanager
    def alone(self) -> Iterator[None]:
        fd = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    @property
    def deadline(self) -> float:
        with open(f"{self.armed}/deadline", encoding="ascii") as file:
            return float(file.read())

    def set_deadline(self, seconds: float) -> None:
        new = f"{self.armed}/deadline.new"
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(repr(time.monotonic() + seconds))
        os.replace(new, f"{self.armed}/deadline")

    @property
    def undone(self) -> list[str]:
        """The commands that the switch has taken back; who asks must not do it again."""
        try:
            with open(self.result, encoding="utf-8") as file:
                return [str(step) for step in json.load(file)["undone"]]
        except FileNotFoundError:
            return []  # it never came to an end: what it did not tell is found out as after a crash

    def drop(self) -> None:
        for folder in (self.armed, self.fired):
            _remove(folder)
        with suppress(FileNotFoundError):
            os.unlink(self._lock)


def arm(home: str, request: dict[str, Any], beside: bytes) -> str:
    """Begin to count. The process is its own session and holds on to nothing of the connection."""
    runs_of(home)
    folder = Folder(home, request["run"])
    with folder.alone():
        if os.path.isdir(folder.fired):
            return FIRED
        if os.path.isdir(folder.armed):
            _remove(folder.armed)  # of an attempt that died: its process sees another folder, and ends
        os.mkdir(folder.armed, 0o700)
        folder.set_deadline(request["seconds"])
    steps = [_step(each, beside) for each in request["undo"]]
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return ARMED
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        _detach()
        _watch(home, request["run"], folder, steps)
    finally:
        os._exit(0)
    return ARMED


def extend(home: str, run: str, seconds: float) -> dict[str, Any]:
    """Not yet: count anew. Waits for a switch that is at work already, and tells which commands it has taken back."""
    folder = Folder(home, run)
    if not folder.there:
        return {"state": ABSENT}
    with folder.alone():
        if os.path.isdir(folder.armed):
            folder.set_deadline(seconds)
            return {"state": ARMED}
    state = _fired(folder)
    return {"state": state, "undone": folder.undone if state == FIRED else []}


def disarm(home: str, run: str) -> str:
    folder = Folder(home, run)
    if not folder.there:
        return ABSENT
    with folder.alone():
        if os.path.isdir(folder.armed):
            folder.drop()
            return DISARMED
    found = _fired(folder)
    folder.drop()
    return found


def mark(home: str, run: str, step: str, begun: bool) -> None:
    """A command is about to be run, or was taken back: what the switch has to undo changes by that."""
    folder = Folder(home, run)
    path = f"{folder.armed}/begun-{slot_name(step)}"
    if not begun:
        with suppress(FileNotFoundError):
            os.unlink(path)
    elif os.path.isdir(folder.armed):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _remove(path: str) -> None:
    from shutil import rmtree  # here and below: most workers never need it, and all of them start

    rmtree(path, ignore_errors=True)


def _fired(folder: Folder) -> str:
    if not os.path.isdir(folder.fired):
        return ABSENT
    deadline = time.monotonic() + FINISH_S
    while not os.path.exists(folder.result) and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    return FIRED


# -- the detached process


def _detach() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    os.closerange(3, 1024)
    os.chdir("/")


def _watch(home: str, run: str, folder: Folder, steps: list[Any]) -> None:
    held = Held(home, patience_s=float("inf"))  # nobody else will put it back
    held.enter()
    mine = os.stat(folder.armed).st_ino
    while _is_armed(folder, mine):
        time.sleep(LOOK_S)
        with folder.alone():
            if not _is_armed(folder, mine) or time.monotonic() < folder.deadline:
                continue
            os.rename(folder.armed, folder.fired)
        held.take(run)  # a worker that nobody talks to any more must not be in the way
        _take_back(home, folder, steps)
    if not folder.there:
        folder.drop()
    held.tidy()


def _is_armed(folder: Folder, mine: int) -> bool:
    """Is it still this switch: not disarmed, and not armed anew by somebody else?"""
    try:
        return os.stat(folder.armed).st_ino == mine
    except FileNotFoundError:
        return False


def _take_back(home: str, folder: Folder, steps: list[Any]) -> None:
    engine = FileEngine(home)
    said: list[str] = []
    undone: list[str] = []
    batch: list[Order] = []
    for step in [*steps, None]:
        if isinstance(step, Order):
            batch.append(step)
            continue
        if batch:
            reports = engine.apply([order._replace(needs=()) for order in batch], keep_going=True)
            said += [f"{batch[at].key}: {report.ending} {report.message}".strip() for at, report in enumerate(reports)]
            batch = []
        if step is not None and os.path.exists(f"{folder.fired}/begun-{slot_name(step['id'])}"):
            code = _run(step)
            said.append(f"{step['id']}: {code}")
            undone += [step["id"]] if code == "exit code 0" else []
    engine.close()
    with open(os.open(f"{folder.result}.new", os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
        json.dump({"undone": undone, "said": said}, file)
    os.replace(f"{folder.result}.new", folder.result)


def _run(step: dict[str, Any]) -> str:
    import subprocess

    try:
        ended = subprocess.run(
            step["argv"],
            env={**os.environ, **step["env"]},
            cwd=step["cwd"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=COMMAND_S,
            start_new_session=True,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"failed: {error}"
    return f"exit code {ended.returncode}"


def _step(values: Any, beside: bytes) -> Any:
    """A file order, or a command with what surrounds it."""
    return dict(values) if isinstance(values, dict) else order_from(values, beside)
