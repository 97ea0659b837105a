"""The plan that cleans up what a scanner found: one task for each resource, so that one failure stops no other. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from holdfast.triggers.conditions import Finding
from holdfast.triggers.definitions import Cleanup

ATTIC: Final = "attic"  # the task that makes the directory of an archive


class Job(NamedTuple):
    """One resource, and what is done to it."""

    task: str
    resource: Finding
    steps: Sequence[Mapping[str, Any]]


def plan_name(scanner: str) -> str:
    return "scanner-" + re.sub(r"[^a-z0-9]+", "-", scanner.lower()).strip("-")


def job_of(number: int, resource: Finding, cleanup: Cleanup, taken: set[str], stamp: str) -> Job:
    """For a file. Where something of its name is in the archive already, the time is added to the name."""
    task = f"r{number}"
    path = path_of(resource)
    if cleanup.verb == "delete":
        return Job(task, resource, [{"remove": literal(path), "recursive": True, "id": task}])
    there = posixpath.join(cleanup.what, posixpath.basename(path))
    there = f"{there}.{stamp}" if there in taken else there
    return Job(task, resource, [{"move": literal(path), "to": literal(there), "id": task}])


def kept_run(number: int, resource: Finding, directory: str, document: str) -> Job:
    """For a run: what is known of it, as a file in the archive."""
    task = f"r{number}"
    path = kept_at(directory, resource)
    return Job(task, resource, [{"file": literal(path), "content": literal(document), "mode": "0600", "id": task}])


def kept_at(directory: str, resource: Finding) -> str:
    return posixpath.join(directory, f"{path_of(resource)}.json")


def document(scanner: str, cleanup: Cleanup, jobs: Sequence[Job]) -> Mapping[str, Any]:
    attic = [{"name": ATTIC, "steps": [{"dir": literal(cleanup.what), "parents": True, "id": ATTIC}]}]
    needs = {"needs": [ATTIC]} if cleanup.verb == "archive" else {}
    tasks = [{"name": job.task, "steps": list(job.steps), **needs} for job in jobs]
    return {
        "holdfast": 1,
        "name": plan_name(scanner),
        "policy": {"scope": "task", "on_failure": "continue"},
        "tasks": [*(attic if needs else []), *tasks],
    }


def path_of(resource: Finding) -> str:
    return resource.id.partition(":")[2]


def literal(text: str) -> str:
    return text.replace("${", "$${")
