"""What a worker holds on its host, also where there is no room for it."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.drivers.remote.keeping import Held
from holdfast.drivers.remote.shell.words import library


@contextmanager
def no_room() -> Iterator[None]:
    """Files can be made and not written, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_run_that_could_not_be_taken_for_lack_of_room_can_be_asked_for_again(tmp_path: Path) -> None:
    held = Held(str(tmp_path / "home"))
    for _ in range(2):
        with no_room(), pytest.raises(OSError) as refused:
            held.take("run")
        assert refused.value.errno == errno.EFBIG
    held.take("run")
    held.tidy()
    assert list(tmp_path.iterdir()) == []


def test_who_cannot_be_ended_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    first, second = Held(str(tmp_path / "home")), Held(str(tmp_path / "home"), patience_s=0.02)
    first.take("run")
    (lock,) = (tmp_path / "home" / ".runs").iterdir()
    lock.write_text("")  # nobody can be told to end
    with pytest.raises(TimeoutError, match="cannot be ended"):
        second.take("run")
    first.tidy()
    second.take("run")
    second.tidy()
    assert list(tmp_path.iterdir()) == []


TAKING = "export HOLDFAST_REMOTE={home}; hello >/dev/null; PATIENCE=20; ready run; leave\n"


@pytest.fixture
def open_place() -> Iterator[Path]:
    """Where everybody may work."""
    with tempfile.TemporaryDirectory() as found:
        os.chmod(found, 0o777)
        yield Path(found)


def taken_from(pid: int, place: Path) -> str:
    """What a shell says that takes a run over from this process; it may not end those of somebody else."""
    home, nobody = place / str(pid), 65534
    began = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    lock = f"mkdir -pm 700 {home}/.runs; chmod 700 {home}; echo {pid} {began} - >{home}/.runs/run.lock\n"
    text = lock.encode() + library() + TAKING.format(home=home).encode()
    who = nobody if os.geteuid() == 0 else None
    return subprocess.run(["sh"], input=text, capture_output=True, user=who, timeout=20, check=False).stdout.decode()


def test_a_shell_does_not_wait_for_ever_for_who_cannot_be_ended_either(open_place: Path) -> None:
    assert "refused io_error" in (said := taken_from(1, open_place))
    assert "cannot be ended" in said


def test_a_shell_does_not_wait_for_what_is_over_and_whose_parent_does_not_ask(open_place: Path) -> None:
    with subprocess.Popen(["true"]) as over:
        os.waitid(os.P_PID, over.pid, os.WEXITED | os.WNOWAIT)
        assert taken_from(over.pid, open_place).startswith("ready")
