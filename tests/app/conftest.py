"""A real engine over a real state directory, a folder to work in, and plans in few words."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import holdfast
from holdfast import Holdfast, Plan

PlanOf = Callable[..., Plan]


@pytest.fixture
def state(tmp_path: Path) -> str:
    return str(tmp_path / "state")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def hf(state: str) -> Iterator[Holdfast]:
    with holdfast.open(state) as engine:
        yield engine


@pytest.fixture
def plan_of(root: Path) -> PlanOf:
    """A plan of these steps; `policy` and `targets` as in a plan file. Relative paths lie in the root."""

    def make(*steps: dict[str, Any], name: str = "web", **more: Any) -> Plan:
        return holdfast.parse({"holdfast": 1, "name": name, "steps": list(steps), **more}, base=str(root))

    return make


def manifest(folder: Path) -> dict[str, tuple[Any, ...]]:
    """Everything below a folder: what it is, its metadata, its content."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in sorted(folder.rglob("*")):
        seen = path.lstat()
        content = (
            path.readlink() if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        )
        xattrs = {} if path.is_symlink() else {name: os.getxattr(path, name) for name in os.listxattr(path)}
        times = seen.st_mtime_ns if path.is_file() else 0  # a directory's moves with what is in it
        found[str(path.relative_to(folder))] = (oct(seen.st_mode), seen.st_uid, seen.st_gid, times, str(content), xattrs)
    return found
