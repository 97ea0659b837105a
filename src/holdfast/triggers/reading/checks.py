"""What is checked in the same way wherever it stands in triggers.yaml."""

from __future__ import annotations

from collections.abc import Set
from typing import Final

from holdfast.kinds.contract import Secret
from holdfast.kinds.running import Words, flaws_of_env, flaws_of_words
from holdfast.planfile.layout import Names, listed
from holdfast.planfile.source import meant
from holdfast.triggers import cron
from holdfast.triggers.actions import needed
from holdfast.triggers.definitions import Command
from holdfast.triggers.reading.place import Check, Place

INTERVAL_S_MIN: Final = 0.1


def fires(gives: Set[str] | None = None) -> Check:
    """The name of an action; where it is known which variables it gets, those it needs must be among them."""

    def check(name: str, place: Place) -> None:
        known = place.sections["actions"]
        if name not in known:
            hint = meant(name, known) or "declare it under `actions`"
            place.problem(f"there is no action `{name}`", hint, "unknown_action")
        if gives is not None:
            _check_given(name, gives, place)

    return check


def _check_given(name: str, gives: Set[str], place: Place) -> None:
    action = place.actions.get(name)
    if action is None or not isinstance(action.does, Command):
        return
    for missing in sorted(needed(action.does) - gives - action.variables.keys()):
        message = f"`{name}` needs the variable `{missing}`, which `{place.spot.path[1]}` does not give"
        place.problem(message, f"give it a value: `vars: {{{missing}: ...}}`", "undefined_variable")


def words(given: Words, place: Place) -> None:
    place.flaws(flaws_of_words("command", given))


def env(given: dict[str, str | Secret], place: Place) -> None:
    place.flaws(flaws_of_env(given))


def zone(name: str, place: Place) -> None:
    flaw = cron.zone_flaw(name)
    if flaw:
        place.problem(*flaw)


def interval(seconds: float, place: Place) -> None:
    if seconds < INTERVAL_S_MIN:
        place.problem("nobody can look that often", "write 100ms or more")


def patterns(names: Names, place: Place) -> None:
    for pattern in listed(names):
        if not pattern or "*" in pattern[:-1]:
            place.problem(f"`{pattern}` is no pattern of events", "write a type, or its beginning: run.committed, task.*")
