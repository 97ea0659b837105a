"""Variables in actions, and which rule applies. Pure.

A variable is replaced inside the word it stands in and never makes two of it; no shell ever reads it. The script of a
`sh -c` is the one word that a shell does read: there the reference stays, and the shell finds the variable in its
environment, where a value can never become code.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from holdfast.core.errors import Refused
from holdfast.triggers.definitions import Command, Rules

_REFERENCE: Final = re.compile(r"\$\$\{|\$\{\s*(?:vars\.)?([A-Za-z_][A-Za-z0-9_]*)\s*\}")
_SHELLS: Final = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh"})
_SCRIPT: Final = re.compile(r"-[a-z]*c")
ALWAYS: Final = frozenset({"source", "action"})  # variables that every action has
CRON: Final = ALWAYS | {"trigger"}  # and those that a trigger gives
WATCHER: Final = CRON | {"value"}
TIMES: Final = ("minute", "hour", "day", "month", "weekday")
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def names_in(words: Sequence[str]) -> set[str]:
    return {found[1] for word in words for found in _REFERENCE.finditer(word) if found[1]}


def filled(command: Command, variables: Mapping[str, Any]) -> Command:
    """The command as it is run. A variable that nobody gave is refused, whoever fires."""
    script = script_of(command.argv)
    for name in sorted(needed(command) - variables.keys()):
        message = f"the command names the variable `{name}`, and nobody gave it"
        raise Refused(message, code="undefined_variable", hint=f"pass `--var {name}=...`, or give it a value under `vars`")
    argv = tuple(_left(word) if at == script else _fill(word, variables) for at, word in enumerate(command.argv))
    env = {name: _fill(value, variables) if isinstance(value, str) else value for name, value in command.env.items()}
    if script is not None:
        env |= {name: written(variables[name]) for name in names_in([command.argv[script]]) & variables.keys()}
    return replace(command, argv=argv, env=env)


def needed(command: Command) -> set[str]:
    """The variables without which it cannot be run; what only a shell's script names may be empty."""
    script = script_of(command.argv)
    texts = [value for value in command.env.values() if isinstance(value, str)]
    return names_in([*(word for at, word in enumerate(command.argv) if at != script), *texts])


def script_of(argv: Sequence[str]) -> int | None:
    """Which word a shell will read as a script."""
    if posixpath.basename(argv[0]) not in _SHELLS:
        return None
    for at, word in enumerate(argv[1:-1], start=1):
        if _SCRIPT.fullmatch(word):
            return at + 1
        if not word.startswith(("-", "+")):
            return None
    return None


def _fill(word: str, variables: Mapping[str, Any]) -> str:
    return _REFERENCE.sub(lambda found: written(variables[found[1]]) if found[1] else "${", word)


def _left(script: str) -> str:
    """References for the shell to resolve, in its own spelling."""
    return _REFERENCE.sub(lambda found: f"${{{found[1]}}}" if found[1] else "${", script)


def written(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


# -- rules


def chosen(rules: Rules, variables: Mapping[str, Any], now: float) -> str | None:
    """The action of the first rule that applies."""
    at = datetime.fromtimestamp(now, ZoneInfo(rules.timezone))
    facts = {
        **variables,
        "minute": at.minute,
        "hour": at.hour,
        "day": at.day,
        "month": at.month,
        "weekday": WEEKDAYS[at.weekday()],
    }
    return next((rule.then for rule in rules.rules if all(_holds(facts.get(n), test) for n, test in rule.tests.items())), None)


TESTS: Final = ("below", "exceeds", "equals", "matches")


def _holds(fact: Any, test: Any) -> bool:
    if isinstance(test, Mapping):
        return all(_passes(fact, verb, wanted) for verb, wanted in test.items())
    if isinstance(test, list):
        return any(_passes(fact, "equals", wanted) for wanted in test)
    return _passes(fact, "equals", test)


def _passes(fact: Any, verb: str, wanted: Any) -> bool:
    """A fact that nobody knows passes no test."""
    if fact is None:
        return False
    if verb == "matches":
        return str(wanted) in written(fact)
    if verb == "equals":
        return written(fact) == written(wanted)
    try:
        number = float(fact)
    except (TypeError, ValueError):
        return False
    return bool(number < wanted if verb == "below" else number > wanted)
