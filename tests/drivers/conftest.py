"""Places that drivers are tried in."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A directory on another file system than that of `tmp_path`."""
    made = Path(tempfile.mkdtemp(dir=_other_file_system(tmp_path)))
    yield made
    shutil.rmtree(made)


def _other_file_system(path: Path) -> str:
    device = path.stat().st_dev
    for candidate in ("/dev/shm", "/run", "/run/user/" + str(os.geteuid()), "/var/tmp", "/tmp"):
        if os.access(candidate, os.W_OK) and os.stat(candidate).st_dev != device:
            return candidate
    raise AssertionError("these tests need two file systems to write to; a tmpfs is enough")
