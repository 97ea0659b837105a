"""triggers.yaml: everything that can be said, and what is said about everything that cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.core.errors import PlanError, Problem
from holdfast.triggers.definitions import Command, Cron, PlanFile, Rules, Scanner, Watcher
from holdfast.triggers.file import load, parse

WHOLE = """\
holdfast: 1
actions:
  backup: {plan: backup.yaml, cooldown: 10m}
  nudge: {command: [./nudge.sh, "${source}"], timeout: 30s, cooldown: 30s}
  choose: {rules: [{if: {hour: {below: 6}}, then: backup}, {else: nudge}]}
cron:
  nightly: {schedule: "0 3 * * *", timezone: UTC, action: backup, overlap: skip, misfire: once}
watchers:
  idle-check:
    {source: {command: [./idle.sh]}, condition: {exceeds: 100}, interval: 10s,
     respond: [{action: nudge}, {action: backup, after: 2m}]}
scanners:
  stale-locks: {source: locks, condition: {stale: 1h}, cleanup: release, interval: 10m, max_per_scan: 100}
  old-releases: {source: {files: "/srv/releases/*"}, condition: {stale: 30d}, cleanup: {archive: /srv/attic}, interval: 1h}
"""


def problems(text: str) -> list[Problem]:
    with pytest.raises(PlanError) as error:
        parse(f"holdfast: 1\n{text}", base="/srv")
    return list(error.value.problems)


def test_what_a_file_says_becomes_definitions_with_paths_beside_the_file(tmp_path: Path) -> None:
    file = tmp_path / "triggers.yaml"
    file.write_text(WHOLE)
    found = load(file)
    assert found.actions["backup"].does == PlanFile(f"{tmp_path}/backup.yaml")
    assert found.actions["nudge"].does == Command(("./nudge.sh", "${source}"), str(tmp_path), {}, 30.0)
    assert isinstance(found.actions["choose"].does, Rules)
    nightly, idle, locks, old = found.triggers.values()
    assert isinstance(nightly, Cron)
    assert isinstance(idle, Watcher)
    assert isinstance(locks, Scanner)
    assert isinstance(old, Scanner)
    assert [response.after for response in idle.respond] == [0.0, 120.0]
    assert (locks.max_per_scan, old.cleanup.what, old.condition.stale) == (100, "/srv/attic", 30 * 86400.0)


def test_all_problems_are_told_at_once_each_at_its_place() -> None:
    found = problems(
        "actions:\n"
        "  a: {plan: x.yaml, cooldwn: 10m}\n"
        "  b: {command: [x], timeout: 30x}\n"
        "cron:\n"
        "  c: {schedule: '61 * * * *', timezone: Europe/Berlni, action: aa}\n"
        "watchers:\n"
        "  w: {source: {file: x}, condition: {}, respond: [{actn: a}]}\n"
        "oops: 1\n"
    )
    assert [(problem.where, problem.code) for problem in found] == [
        ("<text>:3:21", "unknown_key"),
        ("<text>:4:30", "invalid_value"),
        ("<text>:6:17", "invalid_value"),
        ("<text>:6:41", "invalid_value"),
        ("<text>:6:64", "unknown_action"),
        ("<text>:8:37", "missing_key"),
        ("<text>:8:51", "missing_key"),
        ("<text>:8:52", "unknown_key"),
        ("<text>:9:1", "unknown_key"),
    ]
    assert found[0].hint == "did you mean `cooldown`?"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "cron: {c: {schedule: nope, timezone: Mars, action: no, check: w, overlap: 3}}",
            ["`nope` is not a schedule", "time zone `Mars`", "no action `no`", "no watcher or scanner `w`", "`overlap`"],
        ),
        (
            "watchers: {w: {source: {http: x, oops: 1}, condition: {below: much, idle: x}, respond: [no], intervl: 1}}",
            ["`x` is not an address", "`oops`", "`much` is neither", "`idle`", "no action `no`", "`intervl`"],
        ),
        (
            "scanners: {s: {source: locks, condition: {attempts: 3, stale: x}, cleanup: relase, interval: 0s, oops: 1}}",
            ["`attempts` means nothing for locks", "`stale`", "no clean-up `relase`", "that often", "`oops`"],
        ),
        (
            "scanners: {s: {source: http, condition: {stale: 1h}, cleanup: {action: no, oops: 1}}}",
            ["no source `http`", "no action `no`", "`oops`"],
        ),
        (
            "actions: {a: {command: '', env: {'': y}, cooldown: x},\n"
            " b: {rules: [{if: {huor: 1}, then: no, oops: 1}], timezone: Mars}}",
            ["no program", "cannot be set", "`cooldown`", "a fact `huor`", "no action `no`", "`oops`", "time zone `Mars`"],
        ),
    ],
)
def test_what_is_wrong_at_one_key_does_not_hide_what_is_wrong_at_another(text: str, told: list[str]) -> None:
    found = problems(text + "\n")
    assert [words in problem.message for words, problem in zip(told, found, strict=True)] == [True] * len(told), found


@pytest.mark.parametrize(
    "text", ["cron: {c: {schedule: [], action: a}}", "actions: 7", "watchers: {w: {source: {}, condition: 5}}"]
)
def test_no_hint_sends_people_to_the_layout_of_plans(text: str) -> None:
    assert not any("schema" in problem.hint for problem in problems(text))
    assert any("docs/reference/triggers.md" in problem.hint for problem in problems(text))
    assert (Path(__file__).parents[2] / "docs/reference/triggers.md").exists()


def test_rules_that_meet_again_and_again_are_looked_through_in_no_time() -> None:
    lines = [f"  a{n}: {{rules: [{{if: {{x: 1}}, then: a{n + 1}}}, {{else: a{n + 1}}}]}}\n" for n in range(60)]
    assert len(parse(f"holdfast: 1\nactions:\n{''.join(lines)}  a60: {{command: x}}\n", base="/srv").actions) == 61


def test_a_variable_that_nobody_gives_is_told_where_the_action_is_named() -> None:
    (problem,) = problems(
        "actions: {a: {command: 'x ${y}'}}\nwatchers: {w: {source: runs, condition: {below: 1}, respond: [a]}}"
    )
    assert (problem.where, problem.code) == ("<text>:3:63", "undefined_variable")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("actions: {a: {}}", "an action needs one of"),
        ("actions: {a: {plan: x, command: y}}", "cannot stand side by side"),
        ("actions: {a: {plan: x, timeout: 5s}}", "only for a `command`"),
        ("actions: {a: {command: ''}}", "no program"),
        ("actions: {a: {command: 'x \"y'}}", "cannot be split"),
        ("actions: {a: 5}", "`a` is a mapping"),
        ("actions: {'a b': {command: x}}", "`a b` is no name"),
        ("actions: {a: {rules: []}}", "there is no rule"),
        ("actions: {a: {rules: [{then: a}]}}", "`if` is missing"),
        ("actions: {a: {rules: [{if: {}, then: b}]}, b: {command: x}}", "an `else`"),
        ("actions: {a: {rules: [{else: b}, {if: {x: 1}, then: b}]}, b: {command: x}}", "no rule after an `else`"),
        ("actions: {a: {rules: [{if: {hour: {below: six}}, then: b}]}, b: {command: x}}", "needs a number"),
        ("actions: {a: {rules: [{if: {huor: 6}, then: b}]}, b: {command: x}}", "nobody knows a fact `huor`"),
        ("actions: {a: {rules: [{else: a}]}}", "rules go round: `a` leads to `a`"),
        ("actions: {a: {rules: [{else: b}]}, b: {rules: [{else: a}]}}", "`a` leads to `b` leads to `a`"),
        ("actions: {a: {command: x, env: {T: {secret: hunter2}}}}", "not a reference to a secret"),
        ("cron: {c: {schedule: '* * * * *'}}", "nothing to do"),
        ("cron: {c: {schedule: '0 0 31 2 *', check: w}}", "schedule"),
        ("cron: {c: {schedule: '* * * * *', check: w}}", "no watcher or scanner `w`"),
        ("cron: {c: {schedule: '* * * * *', overlap: both}}", "`skip`, `wait`"),
        ("watchers: {w: {source: {file: x, http: 'http://x'}, condition: {below: 1}}}", "side by side"),
        ("watchers: {w: {source: {}, condition: {below: 1}}}", "a source is one of"),
        ("watchers: {w: {source: lock, condition: {below: 1}}}", "no source `lock`"),
        ("watchers: {w: {source: {http: 'ftp://x'}, condition: {below: 1}}}", "not an address"),
        ("watchers: {w: {source: {events: 'a*b'}, condition: {below: 1}}}", "no pattern of events"),
        ("watchers: {w: {source: runs, condition: {exceeds: much}}}", "neither a number nor a duration"),
        ("watchers: {w: {source: runs, condition: {matches: ''}}}", "every text holds"),
        ("watchers: {w: {source: runs, condition: {below: 1}, interval: 0s}}", "that often"),
        ("watchers: {w: {source: runs, condition: {stuck_in: {state: x}}}}", "`for` is missing"),
        ("watchers: {w: {source: runs, condition: {consecutive_failures: 0}}}", ">= 1"),
        ("scanners: {s: {source: runs, condition: {}, cleanup: release}}", "at least one test"),
        ("scanners: {s: {source: locks, condition: {attempts: 3}, cleanup: release}}", "means nothing for locks"),
        ("scanners: {s: {source: {files: x}, condition: {orphaned: true}, cleanup: delete}}", "means nothing for files"),
        ("scanners: {s: {source: locks, condition: {stale: 1h}, cleanup: relase}}", "no clean-up `relase`"),
        ("cron: {x: {schedule: '* * * * *'}}\nwatchers: {x: {source: runs, condition: {below: 1}}}", "under `cron` already"),
        ("actions: {a: {command: 'x ${y}'}}\ncron: {c: {schedule: '* * * * *', action: a}}", "needs the variable `y`"),
        ("actions: {a: {command: 'x ${value}'}}\ncron: {c: {schedule: '* * * * *', action: a}}", "needs the variable `value`"),
        ("- x", "a file of triggers is a mapping"),
    ],
)
def test_every_mistake_is_named(text: str, message: str) -> None:
    body = text if text.startswith("-") else f"holdfast: 1\n{text}\n"
    with pytest.raises(PlanError) as error:
        parse(body, base="/srv")
    assert message in " / ".join(f"{problem.message} {problem.hint}" for problem in error.value.problems)
    assert all(problem.where and problem.hint for problem in error.value.problems)


def test_a_secret_that_stands_in_the_file_is_not_repeated_in_the_problem() -> None:
    (problem,) = problems("actions: {a: {command: x, env: {T: {secret: hunter2}}}}\n")
    assert "hunter2" not in str(problem)


def test_a_file_that_is_not_there_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="cannot be read"):
        load(tmp_path / "nowhere.yaml")


def test_an_empty_file_of_triggers_defines_nothing() -> None:
    found = parse("holdfast: 1\n", base="/srv")
    assert (dict(found.actions), dict(found.triggers)) == ({}, {})


def test_a_trigger_gives_what_it_knows_and_the_file_the_rest() -> None:
    text = "actions: {a: {command: 'x ${source} ${action} ${trigger} ${value} ${level}', vars: {level: low}}}\n"
    text += "watchers: {w: {source: runs, condition: {exceeds: 1}, respond: [a]}}\n"
    assert parse(f"holdfast: 1\n{text}", base="/srv").triggers
