"""YAML is read as version 1.2 says, and whatever could hide something is refused at its place."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from holdfast.planfile import marks, yaml_format
from holdfast.planfile.marks import Mark, Unreadable


def value_of(text: str) -> object:
    value, flaws = yaml_format.read(text)
    assert flaws == []
    return value


def flaws_of(text: str) -> list[tuple[str, int, int]]:
    return [(flaw.code, *flaw.mark) for flaw in yaml_format.read(text)[1]]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("No", "No"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("0644", 644),
        ("0o644", 0o644),
        ("0x1F", 31),
        ("-3", -3),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2026-01-02", "2026-01-02"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("2.4.1", "2.4.1"),
        ("-", [None]),
        ("'5'", "5"),
        ('"true"', "true"),
        ("!!str 5", "5"),
        ("!!float 5", 5.0),
        ("nothing", "nothing"),
        ("!!int '5'", 5),
    ],
)
def test_plain_scalars_mean_what_yaml_1_2_says(text, value):
    found = value_of(text)
    assert found == value and type(found) is type(value)


def test_keys_are_texts_whatever_they_look_like():
    assert value_of("{on: 1, 8080: 2, true: 3, null: 4}") == {"on": 1, "8080": 2, "true": 3, "null": 4}


def test_a_duplicate_key_is_found_at_every_level_and_where_the_second_stands():
    assert flaws_of("a: 1\nb: {c: 1, c: 2}\na: 3\n") == [("duplicate_key", 2, 11), ("duplicate_key", 3, 1)]


def test_a_merge_key_is_refused_with_what_to_do_instead():
    (flaw,) = yaml_format.read("a: &x {b: 1}\nc:\n  <<: *x\n")[1]
    assert (flaw.code, flaw.mark) == ("unknown_key", Mark(3, 3)) and "vars" in flaw.hint


def test_a_number_that_is_not_finite_is_refused():
    assert flaws_of("[.inf, -.Inf, .nan]") == [("invalid_value", 1, 2), ("invalid_value", 1, 8), ("invalid_value", 1, 15)]


def test_a_number_of_many_thousand_digits_is_refused():
    assert flaws_of("a: " + "9" * 5000) == [("invalid_value", 1, 4)]


@pytest.mark.parametrize("text", ["!!python/object:os.system x", "!mine [a]", "!!set {a}", "!!int abc", "!!binary aGk="])
def test_tags_that_plans_do_not_know_are_refused(text):
    assert flaws_of(text) == [("invalid_value", 1, 1)]


def test_a_second_document_is_refused():
    assert flaws_of("a: 1\n---\nb: 2\n") == [("syntax", 2, 1)]


def test_a_key_that_is_not_a_text_is_refused():
    assert flaws_of("? [a, b]\n: 1\n") == [("syntax", 1, 3)]


def test_an_anchor_is_used_again_without_being_copied():
    value = value_of("a: &x {b: [1]}\nc: *x\n")
    assert value == {"a": {"b": [1]}, "c": {"b": [1]}}


def test_an_anchor_cannot_hold_itself():
    assert flaws_of("a: &x [1, *x]") == [("syntax", 1, 11)]


def refusal_of(text: str) -> str:
    with pytest.raises(Unreadable) as caught:
        yaml_format.read(text)
    return caught.value.flaw.code


def test_a_bomb_of_aliases_is_refused_before_it_grows():
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 7)]
    assert refusal_of("a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "\n".join(levels)) == "too_large"


def test_few_aliases_may_still_not_stand_for_too_many_values(monkeypatch):
    monkeypatch.setattr(yaml_format, "NODES_MAX", 1000)
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 3)}]" for n in range(1, 10)]
    assert refusal_of("a0: &a0 [x, x, x]\n" + "\n".join(levels)) == "too_large"


def test_aliases_cannot_nest_deeper_than_the_limit():
    text = "a: &a " + "[" * 20 + "]" * 20 + "\nb: " + "[" * 12 + "*a" + "]" * 12
    assert refusal_of(text) == "too_large"
    assert value_of("a: &a " + "[" * 20 + "]" * 20 + "\nb: " + "[" * 11 + "*a" + "]" * 11)


def test_deep_nesting_is_refused_and_the_limit_itself_is_fine():
    assert refusal_of("[" * (marks.DEPTH_MAX + 1) + "]" * (marks.DEPTH_MAX + 1)) == "too_large"
    assert value_of("[" * marks.DEPTH_MAX + "]" * marks.DEPTH_MAX)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [("a: [1, 2\nb: 3\n", 2, 2), ("a:\n\t- b\n", 2, 1), ('a: "x\n', 2, 1), ("a: b: c\n", 1, 5), ("a: x\0y\n", 1, 5)],
)
def test_what_is_no_yaml_is_told_with_its_place(text, line, column):
    with pytest.raises(Unreadable) as caught:
        yaml_format.read(text)
    flaw = caught.value.flaw
    assert (flaw.code, flaw.mark) == ("syntax", Mark(line, column))


def test_a_tab_is_answered_with_what_to_indent_with():
    for text, tab in (("# \u00fc\na:\n\t- b\n", True), ("a: [1, 2\nb: 3\n", False)):
        with pytest.raises(Unreadable) as caught:
            yaml_format.read(text)
        assert ("indent with spaces" in caught.value.flaw.hint) is tab


def test_every_key_and_value_has_its_place():
    found = yaml_format.marks("a:\n  - b: 1\n    c: {d: e}\n")
    assert found.keys[("a",)] == Mark(1, 1)
    assert found.values[("a", 0)] == Mark(2, 5)
    assert found.keys[("a", 0, "c")] == Mark(3, 5)
    assert found.find(("a", 0, "c", "d"), key=False) == Mark(3, 12)
    assert found.find(("a", 0, "zzz", 5), key=False) == Mark(2, 5)


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)


@given(documents)
def test_what_is_written_in_quotes_reads_back_as_it_was(document):
    import json

    text = json.dumps(document, ensure_ascii=True)
    if "\\u" in text or "\\b" in text or "<<" in text:
        return
    assert yaml_format.read(text)[0] == document


@given(st.text(alphabet="0123456789+-.eExXoOaAfF_~nulTtruNaINf: ", max_size=8))
def test_a_plain_scalar_is_never_an_exception(text):
    try:
        value = yaml_format.plain_scalar(text)
    except ValueError:
        return
    assert not isinstance(value, float) or math.isfinite(value)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    try:
        yaml_format.read(text)
    except Unreadable as unreadable:
        assert unreadable.flaw.code in ("syntax", "too_large")


def test_without_libyaml_the_same_events_come_from_the_slow_parser(monkeypatch):
    text = "a: &x [1, 'two']\nb: *x\nb: 2\n"
    fast = yaml_format.read(text)
    monkeypatch.setattr(yaml_format, "EventParser", yaml.SafeLoader)
    assert yaml_format.read(text) == fast
