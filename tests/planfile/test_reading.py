"""A plan file becomes a plan; and if it cannot, every reason is told at its place, with what to do."""

from __future__ import annotations

import io
import sys

import pytest

from holdfast.core.errors import PlanError
from holdfast.core.plan import Policy, Retry
from holdfast.planfile import load, parse, reader
from holdfast.planfile.marks import DOCUMENT_BYTES_MAX
from tests.planfile.plans import HEAD, codes_of, ids_of, plan_of, problem_of, problems_of, step_of


def test_the_short_form_is_one_task_with_one_stage():
    plan = plan_of("steps:\n- dir: /a\n- link: /a/b\n  to: /c\n  dangling: true\n")
    assert [(task.name, task.target, [stage.name for stage in task.stages]) for task in plan.tasks] == [
        ("main", "local", ["main"])
    ]
    assert ids_of(plan) == ["main/main/1-dir", "main/main/2-link"]


def test_stages_at_the_top_are_one_task():
    plan = plan_of("on: memory\nstages:\n- name: one\n  steps: [{dir: /a}]\n- name: two\n  steps: [{dir: /b}]\n")
    assert ids_of(plan) == ["main/one/1-dir", "main/two/1-dir"]
    assert {step.target for step in plan.steps} == {"memory"}


def test_a_task_may_have_steps_without_a_stage():
    assert ids_of(plan_of("tasks: [{name: web, steps: [{dir: /a}]}]")) == ["web/main/1-dir"]


def test_a_step_has_what_its_common_keys_say():
    step = step_of(
        "steps: [{dir: /a, id: a, on: memory, timeout: 2m, retry: {attempts: 3, delay: 1s}, irreversible: true, note: why}]"
    )
    assert (step.id, step.kind, step.target, step.timeout) == ("a", "dir", "memory", 120.0)
    assert step.retry == Retry(attempts=3, delay=1.0)
    assert (step.irreversible, step.note) == (True, "why")


def test_a_policy_is_read_with_its_durations():
    plan = plan_of("policy: {on_failure: stop, scope: task, timeout: 10m, batches: [1, 10%, 100%], gate: approve}")
    assert plan.policy == Policy(on_failure="stop", scope="task", timeout=600.0, batches=(1, "10%", "100%"), gate="approve")


@pytest.mark.parametrize("text", ["", "steps:", "steps: []", "tasks: []", "stages: [{name: a}]", "tasks: [{name: a}]"])
def test_a_plan_without_steps_is_a_plan(text):
    assert plan_of(text).steps == ()


def test_needs_may_be_one_name_or_several_and_point_ahead():
    plan = plan_of("steps:\n- {dir: /a, id: a, needs: c}\n- {dir: /b, id: b, needs: [a, c]}\n- {dir: /c, id: c}\n")
    assert [step.needs for step in plan.steps] == [("c",), ("a", "c"), ()]


def test_all_problems_are_told_at_once_in_the_order_of_the_file():
    text = """\
holdfast: 1
nam: demo
policy: {parallel: 0, on_failure: undo}
steps:
  - dir: /a
    mod: "0755"
  - lnik: /b
    to: /c
  - dir: /d
    mode: 755
    timeout: never
    retry: {attempts: none, delay: [], forever: true}
  - file: /e
    content: ${vars.x}
    needs: [nobody]
"""
    assert [(problem.code, problem.where) for problem in problems_of(text)] == [
        ("missing_key", "plan.yaml:1:1"),
        ("unknown_key", "plan.yaml:2:1"),
        ("invalid_value", "plan.yaml:3:20"),
        ("invalid_value", "plan.yaml:3:35"),
        ("unknown_key", "plan.yaml:6:5"),
        ("unknown_kind", "plan.yaml:7:5"),
        ("invalid_value", "plan.yaml:10:11"),
        ("invalid_value", "plan.yaml:11:14"),
        ("invalid_value", "plan.yaml:12:23"),
        ("invalid_value", "plan.yaml:12:36"),
        ("unknown_key", "plan.yaml:12:40"),
        ("undefined_variable", "plan.yaml:14:14"),
        ("unknown_step", "plan.yaml:15:13"),
    ]


def test_a_problem_names_its_step_and_reads_like_a_compiler_message():
    problem = problem_of("steps:\n- {dir: /a, id: first, mod: '0755'}\n")
    assert problem.step == "first"
    assert str(problem) == "plan.yaml:4:24: `mod` is not a key of `dir` (did you mean `mode`?)"


def test_the_version_is_required_and_must_be_known():
    assert problem_of("name: a\nsteps: [] # holdfast\n").message == "`holdfast` is missing"
    assert codes_of("holdfast: 2\nname: a\n") == ["invalid_value"]


@pytest.mark.parametrize("name", ["Web", "-web", "web_1", "''", "1.5", "[a]", '"web\\n"'])
def test_a_name_is_made_of_small_letters_digits_and_hyphens(name):
    problem = problem_of(f"holdfast: 1\nname: {name}\n")
    assert (problem.code, problem.where) == ("invalid_value", "plan.yaml:2:7")


@pytest.mark.parametrize("text", ["[]", "text", "5", "", "# nothing"])
def test_what_is_no_mapping_is_no_plan(text):
    with pytest.raises(PlanError) as caught:
        parse(text, name="plan.yaml")
    assert caught.value.problems[0].where == "plan.yaml:1:1"


@pytest.mark.parametrize("identifier", ['"a b"', '""', "5", "'a,b'", '"a\\n"', "/a"])
def test_an_id_can_be_said_and_copied_without_quotes(identifier):
    assert codes_of(f"steps: [{{dir: /a, id: {identifier}}}]") == ["invalid_value"]


@pytest.mark.parametrize(
    ("word", "hint"),
    [("lnik", "link"), ("directory", ""), ("comand", "command"), ("mkdir", "dir"), ("Dir", "dir"), ("copi", "copy")],
)
def test_an_unknown_kind_is_answered_with_the_nearest_one(word, hint):
    problem = problem_of(f"steps: [{{{word}: /a, id: x}}]")
    assert (problem.code, problem.where) == ("unknown_kind", "plan.yaml:3:10")
    assert hint in problem.hint


def test_a_step_is_exactly_one_kind():
    assert problem_of("steps: [{dir: /a, link: /b}]").where == "plan.yaml:3:19"
    assert codes_of("steps: [{id: a}, {}, text, [dir]]") == ["missing_key", "missing_key", "invalid_value", "invalid_value"]


def test_the_main_argument_is_given_once():
    assert codes_of("steps: [{dir: /a, path: /b}]") == ["duplicate_key"]


def test_what_a_kind_itself_finds_wrong_has_the_place_of_the_argument():
    problem = problem_of("steps:\n- file: /a\n  content: x\n  source: /b\n")
    assert (problem.code, problem.where) == ("invalid_value", "plan.yaml:6:11")


def test_a_missing_argument_is_told_at_the_step():
    problem = problem_of("steps:\n- dir: /a\n- link: /b\n")
    assert (problem.code, problem.message, problem.where) == ("missing_key", "`to` is missing", "plan.yaml:5:3")


def test_two_steps_with_one_id_are_told_at_the_second():
    problem = problem_of("steps:\n- {dir: /a, id: x}\n- {dir: /b, id: x}\n")
    assert (problem.code, problem.where) == ("duplicate_id", "plan.yaml:5:3")


def test_tasks_and_stages_have_names_of_their_own():
    assert codes_of("tasks:\n- {name: a, steps: [{dir: /a}]}\n- {name: a, steps: [{dir: /b, id: b}]}\n") == ["duplicate_id"]
    assert codes_of("stages: [{name: a}, {name: a}]") == ["duplicate_id"]


def test_a_cycle_is_told_by_its_path_at_one_of_its_steps():
    problem = problem_of("steps:\n- {dir: /a, id: a, needs: [b]}\n- {dir: /b, id: b, needs: [a]}\n")
    assert problem.code == "cycle" and "`a` needs `b` needs `a`" in problem.message
    assert problem.where == "plan.yaml:4:3"


def test_two_writers_of_one_path_are_told_at_the_second():
    problem = problem_of("steps:\n- {file: /a, content: x, id: one}\n- {file: /a, content: y, id: two}\n")
    assert (problem.code, problem.where) == ("two_writers", "plan.yaml:5:3")


def test_problems_of_the_order_are_told_beside_problems_of_arguments():
    text = "steps:\n- {dir: /a, id: a, needs: [b]}\n- {dir: /b, id: b, needs: [a]}\n- {dir: /c, mod: x}\n"
    assert codes_of(text) == ["cycle", "unknown_key"]


def test_an_unknown_need_is_answered_with_the_nearest_id():
    problem = problem_of("steps:\n- {dir: /a, id: config}\n- {dir: /b, needs: [confg]}\n")
    assert (problem.code, problem.where, problem.hint) == ("unknown_step", "plan.yaml:5:21", "did you mean `config`?")


def test_an_unknown_task_or_target_is_told_where_it_is_named():
    text = "tasks:\n- {name: web, needs: [wbe], on: locla, steps: [{dir: /a, on: memry}]}\n"
    assert [(problem.code, problem.where, problem.hint) for problem in problems_of(text)] == [
        ("unknown_step", "plan.yaml:4:23", "did you mean `web`?"),
        ("unknown_target", "plan.yaml:4:33", "did you mean `local`?"),
        ("unknown_target", "plan.yaml:4:62", "did you mean `memory`?"),
    ]


def test_only_one_of_tasks_stages_and_steps_may_stand_there():
    assert codes_of("steps: []\ntasks: []\n") == ["invalid_value"]
    assert codes_of("tasks: [{name: a, steps: [], stages: []}]") == ["invalid_value"]


@pytest.mark.parametrize(
    "text", ["steps: 5", "steps: {dir: /a}", "tasks: [5]", "stages: [5]", "stages: [{steps: []}]", "vars: []"]
)
def test_what_is_not_of_its_shape_is_told(text):
    assert len(problems_of(text)) == 1


def test_batches_need_the_scope_of_a_task_and_are_numbers_or_shares():
    assert codes_of("policy: {batches: [1]}") == ["invalid_value"]
    assert codes_of("policy: {scope: task, batches: [0, 101%, 5%]}") == ["invalid_value", "invalid_value"]


# -- secrets


def test_a_reference_to_a_secret_stays_a_reference():
    plan = plan_of("steps: [{file: /a, content: {secret: env:TOKEN}}]", env={"TOKEN": "hunter2"})
    assert b"hunter2" not in plan.document and b'{"secret":"env:TOKEN"}' in plan.document


def test_the_file_of_a_secret_is_relative_to_the_plan_file():
    plan = plan_of("steps: [{command: [a], env: {T: {secret: 'file:secrets/t'}}, irreversible: true}]")
    assert b'{"secret":"file:/plans/secrets/t"}' in plan.document


# -- files


def test_a_file_is_read_by_its_suffix_and_its_paths_are_relative_to_it(tmp_path):
    (tmp_path / "a.yml").write_text(HEAD + "steps: [{dir: sub}]")
    (tmp_path / "a.json").write_text('{"holdfast": 1, "name": "demo", "steps": [{"dir": "sub"}]}')
    (tmp_path / "a.toml").write_text('holdfast = 1\nname = "demo"\nsteps = [{dir = "sub"}]\n')
    plans = [load(str(tmp_path / name)) for name in ("a.yml", "a.json", "a.toml")]
    assert {plan.steps[0].operation.path for plan in plans} == {str(tmp_path / "sub")}
    assert len({plan.digest for plan in plans}) == 1


def test_a_dash_reads_yaml_from_standard_input(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((HEAD + "steps: [{dir: sub}]").encode())))
    monkeypatch.chdir(tmp_path)
    assert load("-").steps[0].operation.path == str(tmp_path / "sub")


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path):
    for path, code in ((tmp_path / "missing.yaml", "not_found"), (tmp_path, "io_error")):
        with pytest.raises(PlanError) as caught:
            load(str(path))
        assert caught.value.code == code


def test_a_text_that_is_not_utf_8_is_told_with_its_place():
    problem = problem_of(b"holdfast: 1\nname: \xff\n")
    assert (problem.code, problem.where) == ("syntax", "plan.yaml:2:7")


def test_a_mark_of_byte_order_is_no_part_of_the_text():
    assert plan_of(b"\xef\xbb\xbfholdfast: 1\nname: demo\n").name == "demo"


def test_a_file_larger_than_any_plan_is_refused_unread(tmp_path):
    (tmp_path / "big.yaml").write_bytes(b"#" * (DOCUMENT_BYTES_MAX + 1))
    with pytest.raises(PlanError) as caught:
        load(str(tmp_path / "big.yaml"))
    assert caught.value.code == "too_large"


def test_a_plan_has_no_more_steps_than_the_engine_takes(monkeypatch):
    monkeypatch.setattr(reader, "STEPS_MAX", 3)
    assert codes_of("steps: [{dir: /a}, {dir: /b}, {dir: /c}, {dir: /d}]") == ["too_large"]


def test_ten_thousand_steps_with_one_mistake_tell_just_that():
    text = (
        "steps:\n"
        + "".join(f"- link: /x/{n}\n  to: /y/{n}\n  dangling: true\n" for n in range(10_000))
        + "- dir: /z\n  mod: 1\n"
    )
    assert problem_of(text).where == "plan.yaml:30005:3"


def test_what_an_unknown_key_stands_beside_is_checked_all_the_same():
    assert codes_of("steps: [{file: /a, content: x, source: y, moode: 1}]") == ["invalid_value", "unknown_key"]


def test_a_step_with_an_id_that_is_none_still_has_needs():
    assert codes_of("steps: [{dir: /a, id: A B, needs: [zork]}]") == ["invalid_value", "unknown_step"]


def test_what_is_written_is_told_apart_from_what_to_write():
    mode, wait = problems_of("steps: [{dir: /a, mode: 0755}, {wait: 3 parsecs}]")
    assert (mode.message, mode.hint) == ("`mode`: 755 is no mode", 'write octal digits in quotes, like "0644"')
    assert wait.hint.startswith("write it like `500ms`")


def test_the_word_that_is_no_text_is_the_one_that_is_told():
    problem = problem_of("steps: [{command: [sleep, 2, true]}]")
    assert (problem.where, problem.message) == ("plan.yaml:3:30", "`command`: expected a text, got true or false")


def test_two_tasks_of_one_name_are_told_to_differ_in_their_names():
    problems = problems_of("tasks: [{name: a, steps: [{wait: 1s, id: x}]}, {name: a, steps: [{wait: 1s, id: y}]}]")
    assert [problem.hint for problem in problems] == ["give each task a name of its own"]
