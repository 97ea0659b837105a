"""The section `actions`: plans, commands, and rules that choose another action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

import msgspec

from holdfast.kinds.contract import Secret, decode
from holdfast.kinds.running import Words, argv_of
from holdfast.planfile.source import meant
from holdfast.triggers.actions import TESTS, TIMES
from holdfast.triggers.definitions import Action, Command, PlanFile, Rule, Rules
from holdfast.triggers.layout import ActionLayout, RuleLayout
from holdfast.triggers.reading import checks
from holdfast.triggers.reading.place import Checks, Place, Section


def check_circles(given: Mapping[str, Any], place: Place) -> None:
    """Rules may lead to rules, but not back."""
    leads = {name: _leads(raw) for name, raw in given.items()}
    for name in leads:
        way = _circle(name, leads)
        if way:
            told = " leads to ".join(f"`{step}`" for step in way)
            place.into("actions", name).problem(
                f"rules go round: {told}", "let one of them name another action", "cycle", key=True
            )


def _leads(raw: Any) -> list[str]:
    """To which actions, as far as it can be read."""
    given = raw.get("rules") if isinstance(raw, dict) else None
    rules = [rule for rule in given if isinstance(rule, dict)] if isinstance(given, list) else []
    named = [rule.get(key) for rule in rules for key in ("then", "else")]
    return [name for name in named if isinstance(name, str)]


def _circle(name: str, leads: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The shortest way from an action back to itself; each action is passed once, however many ways lead to it."""
    ways: list[tuple[str, ...]] = [(name,)]
    seen: set[str] = set()
    for way in ways:
        for then in leads.get(way[-1], ()):
            if then == name:
                return (*way, name)
            if then not in seen:
                seen.add(then)
                ways.append((*way, then))
    return ()


def _rules(given: Sequence[Any], place: Place) -> None:
    if not given:
        place.problem("there is no rule", "write `[{if: {...}, then: ACTION}, {else: ACTION}]`")
    for number, raw in enumerate(given):
        place.into(number).read(RuleLayout, raw, RULE)
        if isinstance(raw, dict) and "else" in raw and number < len(given) - 1:
            place.into(number).problem("no rule after an `else` can apply", "put it last")


def _tests(given: Mapping[str, Any], place: Place) -> None:
    if not given:
        place.problem("an `if` without a test is an `else`", "write `{else: ACTION}`")
    for fact, test in given.items():
        for verb, wanted in test.items() if isinstance(test, dict) else ():
            _test(verb, wanted, place.into(fact, verb))
        close = get_close_matches(fact, TIMES, n=1, cutoff=0.7)
        if close and fact not in TIMES:  # any other name may be a variable that is given when it is fired
            hint = f"did you mean `{close[0]}`?"
            place.into(fact).problem(f"nobody knows a fact `{fact}`", hint, "undefined_variable", key=True)


def _test(verb: str, wanted: Any, place: Place) -> None:
    if verb not in TESTS:
        hint = meant(verb, TESTS) or f"known here: {', '.join(TESTS)}"
        place.problem(f"`{verb}` is not a test", hint, "unknown_key", key=True)
    elif verb in ("below", "exceeds") and (isinstance(wanted, bool) or not isinstance(wanted, (int, float))):
        place.problem(f"`{verb}` needs a number; this is {wanted!r}", "write a number without quotes")


RULE: Final[Checks] = {"if": _tests, "then": checks.fires(), "else": checks.fires()}


def _made(name: str, given: ActionLayout, place: Place) -> Action:
    return Action(name, _does(given, place), float(given.cooldown), given.vars)


def _does(given: ActionLayout, place: Place) -> Command | PlanFile | Rules:
    if given.plan is not None:
        return PlanFile(place.path(given.plan))
    if given.command is not None:
        timeout = None if given.timeout is None else float(given.timeout)
        return command(given.command, given.cwd, given.env, timeout, place)
    rules = [msgspec.convert(raw, RuleLayout, dec_hook=decode) for raw in given.rules or ()]
    return Rules([Rule(rule.if_ or {}, rule.then or rule.else_ or "") for rule in rules], given.timezone)


def command(words: Words, cwd: str | None, env: Mapping[str, str | Secret], timeout: float | None, place: Place) -> Command:
    """It runs beside the file, and there are the files of its secrets."""
    return Command(argv_of(words), place.path(cwd or "."), {name: _secret(it, place) for name, it in env.items()}, timeout)


def _secret(value: str | Secret, place: Place) -> str | Secret:
    if isinstance(value, str) or not value.secret.startswith("file:"):
        return value
    return Secret(f"file:{place.path(value.secret.removeprefix('file:'))}")


SECTION: Final = Section(
    ActionLayout, {"command": checks.words, "env": checks.env, "rules": _rules, "timezone": checks.zone}, _made
)
