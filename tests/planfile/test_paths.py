"""Every path in a plan is absolute, plain, and where it may be; or it is a problem."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.planfile.paths import Anchor, clean
from tests.planfile.plans import codes_of, plan_of, problem_of, problems_of, step_of


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("sub/dir", "/plans/sub/dir"),
        (".", "/plans"),
        ("./a//b/", "/plans/a/b"),
        ("/a//b/./c/", "/a/b/c"),
        ("//a", "/a"),
        ("/", "/"),
        ("~", "/home/eva"),
        ("~/x", "/home/eva/x"),
        ("a~", "/plans/a~"),
        (".hidden", "/plans/.hidden"),
        ("/a/..b/c..", "/a/..b/c.."),
    ],
)
def test_a_path_becomes_absolute_and_plain(written, path):
    assert step_of(f"steps: [{{dir: {written!r}}}]").operation.path == path


@pytest.mark.parametrize("path", ["../x", "/a/../b", "a/..", "..", "~/../x", "/a/b/../../c"])
def test_a_path_that_goes_up_is_refused_with_the_plain_one(path):
    problem = problem_of(f"steps: [{{dir: {path!r}}}]")
    assert problem.code == "outside_root" and problem.hint.startswith("write `/")


def test_a_nul_byte_is_refused():
    assert codes_of('steps: [{dir: "/a\\0b"}, {file: /x, source: "y\\0"}]') == ["invalid_value"] * 2


def test_an_empty_path_is_refused():
    assert codes_of("steps: [{dir: ''}]") == ["invalid_value"]


def test_what_is_no_text_cannot_become_part_of_a_plan():
    for options in ({"base": "/plans/\udcff"}, {"env": {"HOME": "/home/\udcff", "X": "\udcff"}}):
        text = "steps: [{dir: /a}, {dir: b}]" if "base" in options else "steps: [{dir: ~/a}, {file: /b, content: '${env.X}'}]"
        problems = problems_of(text, **options)
        assert {problem.code for problem in problems} == {"invalid_value"}
        assert all("not UTF-8" in problem.message for problem in problems)


def test_sources_are_relative_to_the_plan_file_on_every_target():
    step = step_of("steps: [{file: /a, source: files/a, on: memory}]")
    assert step.operation.source == "/plans/files/a"


def test_the_text_of_a_script_is_no_path_but_its_source_is():
    assert step_of("steps: [{script: {source: run.sh}, irreversible: true}]").operation.source == "/plans/run.sh"
    assert step_of("steps: [{script: run.sh, irreversible: true}]").operation.text == "run.sh"


def test_a_plan_without_a_file_has_no_relative_paths():
    assert codes_of("steps: [{dir: a}, {dir: ~/a}, {file: /a, source: b}, {dir: /c}]", base=None) == ["invalid_value"] * 3


def test_templates_are_found_like_any_other_source():
    assert step_of("steps: [{file: /a, template: t/a.j2}]").operation.template == "/plans/t/a.j2"
    assert step_of("steps: [{file: /a, template: /etc/a.j2}]").operation.template == "/etc/a.j2"
    assert codes_of("steps: [{file: /a, template: ../a.j2}]") == ["outside_root"]
    assert codes_of("steps: [{file: /a, template: /etc/a.j2}]", roots=["/plans"]) == ["outside_root"] * 2


def test_roots_confine_every_local_path():
    roots = ["/srv", "/plans"]
    assert plan_of("steps: [{dir: /srv/a}, {dir: a}, {file: /srv/x, source: s}]", roots=roots)
    assert (
        codes_of("steps: [{dir: /srvx}, {dir: /etc}, {file: /srv/x, source: /etc/passwd}]", roots=roots) == ["outside_root"] * 3
    )
    assert codes_of("steps: [{command: [a], cwd: /etc, irreversible: true}]", roots=roots) == ["outside_root"]
    assert codes_of("steps: [{file: /srv/a, content: {secret: 'file:/etc/shadow'}}]", roots=roots) == ["outside_root"]


@given(st.text(alphabet="./a\0~b", max_size=12))
def test_no_path_escapes_what_confines_it(path):
    found = Anchor(base="/plans", home="/plans/home", roots=["/plans"]).place(path)
    if isinstance(found, str):
        assert found == "/plans" or found.startswith("/plans/")
        assert clean(found) == found and ".." not in found.split("/") and "\0" not in found
