"""A type of target is one row: what may be said of it, and which of that is secret."""

from __future__ import annotations

import msgspec
import pytest

from holdfast.kinds.contract import Secret
from holdfast.planfile import parse, schema, targets
from tests.planfile.plans import codes_of, plan_of, problem_of, problems_of


class Box(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    box: str
    password: Secret | None = None
    key: str | None = None


@pytest.fixture
def boxes(monkeypatch):
    monkeypatch.setitem(targets.TARGETS, "box", Box)


def test_a_type_that_is_not_installed_is_told_with_what_there_is():
    problem = problem_of("targets:\n  web: {telnet: host}\n")
    assert (problem.code, problem.where, problem.hint) == ("unsupported", "plan.yaml:4:8", "declare one of `ssh`, `opnsense`")


@pytest.mark.usefixtures("boxes")
def test_a_declared_target_can_be_worked_on_and_is_part_of_the_plan():
    plan = plan_of(
        "vars: {h: host}\ntargets:\n  web: {box: '${vars.h}', password: {secret: env:P}}\nsteps: [{dir: /a, on: web}]\n"
    )
    assert plan.targets == {"web": {"box": "host", "password": {"secret": "env:P"}}}
    assert plan.steps[0].target == "web"
    assert parse(plan.document, format="json", env={}) == plan


@pytest.mark.usefixtures("boxes")
def test_a_target_that_is_declared_wrongly_is_declared_all_the_same():
    text = "targets:\n  web: {box: '${env.NOPE}'}\n  old: {box: 5}\non: [web, old]\nsteps: [{dir: /a}]\n"
    assert {problem.code for problem in problems_of(text)} == {"undefined_variable"}
    assert [problem.code for problem in problems_of(text.replace("${env.NOPE}", "h"))] == ["invalid_value"]


@pytest.mark.usefixtures("boxes")
def test_a_literal_secret_is_refused_and_not_repeated():
    problem = problem_of("targets:\n  web: {box: h, password: hunter2, key: /a/key}\n")
    assert (problem.code, problem.where) == ("literal_secret", "plan.yaml:4:27")
    assert "hunter2" not in str(problem)


@pytest.mark.usefixtures("boxes")
def test_an_unknown_key_of_a_target_is_a_problem():
    assert problem_of("targets: {web: {box: h, pasword: 5}}").hint == "did you mean `password`?"


@pytest.mark.usefixtures("boxes")
def test_a_relative_path_on_another_machine_is_a_problem():
    assert codes_of("targets: {web: {box: h}}\nsteps: [{dir: a, on: web}, {dir: ~/a, on: web}]") == ["invalid_value"] * 2
    assert plan_of("targets: {web: {box: h}}\nsteps: [{file: /a, source: s, on: web}]").steps[0].operation.source == "/plans/s"


def test_the_targets_that_are_always_there_cannot_be_declared():
    assert codes_of("targets: {local: {telnet: h}}") == ["invalid_value"]


@pytest.mark.usefixtures("boxes")
def test_the_schema_knows_the_types():
    assert schema()["$defs"]["target.box"]["required"] == ["box"]


def test_files_of_targets_are_relative_to_the_plan_file():
    targets = """
targets:
  web: {ssh: h, key: id_ed25519, known_hosts: ~/hosts, config: none, password: {secret: file:pw}}
  fw: {opnsense: 'https://fw', ca: ca.pem, key: {secret: env:K}, secret: {secret: file:/s}}
"""
    plan = plan_of(targets)
    assert plan.targets["web"] == {
        "ssh": "h",
        "key": "/plans/id_ed25519",
        "known_hosts": "~/hosts",
        "config": "none",
        "password": {"secret": "file:/plans/pw"},
    }
    assert (plan.targets["fw"]["ca"], plan.targets["fw"]["secret"]) == ("/plans/ca.pem", {"secret": "file:/s"})
    assert [p.where for p in problems_of(targets, base=None)] == ["plan.yaml:5:22", "plan.yaml:5:89", "plan.yaml:6:36"]
    assert parse(plan.document, format="json", env={}).targets == plan.targets


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("{ssh: h, password: {secret: hunter2}}", "literal_secret"),
        ("{ssh: h, sudo_password: {secret: vault:x}}", "literal_secret"),
        ("{opnsense: 'https://h', key: {secret: abc}, secret: {secret: env:S}}", "literal_secret"),
        ("{ssh: 'root@h:99999'}", "invalid_value"),
        ("{ssh: 'h:ssh'}", "invalid_value"),
        ("{ssh: '[::1]:0'}", "invalid_value"),
        ("{ssh: h, jump: 'a,b:0'}", "invalid_value"),
        ("{}", "missing_key"),
    ],
)
def test_what_cannot_be_a_way_to_a_target_is_told_before_anybody_goes_it(target, code):
    problem = problem_of(f"targets:\n  web: {target}\n")
    assert problem.code == code
    assert "hunter2" not in str(problem)


@pytest.mark.parametrize("host", ["h", "u@h:22", "u@[::1]:2222", "::1", "fe80::1", "a@b@h:1"])
def test_hosts_may_have_users_and_ports(host):
    assert plan_of(f"targets: {{web: {{ssh: '{host}'}}}}").targets["web"]["ssh"] == host
