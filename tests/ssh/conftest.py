"""One sshd for all these tests, and a second one for those that hurt it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from holdfast.testing.sshd import Sshd, account, may_make_accounts
from tests.ssh.places import PASSWORD, Hosts


@pytest.fixture(scope="session")
def hosts() -> Iterator[Hosts]:
    if not may_make_accounts():
        pytest.skip("only root can make the users who log in")
    me = f"{os.getpid()}"
    everything = "ALL=(ALL)"
    with (
        account(f"hfp{me}") as plain,
        account(f"hfa{me}", sudo=f"{everything} NOPASSWD: ALL") as admin,
        account(f"hfq{me}", sudo=f"{everything} ALL", password=PASSWORD) as asked,
        Sshd(user=plain) as server,
    ):
        yield Hosts(server, plain, admin, asked)


@pytest.fixture
def own() -> Iterator[Sshd]:
    """A server that a test may hurt."""
    with Sshd() as server:
        yield server
