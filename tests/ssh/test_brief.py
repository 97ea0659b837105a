"""Brief commands share shells that stay open, and are as good as those that run by themselves."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from holdfast.ssh import Command, Result
from holdfast.ssh.front import Front
from holdfast.testing.sshd import Sshd
from tests.ssh.places import QUICK, Hosts


@pytest.fixture
def ssh() -> Iterator[Front]:
    with Front(QUICK) as found:
        yield found


@pytest.fixture
def run(ssh: Front, hosts: Hosts) -> Any:
    def found(*words: Any, **around: Any) -> Result:
        return ssh.run_command(Command(*words, host=hosts.address(), brief=True, **around))

    return found


@pytest.mark.parametrize(
    ("words", "around"),
    [
        (("printf", "%s|", "a b", "", "it's", "\n x\\", "-n", "$HOME", "é\udcff"), {}),
        (("sh", "-c", "printf out; printf err >&2; exit 7"), {}),
        ("echo one; echo two >&2; false", {}),
        (("printenv", "A"), {"env": {"A": "it's\n\n$1 `x`\n"}}),
        (("pwd",), {"cwd": "/var/tmp"}),
        (("pwd",), {"cwd": "/not there"}),
        (("no-such-program",), {}),
        (("cat",), {}),
        (("head", "-c", "3000000", "/dev/zero"), {"output_bytes_max": 1000}),
    ],
)
def test_it_answers_what_one_that_runs_by_itself_answers(ssh: Front, hosts: Hosts, run: Any, words: Any, around: Any) -> None:
    for _ in range(2):  # in the same shell
        brief, alone = run(words, **around), ssh.run_command(Command(words, host=hosts.address(), **around))
        shown = [(each.exit_code, each.output, each.truncated, each.error and each.error.code) for each in (brief, alone)]
        assert shown[0] == shown[1]
        if "no-such" not in words[0]:  # the number of the line is another one
            assert brief.stderr == alone.stderr


def test_nothing_of_one_is_seen_by_the_next(run: Any) -> None:
    assert run(("sh", "-c", "echo $$"), env={"SEEN": "x"}, cwd="/var/tmp").success
    assert run(("printenv", "SEEN")).exit_code == 1
    assert run(("sh", "-c", "cd /; umask 0; exit 3")).exit_code == 3
    assert run(("pwd",)).stdout.startswith("/home/")


@pytest.mark.parametrize("way", ["", ">/dev/null 3>&1", "2>/dev/null 3>&2", ">/dev/null 2>&1"])
def test_what_one_left_running_says_later_is_not_said_by_the_next(run: Any, way: str) -> None:
    gate = f"gate-{time.time_ns()}"
    says = f"until [ -e {gate} ]; do sleep 0.01; done; trap '' PIPE; echo late; echo late >&2; echo late >&3; rm {gate}"
    assert run(("sh", "-c", f"(exec 3>&1 {way}; {says}) & exit 4")).exit_code == 4
    found = run(("sh", "-c", f"touch {gate}; while [ -e {gate} ]; do sleep 0.01; done; echo own"))
    assert (found.stdout, found.stderr) == ("own\n", "")


def test_many_take_few_sessions_and_all_are_answered(ssh: Front, hosts: Hosts) -> None:
    asked = [Command(("echo", str(number)), host=hosts.address(), brief=True) for number in range(200)]
    assert [result.stdout for result in ssh.run_all(asked, parallel=20)] == [f"{number}\n" for number in range(200)]
    others = [Command(("echo", str(number)), host=hosts.address()) for number in range(30)]  # now these need the sessions
    assert [result.stdout for result in ssh.run_all(others, parallel=30)] == [f"{number}\n" for number in range(30)]


def test_one_that_takes_too_long_ends_with_its_group_and_the_next_is_well(run: Any) -> None:
    seconds = f"{time.time_ns() % 10**6 + 10**6}"
    found = run(("sh", "-c", f"trap '' TERM; sleep {seconds} & wait; sleep {seconds}"), timeout=0.5)
    assert found.error is not None
    assert found.error.code == "timeout"
    assert run(("pgrep", "-f", f"^sleep {seconds}")).exit_code == 1


def test_one_that_ends_its_shell_is_told_how_and_the_next_gets_another(run: Any) -> None:
    assert run(("sh", "-c", "kill -KILL $PPID; sleep 5")).signal == "SIGKILL"
    assert run(("echo", "well")).stdout == "well\n"


def test_one_whose_connection_breaks_is_in_doubt(own: Sshd, tmp_path: Path) -> None:
    def cut() -> None:
        while not (tmp_path / "runs").exists():
            time.sleep(0.01)
        own.cut()

    cutting = Thread(target=cut)
    cutting.start()
    with Front(QUICK) as ssh:
        assert ssh.run_command(Command(("true",), host=own.address(), brief=True)).success
        line = ("sh", "-c", f"touch {tmp_path}/runs; sleep 60")
        found = ssh.run_command(Command(line, host=own.address(), brief=True))
    cutting.join()
    assert found.error is not None
    assert found.error.code == "in_doubt"


def test_a_client_that_is_killed_takes_it_along(hosts: Hosts) -> None:
    seconds = f"{time.time_ns() % 10**6 + 10**6}"
    text = f"""
from holdfast.ssh import Address, Command
from holdfast.ssh.front import Front
from tests.ssh.places import QUICK
address = Address(**{_told(hosts)!r})
Front(QUICK).run_command(Command(("sleep", "{seconds}"), host=address, brief=True))
"""
    client = subprocess.Popen([sys.executable, "-c", text])
    assert _settles(lambda: _runs(seconds), True)
    client.send_signal(signal.SIGKILL)
    client.wait()
    assert _settles(lambda: _runs(seconds), False)


def _told(hosts: Hosts) -> dict[str, Any]:
    address = hosts.address()
    return {name: getattr(address, name) for name in ("host", "port", "user", "identity", "known_hosts", "config")}


def _runs(seconds: str) -> bool:
    return subprocess.run(["pgrep", "-f", f"^sleep {seconds}"], check=False, capture_output=True).returncode == 0


def _settles(look: Callable[[], bool], wanted: bool) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and look() is not wanted:
        time.sleep(0.05)
    return look() is wanted
