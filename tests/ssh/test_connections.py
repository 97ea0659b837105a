"""Getting in, or not; sharing connections; and what happens when they break."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from holdfast.core.errors import WorldError
from holdfast.ssh import Address, Command, Executor, ExecutorConfig, Pool, RetryStrategy
from holdfast.ssh.trying import Attempt
from holdfast.testing.sshd import Sshd, account, free_port, make_key
from tests.ssh.places import QUICK, Hosts


def refused(address: Address, config: ExecutorConfig = QUICK) -> WorldError:
    async def go() -> None:
        async with Pool(config) as pool, pool.session(address):
            raise AssertionError("it let us in")

    with pytest.raises(WorldError) as caught:
        asyncio.run(go())
    assert "asyncssh" not in str(caught.value)
    return caught.value


def within(do: Callable[[Pool], Awaitable[None]], config: object = QUICK) -> None:
    async def go() -> None:
        async with Pool(config) as pool:  # type: ignore[arg-type]
            await do(pool)

    asyncio.run(go())


# -- getting in


def test_a_port_where_nothing_listens_is_unreachable(hosts: Hosts) -> None:
    assert refused(hosts.address(port=free_port())).code == "unreachable"


def test_an_unknown_host_is_unreachable(hosts: Hosts) -> None:
    assert refused(hosts.address(host="no-such-host.invalid")).code == "unreachable"


def test_a_wrong_key_and_an_unknown_user_fail_to_authenticate(hosts: Hosts, tmp_path: Path) -> None:
    assert refused(hosts.address(identity=(str(make_key(tmp_path / "other")),))).code == "auth_failed"
    assert refused(hosts.address("nobody-is-called-so")).code == "auth_failed"


def test_an_account_that_is_locked_is_not_let_in() -> None:
    with account(f"hfl{os.getpid()}") as locked, Sshd(user=locked) as server:
        subprocess.run(["passwd", "--quiet", "--lock", locked], check=True)
        assert refused(server.address()).code == "auth_failed"


def test_a_host_that_says_nothing_is_unreachable() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = Address(host="127.0.0.1", port=silent.getsockname()[1], config="none")
        assert refused(address, QUICK.changed(connect_timeout_s=0.2)).code == "unreachable"


def test_a_key_file_that_is_not_there_is_named(hosts: Hosts) -> None:
    error = refused(hosts.address(identity=("/nonexistent/key",)))
    assert error.code == "not_found"
    assert "/nonexistent/key" in f"{error} {error.__cause__}"


def test_a_host_that_nobody_knows_is_refused_with_its_fingerprint(hosts: Hosts, tmp_path: Path) -> None:
    error = refused(hosts.address(known_hosts=str(tmp_path / "none")))
    assert (error.code, "SHA256:" in str(error)) == ("host_key_mismatch", True)


def test_a_changed_host_key_is_refused_also_with_accept_new(own: Sshd) -> None:
    own.make_host_key()
    own.stop()
    own.start()
    for accept_new in (False, True):
        error = refused(own.address(accept_new=accept_new))
        assert error.code == "host_key_mismatch"


def test_accept_new_writes_the_key_down_and_says_so(hosts: Hosts, tmp_path: Path) -> None:
    known, said = tmp_path / "ssh" / "known_hosts", []

    async def go() -> None:
        async with Executor(QUICK, accepted=said.append) as ssh:
            assert (await ssh.run_command(Command("true", host=hosts.address(known_hosts=str(known), accept_new=True)))).success
            assert (await ssh.run_command(Command("true", host=hosts.address(known_hosts=str(known))))).success

    asyncio.run(go())
    assert len(said) == 1
    assert known.read_text().startswith(f"[127.0.0.1]:{hosts.server.port} ssh-ed25519 ")
    assert known.stat().st_mode & 0o777 == 0o600


def test_only_the_pinned_key_is_accepted(hosts: Hosts) -> None:
    key = (hosts.server.directory / "host_key.pub").read_text().rsplit(" ", 1)[0]
    shown = subprocess.run(["ssh-keygen", "-lf", hosts.server.directory / "host_key.pub"], capture_output=True, text=True)

    async def go(pool: Pool) -> None:
        for pin in (key, shown.stdout.split()[1]):
            async with pool.session(hosts.address(host_key=pin, known_hosts="/nonexistent")) as connection:
                assert (await connection.run("true")).success

    within(go)
    assert refused(hosts.address(host_key="SHA256:other")).code == "host_key_mismatch"


def test_ssh_config_gives_name_port_user_and_key(hosts: Hosts, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        f"Host web\n HostName 127.0.0.1\n Port {hosts.server.port}\n User {hosts.plain}\n"
        f" IdentityFile {hosts.server.key}\n UserKnownHostsFile {hosts.server.known_hosts}\n"
    )

    async def go(pool: Pool) -> None:
        async with pool.session(Address(host="web", config=str(config))) as connection:
            assert (await connection.run("id -un")).stdout.decode().strip() == hosts.plain

    within(go)


def test_a_config_that_wants_no_checks_of_host_keys_is_not_obeyed(hosts: Hosts, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host *\n UserKnownHostsFile none\n StrictHostKeyChecking no\n")
    assert refused(hosts.address(config=str(config), known_hosts="")).code == "host_key_mismatch"


def test_an_agent_holds_the_key(hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", tmp_path / "agent"], stdout=subprocess.DEVNULL)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    monkeypatch.setenv("HOME", str(tmp_path))
    try:
        added = ["ssh-add", "-q", str(hosts.server.key)]
        while subprocess.run(added, stderr=subprocess.DEVNULL).returncode == 2:
            assert agent.poll() is None

        async def go(pool: Pool) -> None:
            async with pool.session(hosts.address(identity=())) as connection:
                assert (await connection.run("true")).success

        within(go)
    finally:
        agent.send_signal(signal.SIGTERM)
        agent.wait()


def test_a_certificate_is_used_when_it_lies_beside_its_key(hosts: Hosts, tmp_path: Path) -> None:
    authority, key = make_key(tmp_path / "ca"), make_key(tmp_path / "id")
    sign = ["ssh-keygen", "-q", "-s", str(authority), "-I", "test", "-n", hosts.plain, f"{key}.pub"]
    subprocess.run(sign, check=True, capture_output=True)
    with Sshd(user=hosts.plain, TrustedUserCAKeys="{directory}/ca.pub") as server:
        (server.directory / "ca.pub").write_text(Path(f"{authority}.pub").read_text())

        async def go(pool: Pool) -> None:
            async with pool.session(server.address(identity=(str(key),))) as connection:
                assert (await connection.run("true")).success

        within(go)


def test_a_host_is_reached_through_others(hosts: Hosts, own: Sshd) -> None:
    with own.known_hosts.open("a") as known:
        known.write(hosts.server.known_hosts.read_text())
    (hosts.home() / ".ssh").mkdir(exist_ok=True)

    async def go(pool: Pool) -> None:
        jump = f"{own.user}@127.0.0.1:{own.port}"
        address = own.address(jump=f"{jump},{jump}")
        async with pool.session(address) as connection:
            assert (await connection.run("true")).success
        assert pool.statistics().connections == 3

    within(go)


# -- sharing


def test_one_connection_serves_many_sessions_but_never_too_many(hosts: Hosts) -> None:
    async def go(pool: Pool) -> None:
        async def one(number: int) -> bytes:
            async with pool.session(hosts.address()) as connection:
                most.append(pool.statistics().sessions)
                return (await connection.run(f"echo {number}")).stdout

        most: list[int] = []
        said = await asyncio.gather(*(one(number) for number in range(40)))
        assert said == [f"{number}\n".encode() for number in range(40)]
        assert (pool.statistics().opened, max(most)) == (1, QUICK.sessions_max - 2)

    within(go)


def test_a_server_that_allows_fewer_sessions_is_obeyed(hosts: Hosts) -> None:
    with Sshd(user=hosts.plain, MaxSessions="2") as server:

        async def go() -> None:
            async with Executor(QUICK) as ssh:
                results = await ssh.run_all([Command(f"echo {number}", host=server.address()) for number in range(20)])
                assert [result.stdout for result in results] == [f"{number}\n" for number in range(20)]
                assert ssh.statistics().opened == 1

        asyncio.run(go())


def test_another_user_or_another_pin_is_another_connection(hosts: Hosts) -> None:
    async def go(pool: Pool) -> None:
        for address in (hosts.address(), hosts.address(hosts.admin), hosts.address()):
            async with pool.session(address):
                pass
        found = pool.statistics()
        assert (found.opened, found.reused) == (2, 1)

    within(go)


def test_a_connection_that_died_while_nobody_looked_is_replaced(own: Sshd) -> None:
    async def go(pool: Pool) -> None:
        async with pool.session(own.address()) as connection:
            await connection.run("true")
        own.cut()
        async with pool.session(own.address()) as connection:
            assert (await connection.run("true")).success
        assert pool.statistics().replaced == 1

    within(go, QUICK.changed(check_after_s=0))


def test_an_idle_connection_expires_and_a_full_pool_makes_room(hosts: Hosts) -> None:
    async def go(pool: Pool) -> None:
        for user in (hosts.plain, hosts.admin):
            async with pool.session(hosts.address(user)):
                assert pool.statistics().connections == 1
        async with asyncio.timeout(5):
            while pool.statistics().connections:
                await asyncio.sleep(0.01)
        assert pool.statistics().expired == 1

    within(go, QUICK.changed(connections_max=1, idle_s=0.05))


def test_being_cancelled_while_connecting_leaves_nothing_behind(hosts: Hosts) -> None:
    async def go(pool: Pool) -> None:
        async def use() -> None:
            async with pool.session(hosts.address()):
                pass

        task = asyncio.create_task(use())
        await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        found = pool.statistics()
        assert (found.connections, found.sessions) == (0, 0)

    within(go)


# -- breaking


def test_a_command_whose_connection_breaks_is_in_doubt_and_not_repeated(own: Sshd, tmp_path: Path) -> None:
    result, attempts = broken(own, tmp_path, check=None)
    assert (result.error.code, len(attempts)) == ("in_doubt", 1)
    assert (tmp_path / "ran").read_text() == "x\n"


def test_a_check_settles_the_doubt(own: Sshd, tmp_path: Path) -> None:
    result, _ = broken(own, tmp_path, check=f"test -e {tmp_path}/ran")
    assert (result.success, result.confirmed) == (True, True)
    assert (tmp_path / "ran").read_text() == "x\n"


def test_what_a_check_denies_is_done_again(own: Sshd, tmp_path: Path) -> None:
    result, attempts = broken(own, tmp_path, check=f"test -e {tmp_path}/never")
    assert result.success
    assert [attempt.failure and attempt.failure.code for attempt in attempts] == ["in_doubt", None]
    assert (tmp_path / "ran").read_text() == "x\nx\n"


def broken(own: Sshd, tmp_path: Path, check: str | None) -> tuple[object, list[Attempt]]:
    """What a command gave whose connection was cut while it ran for the first time."""
    attempts: list[Attempt] = []
    line = f"echo x >>{tmp_path}/ran; test $(wc -l <{tmp_path}/ran) = 2 && exit; echo on; exec sleep 30"

    async def go() -> object:
        async with Executor(QUICK, attempted=attempts.append) as ssh:
            return await ssh.run_command(Command(line, host=own.address(), check=check), lambda *said: own.cut())

    return asyncio.run(go()), attempts


def test_a_host_that_fails_too_often_is_left_alone_for_a_while() -> None:
    now = [0.0]
    address = Address(host="127.0.0.1", port=free_port(), config="none")

    async def go() -> list[str]:
        config = QUICK.changed(failures_max=2, cooling_s=30, retry=RetryStrategy(attempts=1))
        async with Executor(config, now=lambda: now[0]) as ssh:
            codes = []
            for at in (0, 1, 2, 40, 41):
                now[0] = at
                result = await ssh.run_command(Command("true", host=address))
                codes.append(result.error.code)  # type: ignore[union-attr]
            return codes

    assert asyncio.run(go()) == ["unreachable", "unreachable", "circuit_open", "unreachable", "circuit_open"]


def test_pauses_between_attempts_come_from_the_strategy() -> None:
    slept: list[float] = []
    attempts: list[Attempt] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def go() -> None:
        config = QUICK.with_retry(RetryStrategy(attempts=4, delay_s=1, backoff=3, max_delay_s=5, jitter=0.5))
        async with Executor(config, sleep=sleep, chance=lambda: 1.0, attempted=attempts.append) as ssh:
            await ssh.run_command(Command("true", host=Address(host="127.0.0.1", port=free_port(), config="none")))

    asyncio.run(go())
    assert slept == [0.5, 1.5, 2.5]
    assert [attempt.pause_s for attempt in attempts] == [0.5, 1.5, 2.5, None]


def test_nothing_is_imported_from_asyncssh_before_the_first_connection() -> None:
    look = "import sys, holdfast.ssh; holdfast.ssh.Address, holdfast.ssh.ExecutorConfig; sys.exit('asyncssh' in sys.modules)"
    assert subprocess.run([os.sys.executable, "-c", look]).returncode == 0  # type: ignore[attr-defined]
