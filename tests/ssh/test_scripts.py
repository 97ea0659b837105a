"""Scripts: who runs them, what they are given, and that nothing of them stays."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast import ssh as package
from holdfast.ssh import Executor, Sudo
from holdfast.ssh.front import Front
from tests.ssh.places import PASSWORD, QUICK, Hosts, heard_of

MINE = f"t{os.getpid()}"  # other tests may run scripts at the same time


def script_of(**said: Any) -> package.Script:
    return package.Script(id=MINE, **said)


@pytest.fixture(scope="module")
def ssh() -> Iterator[Front]:
    with Front(QUICK) as front:
        yield front


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    yield
    assert list(Path("/tmp").glob(f"holdfast-script-{MINE}.*")) == []


def test_without_a_first_line_it_is_for_sh(ssh: Front, hosts: Hosts) -> None:
    script = script_of(content='printf "%s|" "$0" "$@"', args=("a b", "it's", ""), host=hosts.address())
    name, *rest = ssh.run_script(script).stdout.split("|")
    assert name.startswith("/tmp/holdfast-script-")
    assert rest == ["a b", "it's", "", ""]


def test_the_first_line_names_the_interpreter_and_the_file_is_private(ssh: Front, hosts: Hosts) -> None:
    look = "#!/usr/bin/env python3\nimport os, sys\nprint(oct(os.stat(sys.argv[0]).st_mode), sys.argv[1:], os.umask(0))\n"
    assert ssh.run_script(script_of(content=look, args=("x",), host=hosts.address())).stdout == "0o100700 ['x'] 18\n"


def test_an_interpreter_that_was_given_counts_more(ssh: Front, hosts: Hosts) -> None:
    script = script_of(content="#!/bin/sh\nprint(6 * 7)", interpreter="python3 -u", host=hosts.address())
    assert ssh.run_script(script).stdout == "42\n"


@pytest.mark.parametrize("content", ["#!/nonexistent/x\n", "#!python4711 -u\n"])
def test_an_interpreter_that_is_not_there_is_named(ssh: Front, hosts: Hosts, content: str) -> None:
    result = ssh.run_script(script_of(content=content, host=hosts.address()))
    assert result.error is not None
    assert result.error.code == "not_found"
    assert content[2:].split()[0] in result.error.message


@pytest.mark.parametrize("stdin", [None, "the input\n", ""])
@pytest.mark.parametrize("sudo", [False, True, "nobody"])
def test_its_input_is_its_own(ssh: Front, hosts: Hosts, stdin: str | None, sudo: Any) -> None:
    script = script_of(content="cat\necho $V\npwd\n", stdin=stdin, env={"V": "v"}, cwd="/", sudo=sudo)
    result = ssh.run_script(script.on(hosts.address(hosts.admin)))
    assert result.stdout == f"{stdin or ''}v\n/\n"


def test_a_script_of_root_behind_a_password(ssh: Front, hosts: Hosts) -> None:
    script = script_of(content="id -un; cat", stdin="x", sudo=Sudo(password=PASSWORD), host=hosts.address(hosts.asked))
    assert ssh.run_script(script).stdout == "root\nx"


def test_a_large_script_from_a_file(ssh: Front, hosts: Hosts, tmp_path: Path) -> None:
    (tmp_path / "script").write_text("#\n" * 300_000 + "echo end\n")
    assert ssh.run_script(script_of(source=str(tmp_path / "script"), host=hosts.address())).stdout == "end\n"


@pytest.mark.parametrize("sudo", [False, True])
def test_one_that_withstands_signals_is_ended_and_its_file_goes_too(ssh: Front, hosts: Hosts, sudo: bool) -> None:
    script = script_of(content="trap '' TERM INT HUP; while :; do sleep 4721; done", timeout=0.3, sudo=sudo)
    result = ssh.run_script(script.on(hosts.address(hosts.admin)))
    assert result.error is not None
    assert result.error.code == "timeout"


def test_one_that_is_cancelled_leaves_nothing(hosts: Hosts) -> None:
    async def go() -> None:
        async with Executor(QUICK) as ssh:
            began = asyncio.Event()
            script = script_of(content="echo on; sleep 4722", host=hosts.address())
            task = asyncio.create_task(ssh.run_script(script, lambda *said: began.set()))
            await heard_of(began, task)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(go())


def test_what_a_lost_host_kept_is_found_again_by_its_id(hosts: Hosts, ssh: Front) -> None:
    left = Path("/tmp/holdfast-script-abc123.leftover")
    left.mkdir()
    result = asyncio.run(removed(hosts))
    assert result
    assert not left.exists()


async def removed(hosts: Hosts) -> bool:
    async with Executor(QUICK) as ssh:
        return (await ssh.remove_leftovers(hosts.address(hosts.admin), "abc123", sudo=True)).success


def test_what_is_no_script_is_refused(ssh: Front, hosts: Hosts) -> None:
    for script in (script_of(), script_of(content="x", source="y"), script_of(source="/nonexistent")):
        result = ssh.run_script(script.on(hosts.address()))
        assert result.error is not None
        assert (result.error.code, result.attempts) in {("invalid_value", 0), ("source_not_found", 0)}
