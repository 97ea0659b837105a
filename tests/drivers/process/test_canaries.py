"""Planted secrets are found in the one process they are meant for, and nowhere else."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from holdfast.core.change import Look
from holdfast.drivers.contract import Batch
from holdfast.kinds.contract import Secret
from holdfast.kinds.script import Script
from tests.drivers.process.conftest import apply, command, move, shell
from tests.drivers.process.test_local import Sudo
from tests.drivers.test_secrets import KINDS

CANARY = "canary-5f1c9-canary"
ENVIRON = {"PATH": "/usr/bin:/bin", "CANARY": CANARY}
TOLD = Secret("env:CANARY")


def processes() -> dict[int, tuple[bytes, bytes]]:
    """Arguments and environment of every process."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                found[int(folder.name)] = ((folder / "cmdline").read_bytes(), (folder / "environ").read_bytes())
            except OSError:  # gone meanwhile
                continue
    return found


def while_it_runs(driver, operation, sign):
    """All processes, while this operation runs; `sign` appears when it does."""

    async def scenario():
        task = asyncio.ensure_future(driver.apply(Batch((move(operation),))))
        found = processes()
        while not sign.exists() or not any(command == b"sleep\x0061\0" for command, _ in found.values()):
            await asyncio.sleep(0.01)
            found = processes()
        task.cancel()
        return found, await task

    return asyncio.run(scenario())


@pytest.mark.parametrize("family", ["command", "script", "input", "another user"])
def test_a_secret_is_in_the_environment_or_input_of_its_program_and_in_no_arguments(make, tmp_path, family):
    text = f"touch {tmp_path}/sign; exec sleep 61"
    operation = {
        "command": shell(text, env={"S": TOLD}),
        "script": Script(text=text, env={"S": TOLD}),
        "input": shell(text, stdin=TOLD),
        "another user": shell(text, env={"S": TOLD}, sudo="nobody"),
    }[family]
    sudo = Sudo(tmp_path)
    found, outcomes = while_it_runs(make(environ=ENVIRON, sudo=str(sudo.path)), operation, tmp_path / "sign")
    assert [pid for pid, (arguments, _) in found.items() if CANARY.encode() in arguments] == []
    holders = {arguments for arguments, environ in found.values() if CANARY.encode() in environ}
    assert holders == (set() if family == "input" else {b"sleep\x0061\x00"})
    assert CANARY not in repr(outcomes)


def test_a_program_that_is_not_meant_does_not_inherit_it(make):
    driver = make(environ=ENVIRON)
    apply(driver, move(command(["true"], env={"S": TOLD})))
    (outcome,) = apply(driver, move(command(["env"])))
    assert "CANARY" not in outcome.output and "PATH=" in outcome.output


def test_a_secret_written_into_a_file_by_one_step_is_not_shown_by_another(make, tmp_path):
    driver = make(environ=ENVIRON)
    apply(driver, move(shell(f'printf %s "$S" > {tmp_path}/kept', env={"S": TOLD})))
    (outcome,) = apply(driver, move(command(["base64", f"{tmp_path}/kept"])))
    assert outcome.output == "***\n"


def test_a_check_may_need_a_secret_and_its_question_does_not_hold_it(make, tmp_path):
    (tmp_path / "kept").write_text(CANARY)
    operation = shell("true", check=f'test "$S" = "$(cat {tmp_path}/kept)"', env={"S": TOLD})
    found = asyncio.run(make(environ=ENVIRON).inspect([Look(operation.question)]))
    assert [state.done for state in found.values()] == [True]
    assert CANARY not in operation.question


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_of_secret_is_in_what_is_told_about_a_failure(make, kind, tmp_path):
    text = (
        "import base64, json, os, sys, urllib.parse, shlex\n"
        "v = os.environ['S']\n"
        "for f in (str, repr, json.dumps, shlex.quote, urllib.parse.quote, lambda v: v.encode().hex(),\n"
        "          lambda v: base64.b64encode(v.encode()).decode(), lambda v: base64.encodebytes(v.encode()).decode()):\n"
        "    print('out', f(v)); print('err', f(v), file=sys.stderr)\n"
        "print(v + 'x' * 200_000 + v)\n"
        "sys.exit(v)\n"
    )
    driver = make(environ={"PATH": os.environ["PATH"], "S": KINDS[kind]})
    (outcome,) = apply(driver, move(Script(text=text, interpreter="python3", env={"S": Secret("env:S")})))
    shown = outcome.output + outcome.failure.message + repr(outcome)
    value = KINDS[kind]
    for line in [value, *[line for line in value.splitlines() if len(line) >= 8]]:
        assert line not in shown
        assert line.encode().hex() not in shown
    assert outcome.failure.code == "command_failed"
