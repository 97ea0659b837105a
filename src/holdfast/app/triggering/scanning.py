"""One scan: find resources, and clean up those whose condition holds.

Each is looked at again immediately before anything is done to it, and left alone when its condition does not hold any
more, when it is protected or in use. Files and archives go through the engine: what is removed is kept as a
before-image, can be rolled back like any run, and is exactly what was looked at, or is not touched.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from holdfast.app.engine import Engine, Options
from holdfast.app.keeping import retention
from holdfast.app.looking import runs
from holdfast.app.triggering.firing import Firing
from holdfast.core.errors import HoldfastError, PlanError, Problem, WorldError
from holdfast.core.events import Event
from holdfast.core.times import iso
from holdfast.planfile import parse
from holdfast.planfile.marks import is_unicode
from holdfast.triggers import cleaning
from holdfast.triggers.cleaning import Job
from holdfast.triggers.conditions import Finding, is_protected, matches
from holdfast.triggers.definitions import Scanner
from holdfast.triggers.sources import Sources, found_files

GONE: Final = "its condition does not hold any more"


@dataclass(slots=True)
class Scan:
    """What one scan found and did."""

    scanner: Scanner
    matched: list[Finding] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)  # by id: why nothing was done
    done: dict[str, str | None] = field(default_factory=dict)  # by id: the error, or None
    more: int = 0  # that wait for the next scan
    error: str | None = None

    def plain(self) -> dict[str, Any]:
        return {
            "matches": [self._row(resource) for resource in self.matched],
            "cleaned": sum(error is None for error in self.done.values()),
            "failed": sum(error is not None for error in self.done.values()),
            "more": self.more,
            "error": self.error,
        }

    def _row(self, resource: Finding) -> dict[str, Any]:
        verb = self.scanner.cleanup.verb
        row = {**resource.plain(), "action": self.scanner.cleanup.what if verb == "action" else verb}
        if resource.id in self.left:
            return {**row, "skipped": self.left[resource.id]}
        if resource.id in self.done:
            return {**row, "success": self.done[resource.id] is None, "error": self.done[resource.id]}
        return row


class Scanning:
    def __init__(self, engine: Engine, sources: Sources, firing: Firing) -> None:
        self._engine = engine
        self._sources = sources
        self._firing = firing

    async def scan(self, scanner: Scanner, *, dry_run: bool = False) -> Scan:
        """With `dry_run` it only lists what it would do."""
        scan = Scan(scanner)
        try:
            await self._find(scan)
        except WorldError as error:
            scan.error = error.message
            if not dry_run:
                self._tell("trigger.skipped", name=scanner.name, why=error.message)
            return scan
        todo = [resource for resource in scan.matched if resource.id not in scan.left]
        if todo and not dry_run:
            self._tell("trigger.fired", name=scanner.name, action_id=self._verb(scanner), count=len(todo), state=None)
            await self._clean(scan, todo)
        return scan

    async def _find(self, scan: Scan) -> None:
        """The oldest first, and no more than one scan may take."""
        scanner = scan.scanner
        found = await self._sources.resources(scanner.source)
        hits = [each for each in found if matches(scanner.condition, each) and self._is_wanted(scanner, each)]
        hits.sort(key=lambda each: -(each.age or 0.0))
        free = [each for each in hits if each.in_use is None]
        scan.more = max(0, len(free) - scanner.max_per_scan)
        late = {each.id for each in free[scanner.max_per_scan :]}
        scan.matched = [each for each in hits if each.id not in late]
        scan.left = {each.id: each.in_use for each in hits if each.in_use is not None}

    def _is_wanted(self, scanner: Scanner, found: Finding) -> bool:
        """Neither protected, nor done already, nor what the clean-up itself stands on."""
        if is_protected(found, scanner.protect):
            return False
        name = cleaning.path_of(found)
        if scanner.source.type == "files":
            grounds = [self._engine.parts.home.path, *([scanner.cleanup.what] if scanner.cleanup.verb == "archive" else [])]
            return not any(_touch(name, ground) for ground in grounds)
        if scanner.source.type == "runs" and scanner.cleanup.verb == "release":
            return runs.holds(self._engine.run_row(name))
        if scanner.source.type == "runs" and scanner.cleanup.verb == "archive":
            own = found.facts.get("source") == f"scanner:{scanner.name}"
            return not own and not os.path.lexists(cleaning.kept_at(scanner.cleanup.what, found))
        return True

    async def _clean(self, scan: Scan, todo: Sequence[Finding]) -> None:
        scanner = scan.scanner
        through_engine = scanner.cleanup.verb == "archive" or (scanner.source.type, scanner.cleanup.verb) == ("files", "delete")
        async for resource, error in self._applied(scan, todo) if through_engine else self._each(scan, todo):
            scan.done[resource.id] = error
            verb = self._verb(scanner)
            facts = {"resource_id": resource.id, "action": verb, "success": error is None, "error": error}
            self._tell("cleanup.executed", scanner_id=scanner.name, **facts)

    def _verb(self, scanner: Scanner) -> str:
        return scanner.cleanup.what if scanner.cleanup.verb == "action" else scanner.cleanup.verb

    def _tell(self, type_: str, **data: Any) -> None:
        self._engine.journal.append(None, [Event(type_, data)], at=self._engine.clock.now())

    def _leave(self, scan: Scan, resource: Finding, why: str) -> None:
        scan.left[resource.id] = why
        self._tell("trigger.skipped", name=scan.scanner.name, why=f"{resource.id}: {why}")

    # -- one after the other: releases and actions

    async def _each(self, scan: Scan, todo: Sequence[Finding]) -> AsyncIterator[tuple[Finding, str | None]]:
        for resource in todo:
            try:
                again = await self._again(scan.scanner, resource)
                if again is None:
                    self._leave(scan, resource, GONE)
                    continue
                yield again, await self._release_or_fire(scan.scanner, again)
            except HoldfastError as error:
                yield resource, error.message

    async def _again(self, scanner: Scanner, resource: Finding) -> Finding | None:
        """The same resource as it is now, if its condition still holds and nobody uses it."""
        found = await self._sources.resources(scanner.source)
        again = next((each for each in found if each.id == resource.id), None)
        return again if again is not None and again.in_use is None and matches(scanner.condition, again) else None

    async def _release_or_fire(self, scanner: Scanner, resource: Finding) -> str | None:
        """Why it failed."""
        name = cleaning.path_of(resource)
        if scanner.cleanup.verb == "action":
            source = f"scanner:{scanner.name}:{resource.id}"
            facts = {**resource.facts, "resource": resource.id, "trigger": scanner.name}
            fired = await self._firing.fire(scanner.cleanup.what, source=source, facts=facts)
            return None if fired.execution.success else fired.execution.error or "it failed"
        if scanner.source.type == "locks":
            broken = self._engine.journal.break_lock(name, at=self._engine.clock.now())
            return None if broken is not None else "the lock was released meanwhile"
        row = self._engine.run_row(name)
        if not runs.holds(row):
            return None
        gone = await self._engine.use(retention.letting_go(self._engine.parts, row))
        return None if gone else "what it holds cannot be let go of now"

    # -- in one run: files, and archives of runs

    async def _applied(self, scan: Scan, todo: Sequence[Finding]) -> AsyncIterator[tuple[Finding, str | None]]:
        jobs = []
        for number, resource in enumerate(todo, start=1):
            try:
                jobs.append(self._job(scan.scanner, number, resource))
            except HoldfastError as error:
                yield resource, error.message
        async for found in self._carried_out(scan, jobs):
            yield found

    def _job(self, scanner: Scanner, number: int, resource: Finding) -> Job:
        cleanup = scanner.cleanup
        if not is_unicode(resource.id):
            raise WorldError("its name is not UTF-8, so no plan can name it", code="unsupported")
        if scanner.source.type == "runs":
            found = self._engine.show(cleaning.path_of(resource)).plain()
            events = list(self._engine.event_documents(cleaning.path_of(resource)))
            return cleaning.kept_run(number, resource, cleanup.what, json.dumps({**found, "events": events}, indent=1) + "\n")
        stamp = "".join(char for char in (iso(self._engine.clock.now()) or "")[:19] if char.isdigit())
        there = os.path.join(cleanup.what, os.path.basename(cleaning.path_of(resource)))
        taken = {there} if cleanup.what and os.path.lexists(there) else set()
        return cleaning.job_of(number, resource, cleanup, taken, stamp)

    async def _carried_out(self, scan: Scan, jobs: list[Job]) -> AsyncIterator[tuple[Finding, str | None]]:
        """What cannot be done is taken out, until the rest can; then everything is looked at once more, and applied."""
        source = f"scanner:{scan.scanner.name}"
        while jobs:
            document = cleaning.document(scan.scanner.name, scan.scanner.cleanup, jobs)
            try:
                preview = await self._engine.plan(parse(document, name=scan.scanner.name, base="/", env={}))
                problems: Sequence[Problem] = preview.problems
            except PlanError as error:
                problems = error.problems
            except HoldfastError as error:
                problems = [Problem(code=error.code, message=error.message)]
            unfit = _unfit(jobs, problems)
            gone = [] if problems else [job for job in jobs if not self._still(scan.scanner, job.resource)]
            for job, why in unfit:
                yield job.resource, why
            for job in gone:
                self._leave(scan, job.resource, GONE)
            if not unfit and not gone:
                break
            out = {job.task for job, _ in unfit} | {job.task for job in gone}
            jobs = [job for job in jobs if job.task not in out]
        else:
            return
        result = await self._engine.apply(preview, Options(source=source))
        finished = {task["name"] for task in result.tasks if task["state"] == "completed"}
        errors = {error["step"]: error["message"] for error in result.errors}
        for job in jobs:
            why = errors.get(job.task) or f"the run {result.run} ended {result.ending}"
            yield job.resource, None if job.task in finished else why

    def _still(self, scanner: Scanner, resource: Finding) -> bool:
        if scanner.source.type != "files":
            return True  # a run that ended stays as it is
        path = cleaning.path_of(resource)
        found = next(iter(found_files(glob_of(path), self._engine.clock.now())), None)
        return found is not None and matches(scanner.condition, found)


def _touch(path: str, ground: str) -> bool:
    """Is one of them inside the other?"""
    return f"{path}/".startswith(f"{ground}/") or f"{ground}/".startswith(f"{path}/")


def glob_of(path: str) -> str:
    """The pattern that only this path fits."""
    import glob

    return glob.escape(path)


def _unfit(jobs: Sequence[Job], problems: Sequence[Problem]) -> list[tuple[Job, str]]:
    """Whose step has a problem; when nobody's, it is everybody's."""
    by_step = {problem.step: problem.message for problem in problems}
    named = [(job, by_step[job.task]) for job in jobs if job.task in by_step]
    if problems and not named:
        return [(job, problems[0].message) for job in jobs]
    return named
