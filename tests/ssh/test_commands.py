"""Commands on a real host: what reaches the program, what comes back, and what is left of it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.ssh import Command, Executor, Result, Sudo
from holdfast.ssh.front import Front
from holdfast.testing.sshd import Sshd, account
from tests.ssh.places import PASSWORD, QUICK, Hosts, heard_of


@pytest.fixture(scope="module")
def ssh() -> Iterator[Front]:
    with Front(QUICK) as front:
        yield front


def code(result: Result) -> str | None:
    return result.error.code if result.error else None


def test_words_reach_the_program_as_they_are(ssh: Front, hosts: Hosts) -> None:
    words = ("printf", "%s|", "a b", "$HOME", "it's", "*", "-n", "", "new\nline", "\udcff")
    result = ssh.run_command(Command(words, host=hosts.address()))
    assert result.output == b"a b|$HOME|it's|*|-n||new\nline|\xff|"


def test_a_line_is_what_a_shell_makes_of_it(ssh: Front, hosts: Hosts) -> None:
    assert ssh.run_command(Command("echo $((6 * 7)) | cat", host=hosts.address())).stdout == "42\n"


def test_exit_code_and_both_streams_come_back(ssh: Front, hosts: Hosts) -> None:
    result = ssh.run_command(Command("echo out; echo err >&2; exit 3", host=hosts.address()))
    assert (result.exit_code, result.stdout, result.stderr) == (3, "out\n", "err\n")
    assert code(result) == "command_failed"


def test_the_signal_that_ended_a_program_is_told(ssh: Front, hosts: Hosts) -> None:
    result = ssh.run_command(Command("kill -SEGV $$", host=hosts.address()))
    assert (result.exit_code, result.signal) == (None, "SIGSEGV")


@pytest.mark.parametrize("sudo", [False, True, "nobody"])
def test_environment_directory_and_input_also_for_another_user(ssh: Front, hosts: Hosts, sudo: Any) -> None:
    env = {"A": "it's\n $x", "B_2": ""}
    asked = Command('printf "%s|%s|" "$A" "${B_2-unset}"; pwd; cat', env=env, cwd="/usr", stdin="given", sudo=sudo)
    result = ssh.run_command(asked.on(hosts.address(hosts.admin)))
    assert result.stdout == "it's\n $x||/usr\ngiven"


def test_the_values_of_variables_are_in_no_argument_list(ssh: Front, hosts: Hosts) -> None:
    look = "tr '\\0' ' ' </proc/$PPID/cmdline; for p in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$p; done 2>/dev/null"
    result = ssh.run_command(Command(look, env={"TOKEN": "canary-8d1f"}, host=hosts.address()))
    assert result.success
    assert "canary-8d1f" not in result.stdout


def test_a_password_is_said_only_when_sudo_asks_and_is_shown_nowhere(ssh: Front, hosts: Hosts) -> None:
    sudo = Sudo(password=PASSWORD)
    asked = Command("id -un; cat; cat /proc/*/cmdline /proc/self/environ 2>/dev/null", sudo=sudo, stdin="rest\n")
    result = ssh.run_command(asked.on(hosts.address(hosts.asked)))
    assert result.output.startswith(b"root\nrest\n")
    assert b"canary" not in result.output
    assert PASSWORD not in repr(asked)
    assert result.stderr == ""


def test_a_password_that_nobody_asks_for_does_not_reach_the_program(ssh: Front, hosts: Hosts) -> None:
    asked = Command("cat", sudo=Sudo(password=PASSWORD), stdin="only this", host=hosts.address(hosts.admin))
    assert ssh.run_command(asked).stdout == "only this"


def test_a_wrong_password_is_an_answer(ssh: Front, hosts: Hosts) -> None:
    asked = Command(["id"], sudo=Sudo(password="wrong"), host=hosts.address(hosts.asked), timeout=20)
    result = ssh.run_command(asked)
    assert code(result) == "auth_failed"
    assert "sudo did not accept the password" in str(result.error)


@pytest.mark.parametrize("who", ["plain", "asked"])
def test_who_may_not_become_root_is_told_so(ssh: Front, hosts: Hosts, who: str) -> None:
    result = ssh.run_command(Command(["id"], sudo=True, host=hosts.address(getattr(hosts, who))))
    assert code(result) == "permission_denied"


def test_a_host_without_sudo_says_so(ssh: Front, hosts: Hosts, tmp_path: Path) -> None:
    with Sshd(user=hosts.plain, SetEnv=f"PATH={tmp_path}") as bare:
        result = ssh.run_command(Command(["id"], sudo=True, host=bare.address()))
    assert (code(result), "sudo is not installed" in str(result.error)) == ("not_found", True)


def test_a_directory_that_is_not_there_is_said_before_anything_runs(ssh: Front, hosts: Hosts) -> None:
    result = ssh.run_command(Command("touch ran", cwd="/nonexistent", host=hosts.address()))
    assert code(result) == "not_found"
    assert not (hosts.home() / "ran").exists()


@pytest.mark.parametrize("user", ["plain", "admin"])
@pytest.mark.parametrize("line", ["sleep 4711 & sleep 4711", "trap '' TERM; sleep 4711; sleep 4711"])
def test_a_time_limit_takes_the_whole_process_group(ssh: Front, hosts: Hosts, user: str, line: str) -> None:
    asked = Command(line, timeout=0.2, sudo=user == "admin", host=hosts.address(getattr(hosts, user)))
    result = ssh.run_command(asked)
    assert code(result) == "timeout"
    assert running("sleep 4711") == 0


def test_a_young_program_that_missed_the_first_word_is_asked_again_before_it_is_forced(hosts: Hosts) -> None:
    """A shell whose profile is slow hears the first one for it."""
    deaf_once = "trap 'trap - TERM' TERM; while :; do sleep 0.1; done"
    with Front(QUICK.changed(grace_s=20)) as front:
        result = front.run_command(Command(deaf_once, timeout=0.3, host=hosts.address()))
    assert (code(result), result.signal) == ("timeout", "SIGTERM")


def test_where_a_server_passes_no_signals_on_the_group_is_ended_all_the_same(ssh: Front, hosts: Hosts) -> None:
    result = ssh.run_command(Command("sleep 4712 & sleep 4712", timeout=0.5, host=hosts.address("root")))
    assert code(result) == "timeout"
    assert running("sleep 4712") == 0


def test_cancelling_ends_what_runs_there(hosts: Hosts) -> None:
    async def cancelled() -> int:
        async with Executor(QUICK) as ssh:
            task = asyncio.create_task(ssh.run_command(Command("echo on; sleep 4713", host=hosts.address()), heard(started)))
            await heard_of(started, task)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return ssh.statistics().sessions

    def heard(event: asyncio.Event) -> Any:
        return lambda host, stream, line: event.set()

    started = asyncio.Event()
    assert asyncio.run(cancelled()) == 0
    assert running("sleep 4713") == 0


def test_output_is_heard_line_by_line_with_its_host(ssh: Front, hosts: Hosts) -> None:
    said: list[tuple[str, str, str]] = []
    command = Command("echo one; echo two >&2; printf three", host=hosts.address())
    ssh.run_command(command, lambda *line: said.append(line))
    host = str(hosts.address())
    assert sorted(said) == sorted([(host, "stdout", "one"), (host, "stderr", "two"), (host, "stdout", "three")])


def test_huge_and_binary_output_is_bounded_and_says_so(ssh: Front, hosts: Hosts) -> None:
    result = ssh.run_command(Command("head -c 5000000 /dev/urandom", output_bytes_max=4096, host=hosts.address()))
    assert result.success
    assert (len(result.output), result.truncated) == (4096, True)


@pytest.mark.parametrize(
    "asked",
    [
        Command([]),
        Command("  "),
        Command(["a", "b\0c"]),
        Command("true", env={"A\nB": "x"}),
        Command("true", env={"A": "\0"}),
        Command(["true", "x" * 200_000]),
        Command("true", user="-oProxyCommand=x"),
        Command("true", port=70_000),
    ],
)
def test_what_cannot_be_said_is_refused_before_anybody_is_called(ssh: Front, asked: Command) -> None:
    result = ssh.run_command(asked.on("127.0.0.1:1"))
    assert (code(result), result.attempts) == ("invalid_value", 0)


def running(line: str, patience_s: float = 30) -> int:
    """How many processes have this command line; those that are about to end get the time they need."""
    for _ in range(int(patience_s * 100)):
        found = subprocess.run(["pgrep", "-fxc", line], capture_output=True, text=True, check=False)
        if found.stdout.strip() == "0":
            return 0
        time.sleep(0.01)
    return int(found.stdout)


def left_by(script: str, patience_s: float = 30) -> list[Path]:
    """The directories of a script of this name; what is about to be removed gets the time it needs."""
    deadline = time.monotonic() + patience_s
    while (found := list(Path("/tmp").glob(f"holdfast-script-{script}.*"))) and time.monotonic() < deadline:
        time.sleep(0.01)  # looked at again, not hoped for
    return found


ALONE = """
import sys
from holdfast.ssh import Address, Command, Script, open
host, port, user, key, known, how, line, id = sys.argv[1:]
address = Address(host=host, port=int(port), user=user, identity=(key,), known_hosts=known, config="none")
around = {"host": address, "stdin": "input" if "input" in how else None, "sudo": "sudo" in how}
with open() as ssh:
    while "shared" in how and "/fd/3" not in ssh.run_command(Command("cat /proc/$$/cmdline; :", host=address)).stdout:
        pass  # until there is an attendant, whose door the command knows
    if "script" in how:
        ssh.run_script(Script(content=line, id=id, **around), lambda *said: print("on", flush=True))
    else:
        env, brief = {"A": "b"} if "env" in how else {}, "brief" in how
        ssh.run_command(Command(line, env=env, brief=brief, **around), lambda *said: print("on", flush=True))
"""


@pytest.mark.parametrize("who", ["admin", "root"])
@pytest.mark.parametrize(
    "how", ["plain", "env", "input", "sudo", "sudo input", "script", "shared", "shared env input", "shared brief"]
)
def test_a_client_that_is_killed_takes_its_command_along(hosts: Hosts, who: str, how: str) -> None:
    address = hosts.address(getattr(hosts, who, who))
    number = 4800 + os.getpid() % 97
    line = f"trap '' TERM; echo on; (trap - TERM; exec sleep {number}.7); sleep {number}.8"
    name = f"alone{os.getpid()}"  # of this process: others do the same at the same time
    way = (address.host, str(address.port), address.user, *address.identity, address.known_hosts, how, line, name)
    with subprocess.Popen([sys.executable, "-c", ALONE, *way], stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == b"on\n"
        client.kill()
    assert running(f"sleep {number}.7") == 0
    assert running(f"sleep {number}.8") == 0
    assert left_by(name) == []


def test_what_a_command_left_running_on_purpose_goes_on(ssh: Front, hosts: Hosts) -> None:
    asked = Command("sleep 4715.5 >/dev/null 2>&1 & echo $!", host=hosts.address())
    left = int(ssh.run_command(asked).stdout)
    time.sleep(0.2)
    os.kill(left, signal.SIGKILL)


def test_a_command_can_wait_for_its_own_children(ssh: Front, hosts: Hosts) -> None:
    result = ssh.run_command(Command("sleep 0.01 & wait; echo over", host=hosts.address(), timeout=5))
    assert result.stdout == "over\n"


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish")
def test_a_user_may_have_a_shell_of_another_kind(ssh: Front) -> None:
    with account(f"hff{os.getpid()}", shell="/usr/bin/fish") as user, Sshd(user=user) as server:
        words = Command(["printf", "%s|", "a b", "it's", "\\"], env={"A": "b"}, host=server.address())
        line = Command("set x 5; echo $x", host=server.address())
        for _ in range(3):  # also when there could be an attendant
            assert [ssh.run_command(asked).stdout for asked in (words, line)] == ["a b|it's|\\|", "5\n"]


@pytest.mark.parametrize("brief", [False, True])
def test_a_user_may_have_a_csh_and_an_environment(ssh: Front, brief: bool) -> None:
    with account(f"hfc{os.getpid()}", shell="/bin/csh") as user, Sshd(user=user) as server:
        env = {"A": "two\nlines 'and' $HOME!"}
        asked = Command(["printenv", "A"], env=env, cwd="/tmp", host=server.address(), brief=brief)
        line = Command("set x = 5; echo $x", env=env, host=server.address(), brief=brief)
        for _ in range(3):
            assert ssh.run_command(asked).stdout == f"{env['A']}\n"
            assert ssh.run_command(line).stdout == "5\n"
