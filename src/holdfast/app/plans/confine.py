"""What a plan may reach that does not come from a file of the person who applies it: over the API, over MCP.

Paths are absolute and, where roots are declared, beneath one of them; the driver of local files holds to that again when
it opens them. What no root can confine - a program on this machine - is refused then, unless it is allowed. Nothing of
this machine's environment is read into such a plan.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from holdfast.app.references import references_of
from holdfast.core.change import Depth
from holdfast.core.errors import PlanError, Problem
from holdfast.core.plan import Operation, Plan, Step
from holdfast.kinds.config import Config
from holdfast.kinds.health import Health, is_address
from holdfast.kinds.http import Http
from holdfast.kinds.running import Running
from holdfast.planfile import Format, parse

LOOKING: Final = frozenset({"GET", "HEAD"})
_ELSEWHERE: Final = frozenset({"ssh", "memory"})  # types of targets whose health commands do not run on this machine
_PROGRAMS: Final = frozenset({"process", "probe"})  # families whose claims name programs, which no root confines
_FILES_OF_TARGETS: Final = ("key", "known_hosts", "config", "ca")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    roots: tuple[str, ...] = ()  # absolute; none: local paths are not confined
    local_programs: bool = True  # may programs run on this machine?
    private: tuple[str, ...] = ()  # what is nobody's business: the state directory, with its keys and tokens
    looking: bool = False  # what a preview does by itself must change nothing: no `check` is run, nothing is asked but by GET

    @classmethod
    def of(cls, roots: tuple[str, ...] = (), *, local_programs: bool = False, looking: bool = False) -> Self:
        """As people declare them; where nothing is confined, neither are programs."""
        named = [os.path.abspath(os.path.expanduser(root)) for root in roots]
        places = dict.fromkeys([*named, *map(os.path.realpath, named)])  # a root that is a link, and where it leads
        return cls(roots=tuple(places), local_programs=local_programs or not roots, looking=looking)

    def read(self, plan: str | Mapping[str, Any], format: Format = "yaml", *, name: str = "<plan>") -> Plan:
        """The plan in a text or a document. Raises PlanError with all problems, also those of what is out of bounds."""
        found = parse(plan, format=format, name=name, env={}, roots=self.roots or None)
        self.check(found)
        return found

    def check(self, plan: Plan) -> None:
        """A plan that was read before: the bounds may have become narrower since."""
        problems = [*self._out_of_roots(plan), *self._private(plan), *self._programs(plan), *self._restless(plan)]
        if problems:
            raise PlanError(problems)

    def _out_of_roots(self, plan: Plan) -> Iterator[Problem]:
        if not self.roots:
            return
        for step in plan.steps:
            if step.operation.family not in _PROGRAMS:
                yield from (self._outside(key, step.id) for key in _local_keys(step) if not self._holds(key))
        roots = [os.path.realpath(root) for root in self.roots]
        for path in (*_secret_files(plan), *_files_of_targets(plan)):
            if not _lies_in(os.path.realpath(os.path.expanduser(path)), roots):
                yield self._outside(path, None)

    def _holds(self, path: str) -> bool:
        return _lies_in(path, self.roots)

    def _outside(self, path: str, step: str | None) -> Problem:
        roots = ", ".join(f"`{root}`" for root in self.roots)
        message = f"`{path}` is outside of what may be touched"
        return Problem(code="outside_root", message=message, hint=f"use a path beneath {roots}", step=step)

    def _private(self, plan: Plan) -> Iterator[Problem]:
        if not self.private:
            return
        kept = [os.path.realpath(place) for place in self.private]
        named = [(None, path, False) for path in (*_secret_files(plan), *_files_of_targets(plan))]
        reached = [(step.id, *reach) for step in plan.steps for reach in _reaches(step)]
        for name, path, beneath in [*reached, *named]:
            real = os.path.realpath(os.path.expanduser(path))
            if _lies_in(real, kept) or (beneath and any(_lies_in(place, [real]) for place in kept)):
                message, hint = f"`{path}` reaches what this server keeps for itself", "leave its state directory alone"
                yield Problem(code="outside_root", message=message, hint=hint, step=name)

    def _programs(self, plan: Plan) -> Iterator[Problem]:
        if self.local_programs:
            return
        hint = "run it on a host, or have this server started with --allow-local-commands"
        for step in plan.steps:
            if _runs_here(plan, step):
                message = f"`{step.kind}` would run a program on this machine, where only the declared roots may be touched"
                yield Problem(code="outside_root", message=message, hint=hint, step=step.id)
        for name, declared in plan.targets.items():
            if declared.get("config", "none") != "none":  # it may name programs that are run to get to a host
                yield Problem(code="outside_root", message=f"the target `{name}` names an ssh_config of its own", hint=hint)

    def _restless(self, plan: Plan) -> Iterator[Problem]:
        if not self.looking:
            return
        hint = "leave it out: a preview must do no more than look"
        for step in plan.steps:
            operation = step.operation
            if isinstance(operation, Running) and operation.check is not None:
                yield Problem(code="unsupported", message="a `check` runs when a plan is previewed", hint=hint, step=step.id)
            asked = _asked(operation)
            if asked is not None and asked.upper() not in LOOKING:
                message = f"a preview would ask by {asked}, which may change something"
                yield Problem(code="unsupported", message=message, hint=hint, step=step.id)
        for name, declared in plan.targets.items():
            if declared.get("config", "none") != "none":
                message = f"the ssh_config of the target `{name}` may name programs, which a preview would run"
                yield Problem(code="unsupported", message=message, hint=hint)


def _lies_in(path: str, roots: Sequence[str]) -> bool:
    return any(path == root or path.startswith(root.rstrip("/") + "/") for root in roots)


def _local_keys(step: Step) -> set[str]:
    return {key for key, _ in _reaches(step)}


def _reaches(step: Step) -> set[tuple[str, bool]]:
    """Paths of this machine that a step writes, or whose contents it reads, and whether what is beneath them as well.

    That something is above them is no secret.
    """
    claims = (claim for claim in step.operation.claims() if (claim.target or step.target) == "local")
    touched = (claim for claim in claims if (claim.writes and not claim.shared) or claim.depth is not Depth.NODE)
    return {(claim.key, claim.beneath) for claim in touched if claim.key.startswith("/")}


def _runs_here(plan: Plan, step: Step) -> bool:
    operation = step.operation
    if isinstance(operation, Health):
        elsewhere = step.target == "memory" or not _ELSEWHERE.isdisjoint(plan.targets.get(step.target, {}))
        return not elsewhere and any(not is_address(probe) for probe in operation.probes)
    return step.target == "local" and operation.family == "process"


def _asked(operation: Operation) -> str | None:
    """By which method a service is asked while a plan is only previewed."""
    if isinstance(operation, Config):
        return operation.read
    return operation.rest.asked("read")[0] if isinstance(operation, Http) else None


def _secret_files(plan: Plan) -> Iterator[str]:
    return (name.removeprefix("file:") for name in references_of(plan) if name.startswith("file:"))


def _files_of_targets(plan: Plan) -> Iterator[str]:
    for declared in plan.targets.values():
        if "ssh" in declared or "opnsense" in declared:
            named = (declared[field] for field in _FILES_OF_TARGETS if field in declared)
            yield from (path for path in named if isinstance(path, str) and path.startswith(("/", "~")))
