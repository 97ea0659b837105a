"""Plan files in a few words: what the tests of reading are written with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from holdfast.core.errors import PlanError, Problem
from holdfast.core.plan import Plan, Step
from holdfast.planfile import parse

HEAD = "holdfast: 1\nname: demo\n"
BASE = "/plans"
ENV = {"HOME": "/home/eva", "RELEASE": "2.4.1"}


def plan_of(text: str | bytes | Mapping[str, Any], **options: Any) -> Plan:
    """The plan in a text; `holdfast` and `name` are put before it when they are missing."""
    if isinstance(text, str) and "holdfast" not in text:
        text = HEAD + text
    return parse(text, **{"name": "plan.yaml", "base": BASE, "env": ENV, **options})


def problems_of(text: str | bytes | Mapping[str, Any], **options: Any) -> list[Problem]:
    with pytest.raises(PlanError) as caught:
        plan_of(text, **options)
    return list(caught.value.problems)


def problem_of(text: str | bytes | Mapping[str, Any], **options: Any) -> Problem:
    """The one problem there is."""
    problems = problems_of(text, **options)
    assert len(problems) == 1, [str(problem) for problem in problems]
    return problems[0]


def codes_of(text: str | bytes | Mapping[str, Any], **options: Any) -> list[str]:
    return [problem.code for problem in problems_of(text, **options)]


def step_of(text: str, **options: Any) -> Step:
    """The only step of a plan that holds nothing else."""
    (step,) = plan_of(text, **options).steps
    return step


def ids_of(plan: Plan) -> list[str]:
    return [step.id for step in plan.steps]
