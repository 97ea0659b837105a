"""The canonical document is what the digest covers; it reads back as the plan it was written from."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import PlanError
from holdfast.core.plan import Plan
from holdfast.planfile import from_canonical, parse
from holdfast.planfile.canonical import escape, unescape
from tests.planfile.plans import plan_of

EVERYTHING = """
description: all of it
vars: {v: /opt}
policy: {on_failure: continue, scope: task, timeout: 1m, confirm_within: 5s, batches: [1, 50%], prune: true}
tasks:
- name: files
  locks: [a]
  stages:
  - name: first
    steps:
    - {dir: "${vars.v}/a", mode: "0750", parents: true, id: a}
    - {file: "${vars.v}/a/f", content: "literal $${x} and $$${y}\\n", mode: "644", owner: root}
    - {link: "${vars.v}/a/l", to: f, needs: a, retry: {attempts: 2}, timeout: 3s}
    - {move: /m, to: /n, on_conflict: backup}
    - {copy: /c, to: /d}
    - {remove: /r, recursive: true, missing_ok: true}
    - {attributes: /e, mode: "0600"}
    - {edit: /f, line: x, match: y}
    - {edit: /g, replace: a, with: b}
    - {tree: /t, source: t, as: links, exclude: ["*.o"]}
  - name: second
    steps:
    - {command: [a, "b c"], undo: [c], check: [d], env: {E: "1", S: {secret: env:S}}, cwd: work, ok_codes: [0, 3]}
    - {script: "#!/bin/sh\\ntrue\\n", args: [x], undo: "true", on: memory}
    - {script: {source: s.sh}, irreversible: true, note: once}
    - {wait: 500ms}
    - {health: "http://localhost/", expect: {status: [200, 204], json: {a.b: 1}}}
- name: tenants
  each: [{t: a}, {t: b}]
  needs: [files]
  steps: [{dir: "/t/${each.t}", id: d}, {dir: "/u/${each.t}", needs: d}]
- {name: both, on: [local, memory], steps: [{dir: "/both"}]}
"""


def test_a_document_reads_back_as_the_plan_it_came_from():
    plan = plan_of(EVERYTHING)
    again = from_canonical(plan.document)
    assert again == plan
    assert again.digest == plan.digest and again.document == plan.document


def test_a_document_is_a_plan_file_itself():
    plan = plan_of(EVERYTHING)
    assert parse(plan.document, format="json", env={}) == plan


def test_the_document_is_canonical_json_without_defaults():
    plan = plan_of("steps: [{link: /a, to: b, style: null, dangling: false, on_conflict: fail}]")
    assert plan.document == (
        b'{"holdfast":1,"name":"demo","tasks":[{"name":"main","stages":[{"name":"main","steps":[{"link":"/a","to":"b"}]}]}]}'
    )


def test_the_digest_is_the_same_for_the_same_plan_and_another_for_any_other():
    assert plan_of("steps: [{dir: /a}]").digest == plan_of("steps:\n- dir: '/a'  # comment\n").digest
    plans = ["steps: [{dir: /a}]", "steps: [{dir: /b}]", "steps: [{dir: /a, note: x}]", "steps: [{dir: /a, mode: '0700'}]"]
    assert len({plan_of(text).digest for text in plans}) == len(plans)


def test_spaces_and_the_order_of_keys_do_not_matter_when_a_document_is_read():
    plan = plan_of(EVERYTHING)
    spaced = json.dumps(json.loads(plan.document), indent=2, ensure_ascii=True).encode()
    assert from_canonical(spaced).digest == plan.digest


def test_neither_the_environment_nor_the_folder_matters_when_a_document_is_read(monkeypatch, tmp_path):
    plan = plan_of("steps: [{file: a, content: '$${env.HOME} ${env.HOME}'}]")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOME")
    (step,) = from_canonical(plan.document).steps
    assert (step.operation.path, step.operation.content) == ("/plans/a", "${env.HOME} /home/eva")


def test_a_template_reads_back_although_its_path_is_absolute_by_then():
    plan = plan_of("vars: {a: 1}\nsteps: [{file: /a, template: t.j2}]")
    assert from_canonical(plan.document) == plan


@given(
    st.binary(max_size=20).map(lambda data: data.replace(b"a", b"$").replace(b"b", b"{"))
    | st.text("${a", max_size=12).map(str.encode)
)
def test_escaping_can_always_be_undone(data):
    assert unescape(escape(data)) == data


def same(plan: Plan) -> None:
    again = from_canonical(plan.document)
    assert again == plan and again.digest == plan.digest


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12), st.integers(0, 0o777)), max_size=4))
def test_any_text_survives_the_way_through_the_document(entries):
    steps = [
        {"file": f"/f{n}", "content": content.replace("${", "$${"), "mode": f"{mode:04o}", "note": note.replace("${", "$${")}
        for n, (content, note, mode) in enumerate(entries)
    ]
    plan = parse({"holdfast": 1, "name": "a", "steps": steps}, env={})
    assert [step.operation.content for step in plan.steps] == [content for content, _, _ in entries]
    same(plan)


def test_a_document_that_was_tampered_with_is_refused():
    document = plan_of("steps: [{dir: /a}]").document.replace(b'"dir"', b'"dri"')
    with pytest.raises(PlanError):
        from_canonical(document)
