"""What a plan would do: the fold of its operations over the inspected world, told to people and saved for later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from holdfast.app.plans.cautions import warnings
from holdfast.core.change import Action, Change, Depth, Guarantee, Look, Resource, State
from holdfast.core.errors import PlanError, Problem
from holdfast.core.plan import Plan, Step
from holdfast.core.predict import Seen
from holdfast.kinds.contract import Kind
from holdfast.kinds.states import parse_state
from holdfast.runtime.book import entries_from, entries_of
from holdfast.runtime.fleet import Fleet, Together, inspect
from holdfast.runtime.prepare import Prepared

SAVED_FORMAT: Final = 1


@dataclass(frozen=True)
class Preview:
    """A plan and what it was predicted to do. Nothing was touched."""

    plan: Plan
    digest: str  # of the plan and of the contents it refers to: what a reviewer pins
    prepared: Prepared

    @property
    def problems(self) -> Sequence[Problem]:
        return no_step(self.plan) or self.prepared.prediction.problems

    @cached_property
    def changes(self) -> Sequence[Mapping[str, Any]]:
        """One document per change, in the order of the plan."""
        return [
            told(self.plan.steps[number], change)
            for number, changes in enumerate(self.prepared.prediction.changes)
            for change in changes
        ]

    @property
    def differences(self) -> Sequence[Mapping[str, Any]]:
        """Those of the changes that would change anything."""
        return [change for change in self.changes if change["action"] != Action.NONE.value]

    @property
    def pending(self) -> bool:
        return any(change.changes for changes in self.prepared.prediction.changes for change in changes)

    @cached_property
    def irreversible(self) -> Sequence[str]:
        """The steps that could not be undone."""
        prediction = self.prepared.prediction
        return [
            step.id
            for number, step in enumerate(self.plan.steps)
            if prediction.changes[number] and prediction.guarantee(number) is Guarantee.IRREVERSIBLE
        ]

    def reversed_changes(self) -> Sequence[Mapping[str, Any]]:
        """What undoing the plan would do, in the order in which it would be done."""
        return [
            told(self.plan.steps[number], change.reversed(), undo=True)
            for number in reversed(self.plan.graph.order)
            for change in reversed(self.prepared.prediction.changes[number])
            if change.changes
        ]

    def plain(self) -> dict[str, Any]:
        return {
            "plan": self.plan.name,
            "digest": self.digest,
            "changes": list(self.changes),
            "problems": [problem.plain() for problem in self.problems],
            "irreversible": list(self.irreversible),
            "warnings": warnings(self.plan),
        }

    @cached_property
    def exact(self) -> SavedPlan:
        """The plan with the states it was predicted from: applied exactly, or refused as stale."""
        rows = [
            [entry.step, entry.target, entry.change.key, entry.change.before.plain(), entry.change.after.plain()]
            for entry in entries_of(self.plan, self.prepared.prediction)
        ]
        return SavedPlan(self.plan, self.digest, rows)

    def saved_document(self) -> dict[str, Any]:
        return {
            "holdfast_saved_plan": SAVED_FORMAT,
            "digest": self.digest,
            "plan": json.loads(self.plan.document),
            "changes": self.exact.rows,
        }

    def saved(self) -> bytes:
        """The exact plan as a file."""
        return encode_saved(self.saved_document())


def encode_saved(document: Mapping[str, Any]) -> bytes:
    """It may say more than a saved plan needs; whoever reads it back minds only what does."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def no_step(plan: Plan) -> list[Problem]:
    return [] if plan.steps else [Problem(code="empty_plan", message=f"the plan `{plan.name}` has no step")]


def told(step: Step, change: Change, *, undo: bool = False) -> Mapping[str, Any]:
    from holdfast.kinds.diffs import diff

    operation = step.operation
    effect = operation.told(undo=undo) if change.runs and isinstance(operation, Kind) else ""
    return {
        "step": step.id,
        "resource": f"{step.target}:{change.key}",
        "action": change.action.value,
        "before": change.before.plain() if change.before.exists else None,
        "after": change.after.plain() if change.after.exists else None,
        "diff": effect or diff(change),
        "guarantee": change.guarantee.value,
    }


# -- the digest of what a plan refers to


async def read_sources(plan: Plan, fleet: Fleet, together: Together) -> Seen:
    """Look at every file where Holdfast runs whose content is part of the plan."""
    wanted: dict[str, Depth] = {}
    for step in plan.steps:
        operation = step.operation
        named = set(operation.sources()) if isinstance(operation, Kind) else set()
        if named:
            for claim in operation.claims():
                if claim.target == "local" and claim.key in named:
                    wanted[claim.key] = max(claim.depth, wanted.get(claim.key, claim.depth), key=lambda d: d.value)
    if not wanted:
        return {}
    return await inspect(fleet, {"local": [Look(key, depth) for key, depth in wanted.items()]}, together)


def seal(plan: Plan, sources: Seen) -> str:
    """The digest of the plan, over the contents it refers to as well."""
    if not sources:
        return plan.digest
    digest = hashlib.sha256(plan.digest.encode())
    for resource in sorted(sources):
        digest.update(repr((resource.key, _content_of(sources[resource][1]))).encode("utf-8", "surrogateescape"))
    return "sha256:" + digest.hexdigest()


def _content_of(state: Any) -> Any:
    """What counts of a source: what it is and what is in it; not when it was written, nor by whom."""
    entries = getattr(state, "entries", None)
    content = (getattr(state, "type", ""), getattr(state, "digest", None), getattr(state, "target", ""))
    if entries is None:
        return content
    return (*content, tuple((path, _content_of(entries[path])) for path in sorted(entries)))


# -- saved plans


@dataclass(frozen=True, slots=True)
class SavedPlan:
    plan: Plan
    digest: str
    rows: Sequence[Sequence[Any]]

    def stale(self, prepared: Prepared) -> list[Problem]:
        """What is no longer as it was when the plan was saved; then nothing stood in its way."""
        problems = prepared.prediction.problems
        if problems:
            return [Problem(code="stale_plan", message="it could be applied when it was saved, and cannot now"), *problems]
        then = {(e.step, e.change.key): e.change for e in entries_from([[*row, "atomic"] for row in self.rows], parse_state)}
        now = {(e.step, e.change.key): e.change for e in entries_of(self.plan, prepared.prediction)}
        return [
            Problem(
                code="stale_plan",
                message=f"{Resource(self.plan.steps[step].target, key)} is not as it was when the plan was saved",
                step=self.plan.steps[step].id,
            )
            for step, key in dict.fromkeys([*then, *now])
            if not _alike(then.get((step, key)), now.get((step, key)))
        ]


def _alike(one: Change | None, other: Change | None) -> bool:
    if one is None or other is None:
        return False
    return _same(one.before, other.before) and _same(one.after, other.after)


def _same(one: State, other: State) -> bool:
    if one.exists != other.exists:
        return False
    return not one.exists or one.same(other) or one.plain() == other.plain()


def read_saved(text: bytes) -> SavedPlan | None:
    """A saved plan, or None when the bytes are something else: a plan file."""
    if not text.lstrip().startswith(b'{"holdfast_saved_plan"'):
        return None
    from holdfast.planfile import from_canonical

    try:
        document = json.loads(text)
        if document["holdfast_saved_plan"] != SAVED_FORMAT:
            raise ValueError("it was saved by another version of Holdfast")
        plan = from_canonical(json.dumps(document["plan"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())
        return SavedPlan(plan, document["digest"], document["changes"])
    except (ValueError, KeyError, TypeError) as error:
        problem = Problem(code="syntax", message=f"the saved plan cannot be read: {error}", hint="plan again")
        raise PlanError([problem]) from None
