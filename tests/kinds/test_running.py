"""`command` and `script` as data: what they claim, what they change, what is wrong with them before anything runs."""

from __future__ import annotations

import json

import msgspec
import pytest

from holdfast.core.change import FACTS, Action, Depth, Effect, Facts, Guarantee, Resource
from holdfast.core.plan import Plan, Stage, Step, Task
from holdfast.core.predict import Prediction, Seen, looks_of, predict
from holdfast.kinds.command import Command
from holdfast.kinds.contract import Kind, Secret, decode
from holdfast.kinds.node import ABSENT, Node, Sealed
from holdfast.kinds.running import Invocation
from holdfast.kinds.script import Script, Source

TOKEN = Secret("env:TOKEN")


def plan(*operations: Kind) -> Plan:
    steps = tuple(Step(id=f"s{n}", kind=operation.kind, operation=operation) for n, operation in enumerate(operations))
    return Plan(name="p", tasks=(Task(name="main", stages=(Stage(name="main", steps=steps),)),))


def foretell(operation: Kind, **states: object) -> Prediction:
    """The prediction where nothing is there but directories, and what is given by key."""
    seen: Seen = {Resource("local", FACTS): (Depth.NODE, Facts())}
    known = {key.replace("__", "/"): state for key, state in states.items()}
    document = plan(operation)
    while True:
        for target, looks in looks_of(document).items():
            seen.update({Resource(target, key): (Depth.TREE, known.get(key, ABSENT)) for key, _ in looks if key != FACTS})
        prediction = predict(document, seen)
        for resource, _ in prediction.missing:
            folder = Node("dir", 0o755, writable=True, readable=True)
            seen[resource] = (Depth.TREE, known.get(resource.key, folder))
        if not prediction.missing:
            return prediction


def flaws(operation: Kind) -> list[tuple[str, str]]:
    return [(flaw.field, flaw.code) for flaw in operation.flaws()]


def test_a_command_is_one_change_that_runs():
    ((change,),) = foretell(Command(argv=("true",))).changes
    assert (change.key, change.action, change.guarantee) == ("command/s0", Action.RUN, Guarantee.IRREVERSIBLE)
    assert (change.before, change.after) == (Effect(False), Effect(True))


def test_an_undo_makes_it_compensable():
    ((change,),) = foretell(Command(argv=("true",), undo=("false",))).changes
    assert change.guarantee is Guarantee.COMPENSABLE


@pytest.mark.parametrize(("answer", "action"), [(True, Action.NONE), (False, Action.RUN), (None, Action.RUN)])
def test_what_is_already_so_changes_nothing(answer, action):
    operation = Command(argv=("true",), check="test -e /x")
    ((change,),) = foretell(operation, **{operation.question: Effect(answer)}).changes
    assert change.action is action


def test_the_operation_travels_as_the_means_of_its_change():
    operation = Command(argv=("true",))
    ((change,),) = foretell(operation).changes
    assert change.means is operation


def test_the_question_holds_all_there_is_to_ask_and_no_secret():
    operation = Command(argv=("x",), check="test 'a b'", cwd="/srv", sudo="app", env={"T": TOKEN, "A": "1"}, stdin=TOKEN)
    asked = Invocation.asked(operation.question)
    assert asked == Invocation(argv=("test", "a b"), cwd="/srv", sudo="app", env={"T": TOKEN, "A": "1"})
    assert json.loads(operation.question.removeprefix("check:"))["env"] == {"A": "1", "T": {"secret": "env:TOKEN"}}


def test_what_tells_nobody_anything_has_no_question():
    assert Command(argv=("true",)).question is None


def test_a_program_waits_for_the_steps_that_make_it_and_its_directory():
    keys = {claim.key for claim in Command(argv=("/opt/app//bin/run", "/not/this"), cwd="/opt/app").claims()}
    assert keys == {"/opt/app/bin/run", "/opt/app"}
    assert not any(claim.writes for claim in Command(argv=("/bin/x",), undo=("/bin/y",)).claims())


def test_a_secret_that_cannot_be_had_is_a_problem_before_anything_runs():
    operation = Command(argv=("true",), env={"T": TOKEN})
    (problem,) = foretell(operation, **{"@secret/env:TOKEN": Sealed()}).problems
    assert (problem.code, problem.step) == ("not_found", "s0")
    assert not foretell(operation, **{"@secret/env:TOKEN": Sealed("digest", 5)}).problems


@pytest.mark.parametrize(
    ("operation", "found"),
    [
        (Command(argv=()), [("argv", "invalid_value")]),
        (Command(argv=""), [("argv", "invalid_value")]),
        (Command(argv="  ", shell=True), [("argv", "invalid_value")]),
        (Command(argv="echo 'open"), [("argv", "invalid_value")]),
        (Command(argv="echo 'open", shell=True), []),
        (Command(argv=("a\0b",)), [("argv", "invalid_value")]),
        (Command(argv=("a\ud800",)), [("argv", "invalid_value")]),
        (Command(argv=("a",), shell=True), [("shell", "invalid_value")]),
        (Command(argv="a", check="'", undo=()), [("check", "invalid_value"), ("undo", "invalid_value")]),
        (Command(argv="a", env={"": "x"}), [("env", "invalid_value")]),
        (Command(argv="a", env={"A=B": "x"}), [("env", "invalid_value")]),
        (Command(argv="a", env={"A": "x\0"}), [("env", "invalid_value")]),
        (Command(argv="a", env={"A": Secret("hunter2")}), [("env", "literal_secret")]),
        (Command(argv="a", stdin=Secret("env:not a name")), [("stdin", "literal_secret")]),
        (Command(argv="a", sudo="-rf"), [("sudo", "invalid_value")]),
        (Command(argv="a", sudo=""), [("sudo", "invalid_value")]),
        (Command(argv="a", sudo="deploy"), []),
        (Command(argv="a", cwd=""), [("cwd", "invalid_value")]),
        (Command(argv="a", ok_codes=()), [("ok_codes", "invalid_value")]),
        (Command(argv="a", ok_codes=(0, 256)), [("ok_codes", "invalid_value")]),
        (Script(text=""), [("text", "invalid_value")]),
        (Script(text=Source("")), [("text", "invalid_value")]),
        (Script(text="x", interpreter="'"), [("interpreter", "invalid_value")]),
        (Script(text="x", args=("\0",)), [("args", "invalid_value")]),
    ],
)
def test_what_cannot_run_is_told_with_the_argument_that_is_wrong(operation, found):
    assert flaws(operation) == found


def test_a_literal_where_a_reference_belongs_is_never_repeated():
    (flaw,) = Command(argv="a", env={"A": Secret("hunter2")}).flaws()
    assert "hunter2" not in str(flaw)


def test_arguments_are_read_as_they_are_written():
    given = {"argv": "a b", "env": {"A": {"secret": "env:A"}, "B": "b"}, "sudo": True, "check": ["x"], "ok_codes": [0, 2]}
    operation = msgspec.convert(given, Command, dec_hook=decode)
    assert operation.env == {"A": Secret("env:A"), "B": "b"}
    assert (operation.check, operation.sudo, operation.ok_codes) == (("x",), True, (0, 2))
    assert msgspec.convert({"text": {"source": "/x"}}, Script, dec_hook=decode).source == "/x"


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("echo hi\n", ("/bin/sh",)),
        ("#!/bin/bash\necho", ("/bin/bash",)),
        ("#! /usr/bin/env -S python3 -u\r\nprint()", ("/usr/bin/env", "-S python3 -u")),
        ("#!\n", ("/bin/sh",)),
        (" #!/bin/bash", ("/bin/sh",)),
    ],
)
def test_the_first_line_says_who_runs_a_script(text, program):
    assert Script(text=text).run_by(text) == program


def test_the_step_knows_better_than_the_first_line():
    assert Script(text="#!/bin/bash", interpreter="python3 -u").run_by("#!/bin/bash") == ("python3", "-u")


def test_the_source_of_a_script_is_read_where_holdfast_runs_and_reviewed():
    operation = Script(text=Source("/srv/it.sh"))
    assert operation.sources() == ("/srv/it.sh",)
    assert [(claim.key, claim.target, claim.depth) for claim in operation.claims()] == [("/srv/it.sh", "local", Depth.CONTENT)]


@pytest.mark.parametrize(
    ("node", "code"), [(ABSENT, "source_not_found"), (Node("dir"), "source_not_found"), (Node("file", digest="d"), None)]
)
def test_a_source_must_be_a_file(node, code):
    prediction = foretell(Script(text=Source("/srv/it.sh")), **{"/srv/it.sh": node})
    assert [problem.code for problem in prediction.problems] == ([] if code is None else [code])
