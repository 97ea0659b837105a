"""One task in the file can be many in the plan: one for each target, one for each entry of `each`."""

from __future__ import annotations

import pytest

from holdfast.core.errors import PlanError
from holdfast.planfile import load
from tests.planfile.plans import HEAD, codes_of, ids_of, plan_of, problem_of, problems_of

ROLLOUT = """
tasks:
- name: deploy
  each: [{tenant: acme, root: /srv/a}, {tenant: umbrella, root: /srv/u}]
  locks: ["tenant:${each.tenant}"]
  stages:
  - name: config
    steps:
    - {dir: "${each.root}", id: root}
    - {file: "${each.root}/conf", content: "${each.tenant}", needs: [root]}
"""


def test_each_entry_makes_a_task_with_its_own_values():
    plan = plan_of(ROLLOUT)
    assert [(task.name, task.key, task.locks) for task in plan.tasks] == [
        ("deploy@acme", "acme", ("tenant:acme",)),
        ("deploy@umbrella", "umbrella", ("tenant:umbrella",)),
    ]
    assert [step.operation.path for step in plan.steps] == ["/srv/a", "/srv/a/conf", "/srv/u", "/srv/u/conf"]


def test_ids_in_a_repeated_task_stay_unique_and_needs_follow():
    plan = plan_of(ROLLOUT)
    assert ids_of(plan) == ["root@acme", "deploy@acme/config/2-file", "root@umbrella", "deploy@umbrella/config/2-file"]
    assert [step.needs for step in plan.steps] == [(), ("root@acme",), (), ("root@umbrella",)]


def test_one_task_for_each_target():
    plan = plan_of("tasks: [{name: web, on: [local, memory], steps: [{dir: '/x/${target.name}', id: d}]}]")
    assert [(task.name, task.target, task.key) for task in plan.tasks] == [
        ("web@local", "local", None),
        ("web@memory", "memory", None),
    ]
    assert ids_of(plan) == ["d@local", "d@memory"]


def test_a_list_of_one_target_repeats_nothing():
    assert ids_of(plan_of("tasks: [{name: web, on: [memory], steps: [{dir: /x, id: d}]}]")) == ["d"]


def test_each_and_several_targets_make_all_pairs():
    plan = plan_of("tasks: [{name: w, on: [local, memory], each: [{k: 1}, {k: 2}], steps: [{dir: '/${each.k}'}]}]")
    assert [task.name for task in plan.tasks] == ["w@1@local", "w@1@memory", "w@2@local", "w@2@memory"]


def test_the_key_is_the_field_that_the_task_says():
    text = "tasks: [{name: w, key: id, each: [{host: a b, id: 7}], steps: [{dir: /x}]}]"
    assert [(task.name, task.key) for task in plan_of(text).tasks] == [("w@7", "7")]


def test_a_need_of_a_repeated_task_means_all_its_copies():
    plan = plan_of("""
tasks:
- {name: db, each: [{k: a}, {k: b}], steps: [{dir: "/db/${each.k}", id: data}]}
- {name: web, needs: db, steps: [{dir: /web, needs: data}]}
- {name: one, needs: ["db@a"], steps: [{dir: /one, needs: ["data@b"]}]}
- {name: same, each: [{k: a}, {k: b}], needs: ["db@${each.k}"], steps: [{dir: "/same/${each.k}"}]}
""")
    assert [task.needs for task in plan.tasks] == [(), (), ("db@a", "db@b"), ("db@a",), ("db@a",), ("db@b",)]
    assert [step.needs for step in plan.steps if step.needs] == [("data@a", "data@b"), ("data@b",)]


def test_a_problem_in_a_repeated_task_is_told_once():
    text = "tasks: [{name: w, each: [{k: 1}, {k: 2}, {k: 3}], steps: [{dir: /x, mod: '0755'}, {dir: '/${each.kk}'}]}]"
    assert codes_of(text) == ["unknown_key", "undefined_variable"]


def test_an_entry_without_the_key_or_with_the_key_of_another_is_a_problem():
    text = "tasks:\n- name: w\n  steps: []\n  each:\n  - {k: a}\n  - {j: b}\n  - {k: a}\n  - {k: 'x y'}\n"
    assert [(problem.code, problem.where) for problem in problems_of(text)] == [
        ("missing_key", "plan.yaml:8:5"),
        ("duplicate_id", "plan.yaml:9:9"),
        ("invalid_value", "plan.yaml:10:9"),
    ]


@pytest.mark.parametrize("each", ["5", "[5]", "[{}]", "{file: 5}", "[[k]]"])
def test_each_is_a_list_of_mappings(each):
    assert len(problems_of(f"tasks: [{{name: w, each: {each}, steps: []}}]")) == 1


def test_a_key_without_each_says_nothing():
    assert codes_of("tasks: [{name: w, key: k, steps: []}]") == ["invalid_value"]


def test_no_entries_make_no_tasks():
    assert plan_of("tasks: [{name: w, each: [], steps: [{dir: /x}]}]").tasks == ()


@pytest.mark.parametrize(("name", "text"), [("t.yaml", "- {k: a}\n- {k: b}\n"), ("t.json", '[{"k": "a"}, {"k": "b"}]')])
def test_entries_may_stand_in_a_file_beside_the_plan(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    (tmp_path / "plan.yaml").write_text(
        HEAD + f"tasks: [{{name: w, each: {{file: {name}}}, steps: [{{dir: 'x/${{each.k}}'}}]}}]"
    )
    assert [task.name for task in load(tmp_path / "plan.yaml").tasks] == ["w@a", "w@b"]


def test_a_problem_of_an_entry_is_told_in_its_own_file(tmp_path):
    (tmp_path / "t.yaml").write_text("- {k: a}\n- {j: b, j: c}\n")
    (tmp_path / "plan.yaml").write_text(HEAD + "tasks: [{name: w, each: {file: t.yaml}, steps: []}]")
    with pytest.raises(PlanError) as caught:
        load(tmp_path / "plan.yaml")
    assert [(problem.code, problem.where) for problem in caught.value.problems] == [
        ("missing_key", f"{tmp_path}/t.yaml:2:3"),
        ("duplicate_key", f"{tmp_path}/t.yaml:2:10"),
    ]


def test_a_missing_file_of_entries_is_a_problem(tmp_path):
    text = "tasks: [{name: w, each: {file: t.yaml}, steps: []}]"
    problem = problem_of(text, base=str(tmp_path))
    assert (problem.code, problem.where) == ("not_found", "plan.yaml:3:32")


def test_a_plan_without_a_file_reads_no_other_files(tmp_path):
    (tmp_path / "t.yaml").write_text("- {k: a}\n")
    assert codes_of(f"tasks: [{{name: w, each: {{file: {tmp_path}/t.yaml}}, steps: []}}]", base=None) == ["unsupported"]


def test_a_thousand_tenants_are_read_from_one_task():
    each = ", ".join(f"{{t: t{n}}}" for n in range(1000))
    plan = plan_of(
        f"tasks: [{{name: w, each: [{each}], steps: [{{dir: '/x/${{each.t}}', id: d}}, {{dir: '/y/${{each.t}}', needs: d}}]}}]"
    )
    assert len(plan.tasks) == 1000 and plan.steps[1999].needs == ("d@t999",)
