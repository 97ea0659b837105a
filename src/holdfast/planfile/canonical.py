"""The bytes that a plan's digest covers: the plan as it was understood, as a plan file in canonical JSON.

Keys sorted, UTF-8, no spaces, defaults left out, every reference replaced and every path absolute; so one plan has
the same bytes whether it was written in YAML, JSON or TOML. Being a plan file, it reads back as the same plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from hashlib import sha256
from typing import Any

import msgspec

from holdfast.core.plan import ONCE, Policy, Retry, Stage, Step, Task
from holdfast.kinds.contract import Duration, Kind, Mode
from holdfast.planfile.arguments import shape_of
from holdfast.planfile.layout import LOCAL, VERSION


def encode(name: str, description: str, targets: Mapping[str, Any], policy: Policy, tasks: Sequence[Task]) -> bytes:
    document: dict[str, Any] = {"holdfast": VERSION, "name": name, "tasks": [_task(task) for task in tasks]}
    if description:
        document["description"] = description
    if targets:
        document["targets"] = targets
    if differing := _differing(policy, Policy()):
        document["policy"] = differing
    return escape(msgspec.json.encode(document, order="sorted", enc_hook=plain))


def digest_of(document: bytes) -> str:
    return "sha256:" + sha256(document).hexdigest()


def escape(document: bytes) -> bytes:
    """A `${` that is left in a plan is meant literally."""
    return document.replace(b"${", b"$${")


def unescape(document: bytes) -> bytes:
    return document.replace(b"$${", b"${")


def plain(value: Any) -> Any:
    """msgspec's hook for what the kinds' own types are written as."""
    if isinstance(value, Mode):
        return format(value, "04o")
    if isinstance(value, Duration):
        return float(value)
    raise NotImplementedError(f"no way to write a {type(value).__name__}")


def _task(task: Task) -> dict[str, Any]:
    found: dict[str, Any] = {"name": task.name, "stages": [_stage(stage, task) for stage in task.stages]}
    if task.target != LOCAL:
        found["on"] = task.target
    if task.needs:
        found["needs"] = task.needs
    if task.locks or task.shares:
        found["locks"] = [*task.locks, *(share._asdict() for share in task.shares)]
    if task.key is not None:
        found["tenant"] = task.key
    return found


def _stage(stage: Stage, task: Task) -> dict[str, Any]:
    place = f"{task.name}/{stage.name}/"
    return {"name": stage.name, "steps": [_step(step, f"{place}{n}-", task.target) for n, step in enumerate(stage.steps, 1)]}


def _step(step: Step, place: str, target: str) -> dict[str, Any]:
    operation = step.operation
    assert isinstance(operation, Kind)  # it was read from a file, or stands in for one that could not be
    main = shape_of(type(operation)).main
    found: dict[str, Any] = msgspec.to_builtins(operation, enc_hook=plain)
    found[step.kind] = found.pop(main, None)  # None: it has its default
    if step.id != place + step.kind:
        found["id"] = step.id
    if step.target != target:
        found["on"] = step.target
    if step.needs:
        found["needs"] = step.needs
    if step.timeout is not None:
        found["timeout"] = step.timeout
    if step.retry is not ONCE:
        found |= {"retry": differing} if (differing := _differing(step.retry, ONCE)) else {}
    if step.irreversible:
        found["irreversible"] = True
    if step.note:
        found["note"] = step.note
    return found


def _differing(value: Policy | Retry, default: Policy | Retry) -> dict[str, Any]:
    both = ((field.name, getattr(value, field.name), getattr(default, field.name)) for field in fields(value))
    return {name: mine for name, mine, usual in both if mine != usual}
