"""Whatever a plan file holds, reading it ends in a plan or in problems with a place: never in a traceback, never slowly."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import PlanError
from holdfast.planfile import from_canonical, parse, yaml_format
from tests.planfile.plans import ENV, HEAD
from tests.planfile.test_canonical import EVERYTHING

DOCUMENT = yaml_format.read(HEAD + EVERYTHING)[0]
TEXTS = ["", " ", "\0", "a\nb", "..", "/", "~", "~x", "a/../b", "\ud800", "é", "x" * 5000, "none", "1h", "0644", "@", "a@b"]
REFERENCES = ["${", "${}", "${vars}", "${vars.v}", "${vars.v.w}", "${each.t}", "$${"]
SCALARS = [None, True, False, 0, -1, 2**70, 1.5]
HOLDERS = [[], [[]], [None], {}, {"": None}, {"a": {"b": []}}, ["a", 5], {"dir": "/a"}, [{"dir": "/a"}]]
ALMOST = [{"secret": "x"}, {"secret": 5}, {"secret": "file:../x"}, {"file": "x"}]
STRANGE = st.sampled_from([*TEXTS, *REFERENCES, *SCALARS, *HOLDERS, *ALMOST])


def ways(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield way
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from ways(item, (*way, key))


WAYS = list(ways(DOCUMENT))


def replaced(document: Any, way: tuple[Any, ...], value: Any) -> Any:
    if not way:
        return value
    holder = document
    for part in way[:-1]:
        try:
            holder = holder[part]
        except (KeyError, IndexError, TypeError):
            return document
    if isinstance(holder, (dict, list)) and way[-1] in (holder if isinstance(holder, dict) else range(len(holder))):
        holder[way[-1]] = value
    return document


changes = st.lists(st.tuples(st.sampled_from(WAYS), STRANGE), min_size=1, max_size=3)


@settings(max_examples=300, deadline=None)
@given(changes)
def test_a_plan_with_strange_values_is_a_plan_or_has_problems(changes):
    document = copy.deepcopy(DOCUMENT)
    for way, value in changes:
        document = replaced(document, way, copy.deepcopy(value))
    try:
        plan = parse(document, base="/plans", env=ENV)
    except PlanError as error:
        assert all(problem.message for problem in error.problems)
    else:
        assert from_canonical(plan.document) == plan


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_text_with_a_piece_cut_out_or_doubled_is_a_plan_or_has_places(data):
    text = HEAD + EVERYTHING
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    text = text[:start] + text[end:] if data.draw(st.booleans()) else text[:end] + text[start:]
    try:
        parse(text, name="plan.yaml", base="/plans", env=ENV)
    except PlanError as error:
        for problem in error.problems:
            assert problem.where is not None and problem.where.startswith("plan.yaml:")


def test_reading_needs_nothing_heavy():
    heavy = "asyncio concurrent.futures jinja2 tomllib difflib rich click logging subprocess holdfast.planfile.json_schema"
    code = f"import sys, holdfast.planfile; print([name for name in {heavy.split()!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, env=environment(), check=True)
    assert done.stdout == "[]\n"


def environment() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(path for path in sys.path if path)}
