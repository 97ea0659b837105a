"""Plans on hosts that are broken in every way: as before or as planned, effects in balance, nothing left. Small version."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from holdfast.testing.crash_ssh import BREAKS, FULL, Site, attempt, may_mount, site, usual
from holdfast.testing.link import Link
from holdfast.testing.sshd import Sshd


@pytest.fixture(scope="module")
def broken() -> Iterator[tuple[Site, float]]:
    with site(large_bytes=17_000_000) as where:
        yield where, usual(where)


@pytest.mark.parametrize("part", [0.35, 0.7])
@pytest.mark.parametrize("way", BREAKS)
def test_a_plan_that_is_broken_ends_as_before_or_as_planned(broken: tuple[Site, float], way: str, part: float) -> None:
    if way == FULL and not may_mount():
        pytest.skip("only root may mount a small disk")
    where, usual_s = broken
    assert attempt(where, way, usual_s * part) == ""


def test_a_link_carries_what_is_said_slows_it_down_and_breaks_it() -> None:
    with Sshd() as server, Link(server.port) as link:
        client = socket.create_connection(("127.0.0.1", link.port), timeout=5)
        assert client.recv(8) == b"SSH-2.0-"
        link.cut()
        with client, pytest.raises(ConnectionResetError):
            while client.recv(100):
                pass
            raise ConnectionResetError  # an end is a break as well
        link.rate = 200
        started = time.monotonic()
        with socket.create_connection(("127.0.0.1", link.port), timeout=5) as again:
            assert again.recv(8) == b"SSH-2.0-"
        assert time.monotonic() - started > 0.1
