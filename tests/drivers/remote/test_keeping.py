"""What a worker holds on its host, also where there is no room for it."""

from __future__ import annotations

import errno
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.drivers.remote.keeping import Held


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
