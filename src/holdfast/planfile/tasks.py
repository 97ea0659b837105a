"""Tasks as they are written become tasks as they run: one for each entry of `each` and each target of `on`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from holdfast.core.errors import PlanError, Problem
from holdfast.core.shares import Share
from holdfast.planfile.arguments import fill, shape_of
from holdfast.planfile.layout import MAIN, NAME_PATTERN, EachFile, StageLayout, TaskLayout, listed
from holdfast.planfile.paths import Anchor
from holdfast.planfile.source import Source, Spot, meant
from holdfast.planfile.variables import BROKEN, Scope

_TASK: Final = shape_of(TaskLayout)
_STAGE: Final = shape_of(StageLayout)
_EACH: Final = shape_of(EachFile)
_BELOW: Final = ("stages", "steps")  # read later, step by step
_KEY: Final = re.compile(NAME_PATTERN)
_ANOTHER_KEY: Final = "give each entry a key of its own, or choose another field with `key`"


class StageText(NamedTuple):
    name: str
    steps: Sequence[Any]
    spot: Spot  # of the list of steps


class TaskText(NamedTuple):
    """One task as it will run, its steps not yet read."""

    name: str
    base: str  # its name in the file
    suffix: str  # what tells it from the other copies: "@KEY"; empty for a task that is not repeated
    target: str
    needs: Sequence[str]
    locks: Sequence[str]
    shares: Sequence[Share]
    key: str | None
    stages: Sequence[StageText]
    scope: Scope
    spot: Spot


class Repetition(NamedTuple):
    """One repetition of a task: its fields, and the key that tells it from the others."""

    key: str | None = None
    fields: Mapping[str, Any] | None = None


class TaskReader:
    def __init__(self, anchor: Anchor, targets: frozenset[str], found: list[Problem], *, literal: bool) -> None:
        self.anchor = anchor
        self.targets = targets
        self.found = found
        self.literal = literal  # everything is expanded already

    def copies(self, raw: Any, scope: Scope, spot: Spot, usual: Sequence[str]) -> Iterator[TaskText]:
        """The tasks that one entry of `tasks` stands for; `usual` are the targets of a task that names none."""
        if not isinstance(raw, dict):
            self.found.append(spot.problem("invalid_value", "a task is a mapping with a `name` and `stages`"))
            return
        for entry in self._entries(raw, scope, spot):
            inner = scope if entry.fields is None else scope.within(each=entry.fields)
            targets = self.known(self._expanded(raw.get("on"), inner, spot.into("on")), spot.into("on")) or usual
            for target in targets:
                suffix = f"@{entry.key}" if entry.key is not None else ""
                suffix += f"@{target}" if len(targets) > 1 else ""
                yield self._copy(raw, entry, suffix, target, inner.within(target={"name": target}), spot)

    def known(self, names: Any, spot: Spot) -> list[str]:
        """The targets among the names; what is no name at all is found when the whole is checked."""
        if not isinstance(names, (str, list)):
            return []
        wanted = [name for name in listed(names) if isinstance(name, str)]
        for name in wanted:
            if name not in self.targets:
                self.found.append(spot.problem("unknown_target", f"there is no target `{name}`", meant(name, self.targets)))
        return [name for name in wanted if name in self.targets]

    def _copy(self, raw: dict[str, Any], entry: Repetition, suffix: str, target: str, scope: Scope, spot: Spot) -> TaskText:
        head = {key: value for key, value in raw.items() if key not in _BELOW and key != "each"}
        given = self._arguments(head, scope, spot) | {key: raw[key] for key in _BELOW if key in raw}
        task = fill(_TASK, given, spot, self.found)
        stages = self._stages(raw, scope, spot)
        if task is None:
            name = given.get("name")
            base = name if isinstance(name, str) else MAIN
            return TaskText(base + suffix, base, suffix, target, (), (), (), entry.key, stages, scope, spot)
        key = task.tenant if entry.key is None else entry.key
        needs = listed(task.needs)
        return TaskText(task.name + suffix, task.name, suffix, target, needs, task.keys, task.shares, key, stages, scope, spot)

    def _stages(self, raw: Mapping[str, Any], scope: Scope, spot: Spot) -> list[StageText]:
        stages, steps = raw.get("stages"), raw.get("steps")
        if isinstance(stages, list):
            found = (self._stage(stage, scope, spot.into("stages", number)) for number, stage in enumerate(stages))
            return [stage for stage in found if stage is not None]
        return [StageText(MAIN, steps, spot.into("steps"))] if isinstance(steps, list) else []

    def _stage(self, raw: Any, scope: Scope, spot: Spot) -> StageText | None:
        if not isinstance(raw, dict):
            self.found.append(spot.problem("invalid_value", "a stage is a mapping with a `name` and `steps`"))
            return None
        head = {key: value for key, value in raw.items() if key != "steps"}
        given = self._arguments(head, scope, spot)
        if "steps" in raw:
            given["steps"] = raw["steps"]
        stage = fill(_STAGE, given, spot, self.found)
        steps = raw.get("steps")
        return StageText(MAIN if stage is None else stage.name, steps if isinstance(steps, list) else [], spot.into("steps"))

    # -- each

    def _entries(self, raw: Mapping[str, Any], scope: Scope, spot: Spot) -> list[Repetition]:
        each = self._expanded(raw.get("each"), scope, spot.into("each"))
        if each is None:
            if "key" in raw:
                problem = spot.into("key").problem(
                    "invalid_value", "`key` says which field of `each` is the key, and there is none"
                )
                self.found.append(problem)
            return [Repetition()]
        inside = spot.into("each")
        if isinstance(each, dict):
            inside, each = self._from_file(each, inside)
        if each is BROKEN:
            return []
        if not isinstance(each, list) or not all(isinstance(fields, dict) and fields for fields in each):
            self.found.append(inside.problem("invalid_value", "`each` is a list of mappings, or `{file: PATH}` of one"))
            return []
        return self._keyed(each, raw.get("key"), inside)

    def _from_file(self, each: Mapping[str, Any], spot: Spot) -> tuple[Spot, Any]:
        named = fill(_EACH, each, spot, self.found)
        if named is None:
            return spot, BROKEN
        if self.anchor.base is None:
            self.found.append(
                spot.problem("unsupported", "a plan without a file reads no other files", "write the entries here")
            )
            return spot, BROKEN
        path = self.anchor.place(named.file)
        if not isinstance(path, str):
            self.found.append(spot.into("file").problem(path.code, path.message, path.hint))
            return spot, BROKEN
        try:
            source = Source.of_file(path)
        except PlanError as error:
            here = spot.into("file")
            self.found += [problem if problem.where else problem.at(here.source.where(here.path)) for problem in error.problems]
            return spot, BROKEN
        self.found += source.problems
        return Spot(source), source.value

    def _keyed(self, each: list[dict[str, Any]], field: Any, spot: Spot) -> list[Repetition]:
        name = field if isinstance(field, str) else next(iter(each[0]), "") if each else ""
        entries: dict[str, Repetition] = {}
        for number, fields in enumerate(each):
            inside = spot.into(number)
            if name not in fields:
                self.found.append(inside.problem("missing_key", f"the entry has no `{name}`, which is the key of this task"))
                continue
            key = fields[name]
            text = str(key) if isinstance(key, (str, int)) and not isinstance(key, bool) else ""
            if not _KEY.search(text):
                hint = "a key names a task: letters, digits and `_.:@+-`; choose another field with `key`"
                self.found.append(inside.into(name).problem("invalid_value", f"`{key}` cannot be the key of a task", hint))
            elif text in entries:
                self.found.append(inside.into(name).problem("duplicate_id", f"two entries have the key `{text}`", _ANOTHER_KEY))
            else:
                entries[text] = Repetition(text, fields)
        return list(entries.values())

    def _expanded(self, value: Any, scope: Scope, spot: Spot) -> Any:
        return value if self.literal else scope.expand(value, spot)

    def _arguments(self, raw: Mapping[str, Any], scope: Scope, spot: Spot) -> dict[str, Any]:
        return dict(raw) if self.literal else scope.arguments(raw, spot)
