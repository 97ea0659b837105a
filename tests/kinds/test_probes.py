"""`wait` and `health` as data: what is asked, what is expected, what is wrong with it before anybody is asked."""

from __future__ import annotations

import msgspec
import pytest

from holdfast.core.change import Action, Guarantee
from holdfast.core.plan import Plan, Stage, Step, Task
from holdfast.core.predict import predict
from holdfast.kinds.contract import Duration, decode
from holdfast.kinds.health import Expect, Health
from holdfast.kinds.wait import Wait


@pytest.mark.parametrize(
    ("probe", "probes"),
    [
        ("http://a/", ("http://a/",)),
        ("pg_isready -q", ("pg_isready -q",)),
        (["pg_isready", "-q"], (("pg_isready", "-q"),)),
        (["curl", "-f", "http://a/"], (("curl", "-f", "http://a/"),)),
        (["http://a/", "tcp://b:1"], ("http://a/", "tcp://b:1")),
        (["http://a/", "pg_isready"], ("http://a/", "pg_isready")),
        (["pg_isready -q", "http://a/"], ("pg_isready -q", "http://a/")),
        (["pg_isready", ["test", "-e", "/x"]], ("pg_isready", ("test", "-e", "/x"))),
        ([["test", "-e", "/x"]], (("test", "-e", "/x"),)),
    ],
)
def test_a_list_of_words_is_one_command_and_a_list_of_probes_is_several(probe, probes):
    assert msgspec.convert({"probe": probe}, Health, dec_hook=decode).probes == probes


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"probe": ""}, [("probe", "invalid_value")]),
        ({"probe": ()}, [("probe", "invalid_value")]),
        ({"probe": "ftp://a/"}, [("probe", "invalid_value")]),
        ({"probe": "http:///path"}, [("probe", "invalid_value")]),
        ({"probe": "tcp://host"}, [("probe", "invalid_value")]),
        ({"probe": "tcp://host:port"}, [("probe", "invalid_value")]),
        ({"probe": "http://host:99999/"}, [("probe", "invalid_value")]),
        ({"probe": "http://me:hunter2@host/"}, [("probe", "literal_secret")]),
        ({"probe": "echo 'open"}, [("probe", "invalid_value")]),
        ({"probe": "http://a/", "attempts": 0}, [("attempts", "invalid_value")]),
        ({"probe": "http://a/", "expect": Expect(body="/(/")}, [("expect", "invalid_value")]),
        ({"probe": "http://a/", "expect": Expect(body="(")}, []),
        ({"probe": "HTTPS://[::1]:8443/x?y=z"}, []),
        ({"probe": ("tcp://a:1", "true")}, []),
    ],
)
def test_what_cannot_be_asked_is_told_with_the_argument_that_is_wrong(arguments, found):
    assert [(flaw.field, flaw.code) for flaw in Health(**arguments).flaws()] == found


def test_a_password_in_an_address_is_never_repeated():
    assert "hunter2" not in str(list(Health(probe="http://me:hunter2@host/").flaws()))


def test_the_usual_patience():
    assert (Health(probe="http://a/").interval, Health(probe="http://a/").attempts) == (3.0, 10)


def test_a_probe_changes_nothing_that_could_be_undone():
    operations = (Wait(duration=Duration(1)), Health(probe="http://a/"))
    steps = tuple(Step(id=f"s{n}", kind=operation.kind, operation=operation) for n, operation in enumerate(operations))
    plan = Plan(name="p", tasks=(Task(name="main", stages=(Stage(name="main", steps=steps),)),))
    changes = [change for (change,) in predict(plan, {}).changes]
    assert [change.key for change in changes] == ["wait/s0", "health/s1"]
    assert {(change.action, change.guarantee) for change in changes} == {(Action.RUN, Guarantee.ATOMIC)}
