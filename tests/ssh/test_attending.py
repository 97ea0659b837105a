"""The attendant that the commands of a connection share: whom it ends when its client is gone, and who does without it."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from holdfast.ssh import Command
from holdfast.ssh.attending import Attendant
from holdfast.ssh.front import Front
from tests.ssh.places import QUICK, Hosts

Program = subprocess.Popen[bytes]


class Attended:
    """One that runs here, and whose client we are."""

    def __init__(self, shell: str) -> None:
        said, told = subprocess.PIPE, subprocess.PIPE
        self.process = subprocess.Popen([shell], stdin=said, stderr=told, start_new_session=True)
        assert self.process.stdin is not None
        assert self.process.stderr is not None
        self.process.stdin.write(Attendant().text)
        self.process.stdin.flush()
        self.door = self.process.stderr.readline().decode().split()[-1]

    def register(self, pid: int) -> None:
        """Returns when it was heard, and the clock has gone on."""
        with open(self.door, "ab", buffering=0) as door:
            door.write(f"{pid}\n".encode())
            while self._waiting(door) or self._at_work():
                pass
        time.sleep(0.02)  # two steps of the clock by which it tells who came first: nothing else moves that one on

    def _waiting(self, door: IO[bytes]) -> bool:
        return any(fcntl.ioctl(door, termios.FIONREAD, bytes(4)))

    def _at_work(self) -> bool:
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "S"

    def lose_its_client(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()


@pytest.fixture(params=["dash", "bash"])
def attended(request: pytest.FixtureRequest) -> Iterator[Attended]:
    found = Attended(request.param)
    with found.process:
        yield found
        found.process.kill()


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    found: list[Program] = []
    yield found
    for program in found:
        program.kill()
        program.wait()


def asleep() -> Program:
    return subprocess.Popen(["sleep", "100"], start_new_session=True)


def test_all_who_came_are_ended_and_those_who_went_before_do_no_harm(attended: Attended, programs: list[Program]) -> None:
    programs += [asleep(), asleep(), asleep()]
    for program in programs:
        attended.register(program.pid)
    programs[1].kill()
    programs[1].wait()
    attended.lose_its_client()
    assert [program.wait(30) for program in programs] == [-signal.SIGTERM, -signal.SIGKILL, -signal.SIGTERM]


def with_number(number: int) -> Program | None:
    """Numbers are given in their order; somebody else may be given this one."""
    while True:
        found = asleep()
        if found.pid == number:
            return found
        with found:
            found.kill()
        if not number - 100 < found.pid < number:
            return None


def test_who_has_the_number_of_one_that_is_over_is_left_alone(attended: Attended, programs: list[Program]) -> None:
    while not programs:
        number = int(Path("/proc/loadavg").read_text().split()[-1]) + 50
        attended.register(number)
        programs += filter(None, [with_number(number)])
    attended.lose_its_client()
    assert attended.process.wait(30) == 1  # there was nobody to end
    assert programs[0].poll() is None


def test_a_command_whose_attendant_was_killed_has_its_own(hosts: Hosts) -> None:
    with Front(QUICK) as ssh:
        asked = Command("cat /proc/$$/cmdline; :", host=hosts.address())
        while "/fd/3" not in (told := ssh.run_command(asked).stdout):
            pass
        os.kill(int(told.partition(">>/proc/")[2].partition("/fd/3")[0]), signal.SIGKILL)
        assert all(ssh.run_command(Command("echo well", host=hosts.address())).stdout == "well\n" for _ in range(3))
