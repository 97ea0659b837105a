"""triggers.yaml becomes definitions, or every problem with its place and a hint. Nothing is executed, nothing looked at."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec

from holdfast.core.errors import CODES, PlanError, Problem
from holdfast.planfile.arguments import fill, shape_of
from holdfast.planfile.source import Source as Text
from holdfast.planfile.source import Spot
from holdfast.triggers.definitions import Triggers
from holdfast.triggers.layout import FileLayout, TriggerName
from holdfast.triggers.reading import actions, cron, scanners, watchers
from holdfast.triggers.reading.place import Place, Section

NAME: Final = "triggers.yaml"
TRIGGERS: Final[Mapping[str, Section]] = {
    "cron": cron.SECTION,
    "watchers": watchers.SECTION,
    "scanners": scanners.SECTION,
}
_ALLOWED: Final = "docs/reference/triggers.md tells what may stand there"  # `holdfast schema` tells it of plans only


def load(path: str | os.PathLike[str], *, home: str | None = None) -> Triggers:
    """The definitions in a file. Raises PlanError with all problems."""
    name = os.fspath(path)
    absolute = os.path.abspath(name)
    return _triggers(Text.of_file(name), absolute, os.path.dirname(absolute), home)


def parse(text: str, *, base: str, name: str = "<text>") -> Triggers:
    return _triggers(Text.of_text(text, "yaml", name), name, base, None)


def _triggers(text: Text, path: str, base: str, home: str | None) -> Triggers:
    found = list(text.problems)
    given = _sections(text, found)
    place = Place(spot=Spot(text), base=base, home=home, sections=given, actions={}, found=found)
    _check_names(place)
    actions.check_circles(given["actions"], place)
    place = place._replace(actions=dict(_made("actions", actions.SECTION, place)))
    triggers = {name: made for key, section in TRIGGERS.items() for name, made in _made(key, section, place)}
    if found:
        raise PlanError(sorted(map(_hinted, dict.fromkeys(found)), key=_where))
    return Triggers(path, place.actions, triggers)


def _sections(text: Text, found: list[Problem]) -> dict[str, dict[str, Any]]:
    """What is written in each section, as far as it can be looked into."""
    raw = text.value
    if isinstance(raw, dict):
        fill(shape_of(FileLayout), raw, Spot(text), found)
    else:
        found.append(Spot(text).problem("invalid_value", "a file of triggers is a mapping", "begin it with `holdfast: 1`"))
        raw = {}
    return {key: raw[key] if isinstance(raw.get(key), dict) else {} for key in ("actions", *TRIGGERS)}


def _made(key: str, section: Section, place: Place) -> Iterator[tuple[str, Any]]:
    for name, raw in place.sections[key].items():
        inside = place.into(key, name)
        given = inside.read(section.layout, raw, section.checks)
        if given is not None:
            yield name, section.make(name, given, inside)


def _check_names(place: Place) -> None:
    seen: dict[str, str] = {}
    for section, names in place.sections.items():
        for name in names:
            inside = place.into(section, name)
            try:
                msgspec.convert(name, TriggerName)
            except msgspec.ValidationError:
                inside.problem(f"`{name}` is no name", "use letters, digits and `_.-`", key=True)
            if section in TRIGGERS and seen.setdefault(name, section) != section:
                hint = "`trigger enable NAME` must mean one of them"
                inside.problem(f"`{name}` is under `{seen[name]}` already", hint, "duplicate_id", key=True)


def _hinted(problem: Problem) -> Problem:
    general = problem.code == "invalid_value" and problem.hint == CODES[problem.code].hint
    return replace(problem, hint=_ALLOWED) if general else problem


def _where(problem: Problem) -> tuple[str, int, int]:
    match (problem.where or "").rsplit(":", 2):
        case [name, line, column] if line.isdecimal() and column.isdecimal():
            return name, int(line), int(column)
    return "", 0, 0
