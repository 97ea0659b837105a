"""`holdfast approve DIGEST`: a person says yes to what a program had previewed."""

from __future__ import annotations

import pytest

import holdfast
from holdfast.app.plans import approvals
from holdfast.app.plans.kept import KeptPlan, KeptPlans
from tests.cli.conftest import Shell


@pytest.fixture
def kept(shell: Shell) -> KeptPlan:
    with holdfast.open(str(shell.state)) as hf:
        return KeptPlans.of(hf.parts).keep(hf.plan(holdfast.load(shell.steps("command: echo gone\nid: bye"))), by="mcp")


def is_approved(shell: Shell, kept: KeptPlan) -> bool:
    with holdfast.open(str(shell.state)) as hf:
        return approvals.find(hf.journal, kept.digest, at=hf.parts.clock.now()) is not None


def test_a_digest_is_approved_and_what_it_is_the_digest_of_is_shown(shell: Shell, kept: KeptPlan) -> None:
    ended = shell.run("approve", kept.digest)
    assert ended.code == 0
    assert "echo gone" in ended.out and "cannot be undone: bye" in ended.out and "manual:alice" in ended.out
    assert is_approved(shell, kept)


def test_a_unique_beginning_is_enough(shell: Shell, kept: KeptPlan) -> None:
    assert shell.json("approve", kept.digest.removeprefix("sha256:")[:10])["approval"]["digest"] == kept.digest


def test_a_program_gets_the_approval_and_the_plan(shell: Shell, kept: KeptPlan) -> None:
    document = shell.json("approve", kept.digest)
    assert document["approval"]["by"] == "manual:alice"
    assert (document["plan"]["id"], document["plan"]["irreversible"]) == (kept.id, ["bye"])


def test_a_plan_can_be_looked_at_before_it_is_approved(shell: Shell, kept: KeptPlan) -> None:
    assert "echo gone" in shell.run("approve", kept.digest, "--show").out
    assert not is_approved(shell, kept)


@pytest.mark.parametrize("name", ["sha256:" + "0" * 64, "sha256:", "sha256:*", "abcdef", "sha256:\x1b[31m"])
def test_a_digest_that_nobody_knows_is_refused(shell: Shell, kept: KeptPlan, name: str) -> None:
    ended = shell.run("approve", name, "--json")
    assert (ended.code, ended.document["error"]["code"]) == (4, "not_found")
    assert "\x1b" not in shell.run("approve", name).err


def test_a_run_without_a_step_is_bad_usage(shell: Shell) -> None:
    assert shell.run("approve", "last").code == 2
    assert shell.run("approve").code == 2
    assert shell.run("approve", "last", "gate", "--show").code == 2
