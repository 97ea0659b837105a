"""References are replaced everywhere in values, nowhere in keys, and a name that nobody knows is a problem."""

from __future__ import annotations

import pytest

from tests.planfile.plans import codes_of, plan_of, problem_of, problems_of, step_of


def test_variables_are_replaced_in_every_text():
    step = step_of("""
vars: {app: web, root: "/opt/${vars.app}", n: 5}
steps:
- command: [echo, "${vars.app} on ${target.name}", "n=${vars.n}"]
  cwd: ${vars.root}/current
  env: {RELEASE: "${env.RELEASE}"}
  id: say-${vars.app}
  note: ${vars.root}
  irreversible: true
""")
    assert step.operation.argv == ("echo", "web on local", "n=5")
    assert step.operation.cwd == "/opt/web/current"
    assert step.operation.env == {"RELEASE": "2.4.1"}
    assert (step.id, step.note) == ("say-web", "/opt/web")


def test_names_descriptions_and_policies_may_refer_too():
    plan = plan_of(
        "holdfast: 1\nname: ${vars.n}\ndescription: for ${env.RELEASE}\npolicy: {parallel: '${vars.p}'}\nvars: {n: a, p: 3}"
    )
    assert (plan.name, plan.description, plan.policy.parallel) == ("a", "for 2.4.1", 3)


def test_a_reference_alone_is_the_value_itself():
    step = step_of("""
vars: {n: 4, expect: {status: 201}, urls: ["http://a/", "http://b/"], pause: 5}
steps: [{health: "${vars.urls}", attempts: "${vars.n}", expect: "${vars.expect}", interval: "${vars.pause}"}]
""")
    assert step.operation.attempts == 4 and step.operation.interval == 5.0
    assert step.operation.probe == ("http://a/", "http://b/") and step.operation.expect.status == 201


def test_a_number_becomes_a_text_where_a_text_is_wanted():
    step = step_of("vars: {port: 8080}\nsteps: [{file: /a, content: '${vars.port}', irreversible: true}]")
    assert step.operation.content == "8080"
    assert step_of("vars: {port: 8080}\nsteps: [{command: [a, '${vars.port}'], irreversible: true}]").operation.argv == (
        "a",
        "8080",
    )
    assert step_of("vars: {n: 7}\nsteps: [{dir: '${vars.n}'}]").operation.path == "/plans/7"


def test_a_text_from_the_environment_becomes_a_number_where_one_is_wanted():
    step = step_of("steps: [{health: 'tcp://a:1', attempts: '${env.N}'}]", env={"N": "6"})
    assert step.operation.attempts == 6
    assert codes_of("steps: [{health: 'tcp://a:1', attempts: '${env.N}'}]", env={"N": "six"}) == ["invalid_value"]


def test_two_dollars_write_a_reference_literally():
    step = step_of("steps: [{command: 'echo $${HOME} $HOME $$ ${env.RELEASE} $${vars.x}', irreversible: true}]")
    assert step.operation.argv == "echo ${HOME} $HOME $$ 2.4.1 ${vars.x}"


def test_keys_are_not_replaced():
    assert step_of("vars: {a: X}\nsteps: [{command: a, env: {'X': '${vars.a}'}, irreversible: true}]").operation.env == {
        "X": "X"
    }
    assert codes_of("vars: {a: dir}\nsteps: [{'${vars.a}': /a}]") == ["unknown_kind"]


def test_variables_reach_into_mappings():
    assert step_of("vars: {db: {dirs: {data: /var/db}}}\nsteps: [{dir: '${vars.db.dirs.data}'}]").operation.path == "/var/db"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("${vars.relaese}", "did you mean `vars.release`?"),
        ("${release}", "did you mean `vars.release`?"),
        ("${HOME}", "write `$${HOME}` for a literal; variables begin with `vars.`, `env.`, `target.` or `each.`"),
        ("${env.NOPE}", "set it before Holdfast is started"),
        ("${each.host}", "`each` is known only below a task that has `each`"),
        ("${vars}", None),
        ("${vars.release.x}", None),
        ("${}", None),
        ("${HOME:-x}", None),
    ],
)
def test_an_unknown_name_is_a_problem_with_a_hint(text, hint):
    problem = problem_of(f"vars: {{release: x}}\nsteps:\n- dir: /a/{text}\n")
    assert (problem.code, problem.where) == ("undefined_variable", "plan.yaml:5:8")
    assert hint is None or problem.hint == hint


def test_an_open_reference_is_a_problem():
    assert codes_of("steps: [{dir: '/a/${vars.x'}]") == ["invalid_value"]


def test_what_is_no_scalar_cannot_stand_inside_a_text():
    assert codes_of("vars: {a: [1], b: null}\nsteps: [{dir: '/x/${vars.a}'}, {dir: '/x/${vars.b}'}]") == ["invalid_value"] * 2


def test_variables_that_go_round_in_a_circle_are_told_once():
    problems = problems_of('vars: {a: "${vars.b}", b: "${vars.c}", c: "${vars.a}"}\nsteps: [{dir: "/${vars.a}"}]')
    assert [problem.code for problem in problems] == ["undefined_variable"]
    assert "`a` refers to `b` refers to `c` refers to `a`" in problems[0].message


def test_a_broken_variable_is_told_where_it_is_made_and_not_where_it_is_used():
    problem = problem_of("vars: {a: '${env.NOPE}'}\nsteps: [{dir: '/${vars.a}'}, {dir: '/x/${vars.a}'}]")
    assert problem.where == "plan.yaml:3:11"


def test_an_argument_with_an_unknown_name_hides_no_other_problem():
    assert codes_of("steps: [{dir: '${vars.x}', mode: 5}]") == ["undefined_variable", "invalid_value"]


@pytest.mark.parametrize("tenfold", [lambda text: text * 10, lambda text: [text] * 10])
def test_variables_cannot_be_used_to_fill_the_memory(tenfold):
    variables = {"v0": tenfold("x")} | {f"v{n}": tenfold(f"${{vars.v{n - 1}}}") for n in range(1, 12)}
    assert codes_of({"holdfast": 1, "name": "bomb", "vars": variables}) == ["too_large"]


def test_nothing_in_a_value_is_ever_evaluated():
    for text in ("{{ 7 * 7 }}", "$(id)", "`id`", "%(x)s", "{0}"):
        assert step_of(f"steps: [{{file: /a, content: '{text}'}}]").operation.content == text


def test_a_value_that_looks_like_a_reference_is_not_replaced_again():
    assert step_of("steps: [{file: /a, content: 'x ${env.X}'}]", env={"X": "${vars.y}"}).operation.content == "x ${vars.y}"


def test_the_target_of_a_step_is_the_one_it_works_on():
    plan = plan_of("steps: [{dir: '/${target.name}'}, {dir: '/${target.name}', on: memory}]")
    assert [step.operation.path for step in plan.steps] == ["/local", "/memory"]


def test_a_template_sees_the_variables_of_the_plan():
    step = step_of("vars: {port: 80}\nsteps: [{file: /a, template: a.j2}]")
    assert step.operation.template == "/plans/a.j2"
    assert step.operation.vars == {"port": 80, "vars": {"port": 80}, "target": {"name": "local"}}


def test_variables_of_a_template_may_be_given_instead():
    assert step_of("vars: {x: 1}\nsteps: [{file: /a, template: a.j2, vars: {y: '${vars.x}'}}]").operation.vars == {"y": 1}


def test_every_unknown_name_in_one_text_is_told():
    problems = problems_of("steps: [{file: /a, content: '${vars.x} $${vars.y} ${env.Z} ${'}]")
    assert [problem.message for problem in problems] == [
        "there is no variable `vars.x`",
        "the environment has no `Z`",
        "a `${` is never closed",
    ]
