"""A document becomes a plan, or every reason why not.

First the head, then the tasks and their steps; then names are resolved - who needs whom, over all copies of what is
repeated - and at last the plan is born, which checks what only the whole can show: cycles and rival writers.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from holdfast.core.errors import PlanError, Problem
from holdfast.core.plan import Plan, Policy, Stage, Step, Task
from holdfast.kinds.contract import Kind
from holdfast.planfile.arguments import fill, shape_of, sound
from holdfast.planfile.canonical import digest_of, encode
from holdfast.planfile.layout import LOCAL, MAIN, Names, PlanLayout, PolicyLayout
from holdfast.planfile.paths import Anchor
from holdfast.planfile.source import Source, Spot, meant
from holdfast.planfile.steps import StepReader
from holdfast.planfile.targets import BUILT_IN, read_targets
from holdfast.planfile.tasks import StageText, TaskReader, TaskText
from holdfast.planfile.variables import Allowance, Scope, Variables

STEPS_MAX: Final = 1_000_000

_PLAN: Final = shape_of(PlanLayout)
_POLICY: Final = shape_of(PolicyLayout)
_BELOW: Final = ("tasks", "stages", "steps")


class _Draft:
    """A task whose steps are read but whose needs are still as they were written."""

    __slots__ = ("copy", "needing", "own", "stages")

    def __init__(self, copy: TaskText) -> None:
        self.copy = copy
        self.stages: list[Stage] = []
        self.own: dict[str, str] = {}  # ids as written in this copy -> as they are
        self.needing = False  # some step has needs


def read(source: Source, anchor: Anchor, env: Mapping[str, str], *, literal: bool = False, document: bytes = b"") -> Plan:
    """The plan; `literal` when the source is a canonical document, whose bytes may be given along."""
    if not isinstance(source.value, dict):
        problem = Spot(source).problem("invalid_value", "a plan file is a mapping", "begin it with `holdfast: 1`")
        raise PlanError([*source.problems, problem])
    return _Reader(source, anchor, env, literal).plan(document)


class _Reader:
    def __init__(self, source: Source, anchor: Anchor, env: Mapping[str, str], literal: bool) -> None:
        self.raw: dict[str, Any] = source.value
        self.spot = Spot(source)
        self.found: list[Problem] = list(source.problems)
        self.literal = literal
        self.anchor = anchor
        declared = self.raw.get("vars")
        declared = declared if isinstance(declared, dict) and not literal else {}
        allowance = Allowance()
        variables = Variables(declared, env, self.spot.into("vars"), self.found, allowance)
        self.scope = Scope({"vars": variables, "env": env}, self.found, allowance)
        self.places: dict[str, Spot] = {}  # by step id; of two equal ids the later one
        self.tasks: set[str] = set()
        self.step_copies: dict[str, list[str]] = {}  # ids as written in repeated tasks -> as they are in each copy
        self.task_copies: dict[str, list[str]] = {}

    def plan(self, document: bytes) -> Plan:
        head = self._head()
        targets = self._targets(head)
        drafts = list(self._drafts(self._known_targets(), head.on))
        tasks = tuple(map(self._resolved, drafts))
        policy = head.policy.value if head.policy else Policy()
        if not self.found:
            document = document or encode(head.name, head.description, targets, policy, tasks)
        try:
            plan = Plan(
                name=head.name,
                tasks=tasks,
                description=head.description,
                targets=targets,
                policy=policy,
                document=document,
                digest=digest_of(document),
            )
        except PlanError as error:
            self.found += map(self._placed, error.problems)
        if self.found:
            raise PlanError(_distinct(self.found))
        return plan

    def _head(self) -> PlanLayout:
        raw = {key: value for key, value in self.raw.items() if key not in ("vars", *_BELOW)}
        given = raw if self.literal else self.scope.arguments(raw, self.spot)
        given |= {key: self.raw[key] for key in ("vars", *_BELOW) if key in self.raw}
        if "holdfast" not in given:
            self.found.append(self.spot.problem("missing_key", "`holdfast` is missing", "begin the file with `holdfast: 1`"))
            given["holdfast"] = 1
        layout = fill(_PLAN, given, self.spot, self.found)
        if layout is not None:
            if layout.policy is not None:
                sound(_POLICY, layout.policy, self.spot.into("policy"), self.found)
            return layout
        targets, on = given.get("targets"), given.get("on")  # what matters below, so that problems there are found as well
        return PlanLayout(
            holdfast=1,
            name="",
            targets={name: item for name, item in targets.items() if isinstance(item, dict)}
            if isinstance(targets, dict)
            else None,
            on=on if isinstance(on, (str, list)) else None,
        )

    def _targets(self, head: PlanLayout) -> dict[str, Any]:
        anchor = None if self.literal else self.anchor
        return read_targets(head.targets or {}, anchor, self.spot.into("targets"), self.found)

    def _known_targets(self) -> frozenset[str]:
        """A target that is declared wrongly is declared all the same."""
        declared = self.raw.get("targets")
        return frozenset((*BUILT_IN, *(declared if isinstance(declared, dict) else ())))

    # -- tasks and their steps

    def _drafts(self, targets: frozenset[str], on: Names | None) -> Iterator[_Draft]:
        reader = TaskReader(self.anchor, targets, self.found, literal=self.literal)
        steps = StepReader(self.anchor, targets, self.found, literal=self.literal)
        usual = reader.known(on, self.spot.into("on")) or [LOCAL]
        for task, spot in self._written():
            for copy in reader.copies(task, self.scope, spot, usual):
                if copy.name in self.tasks:
                    problem = spot.into("name").problem(
                        "duplicate_id", f"two tasks have the name `{copy.name}`", "give each task a name of its own"
                    )
                    self.found.append(problem)
                self.tasks.add(copy.name)
                self.task_copies.setdefault(copy.base, []).append(copy.name)
                yield self._draft(copy, steps)

    def _written(self) -> list[tuple[Any, Spot]]:
        """The tasks of the file; the short forms are one task."""
        tasks = self.raw.get("tasks")
        if isinstance(tasks, list):
            return [(task, self.spot.into("tasks", number)) for number, task in enumerate(tasks)]
        short = {key: self.raw[key] for key in ("stages", "steps") if isinstance(self.raw.get(key), list)}
        return [({"name": MAIN, **short}, self.spot)] if short else []

    def _draft(self, copy: TaskText, reader: StepReader) -> _Draft:
        draft = _Draft(copy)
        for text in copy.stages:
            if any(stage.name == text.name for stage in draft.stages):
                message = f"two stages of one task have the name `{text.name}`"
                self.found.append(text.spot.problem("duplicate_id", message, "give each stage a name of its own"))
            draft.stages.append(Stage(name=text.name, steps=tuple(self._steps(text, draft, reader))))
        return draft

    def _steps(self, text: StageText, draft: _Draft, reader: StepReader) -> Iterator[Step]:
        copy, places = draft.copy, self.places
        source, path = text.spot
        if len(places) + len(text.steps) > STEPS_MAX:
            raise PlanError([text.spot.problem("too_large", f"the plan has more than {STEPS_MAX:,} steps")])
        place = f"{copy.name}/{text.name}/"
        for number, raw in enumerate(text.steps):
            spot, known = Spot(source, (*path, number)), len(self.found)
            step = reader.read(raw, copy.scope, copy.target, f"{place}{number + 1}-", spot)
            if len(self.found) > known:
                self.found[known:] = [replace(problem, step=step.id) for problem in self.found[known:]]
            if copy.suffix and isinstance(raw, dict) and "id" in raw:
                step = self._suffixed(step, draft)
            if step.needs or _refs(step):
                draft.needing = True
            places[step.id] = spot
            yield step

    def _suffixed(self, step: Step, draft: _Draft) -> Step:
        """In a task that is repeated an id stands for one step in each copy."""
        copied = step.id + draft.copy.suffix
        draft.own[step.id] = copied
        self.step_copies.setdefault(step.id, []).append(copied)
        return replace(step, id=copied)

    # -- who needs whom

    def _resolved(self, draft: _Draft) -> Task:
        copy = draft.copy
        stages = draft.stages
        if draft.needing:
            stages = [replace(stage, steps=tuple(self._ordered(step, draft) for step in stage.steps)) for stage in stages]
        needs = self._names(copy.needs, {}, self.tasks, self.task_copies, copy.spot, "task")
        return Task(
            name=copy.name,
            stages=tuple(stages),
            target=copy.target,
            needs=needs,
            locks=tuple(copy.locks),
            shares=tuple(copy.shares),
            key=copy.key,
        )

    def _ordered(self, step: Step, draft: _Draft) -> Step:
        refs = _refs(step)
        if not step.needs and not refs:
            return step
        spot = self.places[step.id]
        named = {ref: self._names([ref], draft.own, self.places, self.step_copies, spot, "step") for ref in refs}
        if isinstance(step.operation, Kind) and any(names != (ref,) for ref, names in named.items()):
            step = replace(step, operation=step.operation.renamed(named))
        needs = self._names(step.needs, draft.own, self.places, self.step_copies, spot, "step")
        needs = tuple(dict.fromkeys((*needs, *(name for names in named.values() for name in names))))
        return step if needs == step.needs else replace(step, needs=needs)

    def _names(
        self,
        wanted: Sequence[str],
        own: Mapping[str, str],
        there: Container[str],
        copies: Mapping[str, list[str]],
        spot: Spot,
        what: str,
    ) -> tuple[str, ...]:
        """The names as they are: one of the same copy, one of the whole plan, or every copy of what is repeated."""
        found: dict[str, None] = {}
        for number, name in enumerate(wanted):
            if name in own:
                found[own[name]] = None
            elif name in there:
                found[name] = None
            elif name in copies:
                found |= dict.fromkeys(copies[name])
            else:
                hint = meant(name, [*self.places, *self.step_copies] if what == "step" else [*self.tasks, *self.task_copies])
                problem = spot.into("needs", number).problem("unknown_step", f"there is no {what} `{name}`", hint)
                self.found.append(problem)
        return tuple(found)

    def _placed(self, problem: Problem) -> Problem:
        """A problem of the whole plan, at the step it names."""
        spot = self.places.get(problem.step or "")
        return problem if spot is None else problem.at(spot.source.where(spot.path))


def _refs(step: Step) -> list[str]:
    """The steps that its arguments refer to."""
    operation = step.operation
    return list(dict.fromkeys(operation.refs())) if isinstance(operation, Kind) and operation.referring else []


def _distinct(problems: Iterable[Problem]) -> list[Problem]:
    """Each problem once, also where a task is repeated a hundred times; as they stand in the file."""
    distinct = {(problem.where, problem.code, problem.message): problem for problem in problems}
    return sorted(distinct.values(), key=_line_and_column)


def _line_and_column(problem: Problem) -> tuple[str, int, int]:
    match (problem.where or "").rsplit(":", 2):
        case [name, line, column] if line.isdecimal() and column.isdecimal():
            return name, int(line), int(column)
    return "", 0, 0
