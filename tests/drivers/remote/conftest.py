"""Real sshd on loopback, and drivers that work through it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.drivers.remote.files import RemoteFiles
from holdfast.drivers.remote.hosts import Hosts
from holdfast.drivers.remote.way import Way
from holdfast.drivers.secrets import Secrets
from holdfast.testing.sshd import Sshd
from tests.drivers.remote.shells import tools, without_python


@pytest.fixture
def stash(tmp_path: Path) -> Path:
    """Where workers keep things until a run is settled."""
    return tmp_path / "stash"


@pytest.fixture
def flavour() -> str:
    """What a host is like: with a Python, or with the tools of `coreutils` or `busybox` alone."""
    return "python"


@pytest.fixture
def server(stash: Path, flavour: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    settings = {"SetEnv": f"HOLDFAST_REMOTE={stash}"}
    if flavour != "python":
        settings = without_python(stash, tools(tmp_path_factory.mktemp("path") / "bin", flavour))
    with Sshd(**settings) as found:
        yield found


class Loop:
    """One event loop that goes on from call to call, like the one of a program."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()

    def __call__(self, work: Any) -> Any:
        return self.runner.run(work)


@pytest.fixture
def loop() -> Iterator[Loop]:
    found = Loop()
    yield found
    found.runner.close()


class Files:
    """A driver of files on a server."""

    def __init__(self, server: Sshd, loop: Loop, **way: Any) -> None:
        self.hosts = Hosts()
        self.host = self.hosts.enter("h1", way, lambda: Way(address=server.address(), **way))
        self.driver = RemoteFiles(self.host, self.hosts, Secrets())
        self.loop = loop

    def close(self) -> None:
        self.loop(self.driver.close())


@pytest.fixture
def files(server: Sshd, loop: Loop) -> Iterator[Files]:
    found = Files(server, loop)
    yield found
    found.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"
