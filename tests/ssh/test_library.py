"""The SSH library is loaded without a compiler being started, and knows what it would know otherwise."""

from __future__ import annotations

import subprocess
import sys

_KNOWN = "from asyncssh.kex import get_kex_algs; from asyncssh.mac import get_mac_algs; print(get_kex_algs(), get_mac_algs())"


def said(text: str) -> str:
    return subprocess.run([sys.executable, "-c", text], check=True, capture_output=True, text=True).stdout


def test_it_knows_the_same_algorithms_as_when_it_is_loaded_by_itself() -> None:
    assert said(f"import holdfast.ssh.library; {_KNOWN}") == said(f"import asyncssh; {_KNOWN}")


def test_it_starts_no_program_but_asks_for_the_list_of_the_loader_once() -> None:
    heard = "import sys; sys.addaudithook(lambda event, said: event == 'subprocess.Popen' and print(said[0]))"
    assert said(f"{heard}; import holdfast.ssh.library").splitlines() == ["/sbin/ldconfig"]
