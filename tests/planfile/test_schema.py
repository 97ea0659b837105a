"""The schema says of a plan file what reading it says, as far as a schema can."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from holdfast import planfile
from holdfast.kinds.registry import names
from holdfast.planfile import schema, yaml_format
from tests.planfile.plans import HEAD, plan_of, problems_of
from tests.planfile.test_canonical import EVERYTHING


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    Draft202012Validator.check_schema(schema())
    return Draft202012Validator(schema())


def document_of(text: str) -> Any:
    return yaml_format.read(HEAD + text)[0]


def test_the_schema_is_json_and_knows_every_kind():
    json.dumps(schema())
    assert {f"step.{name}" for name in names()} <= schema()["$defs"].keys()


def test_the_schema_can_be_asked_for_again():
    assert planfile.schema() == planfile.schema()


def test_what_can_be_read_is_valid(validator):
    document = document_of(EVERYTHING)
    assert [error.message for error in validator.iter_errors(document)] == []
    assert validator.is_valid(json.loads(plan_of(EVERYTHING).document))


@pytest.mark.parametrize(
    "text",
    [
        "nam: x",
        "steps: [{dir: /a, mod: '0755'}]",
        "steps: [{dri: /a}]",
        "steps: [{link: /a}]",
        "steps: [{dir: /a, mode: '0999'}]",
        "steps: [{wait: soon}]",
        "steps: [{dir: /a, retry: {attempts: 0}}]",
        "steps: [{dir: /a, id: 'a b'}]",
        "policy: {on_failure: explode}",
        "policy: {parallel: many}",
        "tasks: [{steps: []}]",
        "targets: {web: {telnet: host}}",
    ],
)
def test_what_the_schema_refuses_is_refused_when_read(validator, text):
    assert problems_of(text)
    assert not validator.is_valid(document_of(text))


def test_a_reference_may_stand_where_a_number_is_wanted(validator):
    text = (
        "vars: {n: 3, m: '0750'}\npolicy: {parallel: '${vars.n}'}\nsteps: [{dir: /a, mode: '${vars.m}', timeout: '${vars.n}'}]"
    )
    assert plan_of(text).policy.parallel == 3
    assert validator.is_valid(document_of(text))


def test_defaults_are_shown():
    properties = schema()["$defs"]["step.health"]["properties"]
    assert properties["attempts"]["default"] == 10 and properties["interval"]["default"] == 3.0
