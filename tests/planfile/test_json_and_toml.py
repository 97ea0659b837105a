"""JSON and TOML say the same as YAML, with the same strictness and with places of their own."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.planfile import json_format, toml_format
from holdfast.planfile.marks import Mark, Unreadable
from tests.planfile.plans import codes_of, plan_of, problem_of, problems_of

YAML = """
holdfast: 1
name: same
vars: {release: "2.4.1"}
policy: {parallel: 2, timeout: 90s}
tasks:
  - name: web
    stages:
      - name: config
        steps:
          - dir: /opt/app
            mode: "0750"
          - link: /opt/app/current
            to: /opt/app/${vars.release}
            dangling: true
            retry: {attempts: 3, delay: 500ms}
"""
TOML = """
holdfast = 1
name = "same"

[vars]
release = "2.4.1"

[policy]
parallel = 2
timeout = "1.5m"

[[tasks]]
name = "web"

[[tasks.stages]]
name = "config"
steps = [
  {dir = "/opt/app", mode = "0750"},
  {link = "/opt/app/current", to = "/opt/app/${vars.release}", dangling = true, retry = {attempts = 3, delay = 0.5}},
]
"""
JSON = json.dumps(
    {
        "tasks": [
            {
                "stages": [
                    {
                        "steps": [
                            {"mode": "750", "dir": "/opt//app/"},
                            {
                                "retry": {"delay": "0.5s", "attempts": 3},
                                "to": "/opt/app/${vars.release}",
                                "dangling": True,
                                "link": "/opt/app/current",
                                "on_conflict": "fail",
                            },
                        ],
                        "name": "config",
                    }
                ],
                "name": "web",
            }
        ],
        "policy": {"timeout": 90, "parallel": 2},
        "vars": {"release": "2.4.1", "unused": 1},
        "name": "same",
        "holdfast": 1,
    }
)


def test_one_plan_has_one_digest_in_every_format():
    plans = [plan_of(YAML), plan_of(JSON, format="json"), plan_of(TOML, format="toml"), plan_of(json.loads(JSON))]
    assert len({plan.digest for plan in plans}) == 1
    assert all(plan == plans[0] for plan in plans)


def test_a_duplicate_key_in_json_is_a_problem_where_the_second_stands():
    text = '{"holdfast": 1,\n "name": "a",\n "steps": [{"dir": "/a", "mode": "0700",\n  "mode": "0755"}]}'
    problem = problem_of(text, format="json", name="plan.json")
    assert (problem.code, problem.where) == ("duplicate_key", "plan.json:4:3")


def test_a_problem_in_json_has_its_line_and_column():
    text = '{"holdfast": 1, "name": "a",\n "steps": [\n  {"dir": "/a", "mod": "0700"},\n  {"dir": "/b", "mode": 5}]}'
    first, second = problems_of(text, format="json", name="plan.json")
    assert (first.code, first.where) == ("unknown_key", "plan.json:3:17")
    assert (second.code, second.where) == ("invalid_value", "plan.json:4:25")


@pytest.mark.parametrize(
    "text", ["", "{", '{"a": 1,}', "{'a': 1}", '{"a": 01}', "// no\n{}", '{"a": 1} x', '{"a":' + "9" * 5000 + "}"]
)
def test_what_is_no_json_is_told_as_such(text):
    with pytest.raises(Unreadable) as caught:
        json_format.read(text)
    assert caught.value.flaw.code == "syntax"


@pytest.mark.parametrize("value", ["NaN", "Infinity", '"\\ud800"'])
def test_values_that_cannot_be_written_again_are_refused(value):
    assert [flaw.code for flaw in json_format.read(f'{{"a": [{value}]}}')[1]] == ["invalid_value"]


def test_json_may_not_nest_without_end():
    for depth in (40, 100_000):
        with pytest.raises(Unreadable) as caught:
            json_format.read("[" * depth + "]" * depth)
        assert caught.value.flaw.code == "too_large"


def test_surrogate_pairs_in_json_are_characters():
    assert json_format.read('"\\ud83d\\ude00"') == ("\U0001f600", [])


def test_a_problem_in_toml_has_the_line_of_its_key():
    text = 'holdfast = 1\nname = "a"\n\n[[steps]]\ndir = "/a"\nmod = "0700"\n\n[[steps]]\ndir = "/b"\n  mode = 5\n'
    first, second = problems_of(text, format="toml", name="plan.toml")
    assert (first.code, first.where) == ("unknown_key", "plan.toml:6:1")
    assert (second.code, second.where) == ("invalid_value", "plan.toml:10:10")


def test_a_problem_inside_an_inline_table_has_the_line_where_that_begins():
    text = 'holdfast = 1\nname = "a"\nsteps = [\n  {dir = "/a", mod = 1},\n]\n'
    assert problem_of(text, format="toml", name="plan.toml").where == "plan.toml:3:9"


def test_texts_of_several_lines_do_not_confuse_the_places():
    found = toml_format.marks('a = """\nb = 1\n[c]\n"""\nd = 2\n[t."x y"]\n\'e.f\' = 3\n')
    assert found.keys == {
        ("a",): Mark(1, 1), ("d",): Mark(5, 1), ("t", "x y"): Mark(6, 1), ("t", "x y", "e.f"): Mark(7, 1),
    }  # fmt: skip


def test_nested_arrays_of_tables_are_counted_within_their_own():
    found = toml_format.marks("[[t]]\n[[t.s]]\na = 1\n[[t.s]]\na = 1\n[[t]]\n[[t.s]]\na = 1\n")
    assert [path for path in found.keys if path[-1] == "a"] == [
        ("t", 0, "s", 0, "a"),
        ("t", 0, "s", 1, "a"),
        ("t", 1, "s", 0, "a"),
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a = ", "syntax"),
        ("a = 1\na = 2\n", "duplicate_key"),
        ("[a]\nb = 1\n[a]\n", "syntax"),
    ],
)
def test_what_is_no_toml_is_told_with_its_place(text, code):
    problem = problem_of(text.encode(), format="toml", name="plan.toml")
    assert problem.code == code and problem.where.startswith("plan.toml:")


def test_dates_of_toml_have_no_place_in_a_plan():
    text = 'holdfast = 1\nname = "a"\n[vars]\nday = 2026-01-02\nbig = inf\n'
    problems = problems_of(text, format="toml", name="plan.toml")
    assert [(problem.code, problem.where) for problem in problems] == [
        ("invalid_value", "plan.toml:4:7"),
        ("invalid_value", "plan.toml:5:7"),
    ]


def test_a_document_that_never_was_a_text_is_held_to_the_same_rules():
    document = {"holdfast": 1, "name": "a", "steps": [{"dir": "/a", "mode": object()}], 5: 1}
    assert codes_of(document) == ["invalid_value", "invalid_value"]


def test_problems_of_a_document_without_a_text_name_their_path():
    problem = problem_of({"holdfast": 1, "name": "a", "steps": [{"dir": "/a", "mod": "0700"}]}, name="request")
    assert problem.where == "request:steps[0].mod"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(json_values, st.sampled_from([None, 1, 3]))
def test_every_value_of_a_json_text_has_a_place(value, indent):
    text = json.dumps(value, indent=indent)
    found = json_format.marks(text)

    def walk(value, path):
        mark = found.values[path]
        line = text.split("\n")[mark.line - 1]
        assert line[mark.column - 1 :].startswith(json.dumps(value)[0])
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, item in items:
            walk(item, (*path, key))

    walk(value, ())
