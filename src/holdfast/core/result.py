"""The total description of any ending; the failing path's is as complete as the happy path's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.core.guarantee import Guarantee
from holdfast.core.run import Run
from holdfast.core.times import iso


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A run, as complete after a failure as after a success. Steps are named by their ids; `plain()` is its document.

    `ending` is `committed`, `unchanged`, `refused`, `rolled_back`, `partial` or `stuck`; None as long as there is none.
    """

    run: str
    plan: str
    digest: str
    ending: str | None
    state: str
    source: str = ""
    started_at: float | None = None
    duration_s: float | None = None
    executed: Sequence[str] = ()  # whose change was made, also if it was rolled back later
    unchanged: Sequence[str] = ()
    failed: Sequence[str] = ()
    rolled_back: Sequence[str] = ()
    skipped: Sequence[str] = ()  # never begun
    residue: Sequence[Mapping[str, Any]] = ()  # what a rollback left behind, why, and what to do
    errors: Sequence[Mapping[str, Any]] = ()
    tasks: Sequence[Mapping[str, Any]] = ()
    warnings: Sequence[str] = ()
    questions: Sequence[str] = ()  # what waits for somebody's yes: ids of steps, and `gate`
    waits: Mapping[str, Any] | None = None  # for its locks: since when, and behind whom

    @property
    def success(self) -> bool:
        return self.ending in ("committed", "unchanged")

    @property
    def partial_failure(self) -> bool:
        """Some changes are in the world and others are not, or not any more."""
        return self.ending in ("partial", "stuck")

    def plain(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "run": self.run,
            "plan": {"name": self.plan, "digest": self.digest},
            "ending": self.ending,
            "state": self.state,
            "source": self.source,
            "started_at": iso(self.started_at),
            "duration_s": self.duration_s,
        }
        for name in ("executed", "unchanged", "failed", "rolled_back", "skipped", "residue", "errors", "tasks", "warnings"):
            document[name] = list(getattr(self, name))
        if self.questions:
            document["questions"] = list(self.questions)
        if self.waits is not None:
            document["waits"] = dict(self.waits)
        return document


@dataclass(frozen=True, slots=True)
class Heading:
    """What is known of a run without its steps."""

    plan: str
    digest: str
    source: str
    started_at: float | None
    ended_at: float | None


def result_of(run: Run, heading: Heading) -> Result:
    states, ids = run.steps, run.ids
    executed = [ids[step] for step in run.executed]
    undone = [ids[step] for step in run.executed if states[step] == "undone"]
    over = run.over
    return Result(
        run=run.id,
        plan=heading.plan,
        digest=heading.digest,
        ending=run.ending,
        state=run.state,
        source=heading.source or run.source,
        started_at=heading.started_at,
        duration_s=_duration(heading),
        executed=executed,
        unchanged=[ids[step] for step, state in enumerate(states) if state == "unchanged"],
        failed=[ids[step] for step in run.failures] or list(run.faulty),
        rolled_back=undone,
        skipped=_skipped(run) if over else (),
        residue=[*run.residue.values(), *accepted_residue(run)],
        errors=_errors(run),
        tasks=_tasks(run),
        warnings=run.warnings,
        questions=() if over else run.open_questions,
    )


def accepted_residue(run: Run) -> list[Mapping[str, Any]]:
    """What a rollback left in the world because the plan said that it may."""
    if run.ending not in ("rolled_back", "stuck"):
        return []
    return [
        {
            "step": run.ids[step],
            "resource": f"{run.outline.tasks[run.graph.task_of[step]].target}:{run.kinds[step]}/{run.ids[step]}",
            "reason": "it was run, and the plan accepts that it cannot be undone",
            "what_to_do": "nothing, unless its effect is not wanted without the rest",
            "kept": "",
        }
        for step in sorted(run.accepted)
        if run.steps[step] in ("applied", "applying", "in_doubt") or run.is_unclear(step)
    ]


def _duration(heading: Heading) -> float | None:
    if heading.ended_at is None or heading.started_at is None:
        return None
    return round(heading.ended_at - heading.started_at, 6)


def _skipped(run: Run) -> list[str]:
    idle = [run.ids[step] for step, state in enumerate(run.steps) if state in ("pending", "skipped")]
    return [step for step in idle if step not in run.faulty]


def _errors(run: Run) -> list[Mapping[str, Any]]:
    errors = [*run.failures.values(), *run.problems]
    if run.error is not None and run.error not in errors:
        errors.insert(0, run.error)
    return errors


def _tasks(run: Run) -> list[Mapping[str, Any]]:
    return [
        {
            "name": outline.name,
            "target": outline.target,
            "state": run.tasks[number].state,
            "stages": [
                {"name": stage.name, "state": _stage_state(run, number, position), "steps": _steps(run, number, position)}
                for position, stage in enumerate(outline.stages)
            ],
        }
        for number, outline in enumerate(run.outline.tasks)
    ]


def _stage_state(run: Run, task: int, stage: int) -> str:
    state = run.tasks[task].stages[stage]
    if state != "pending" or not run.over:
        return state
    return "failed" if any(run.ids[step] in run.faulty for step in run.tasks[task].range_of(stage)) else "skipped"


def _steps(run: Run, task: int, stage: int) -> list[Mapping[str, Any]]:
    return [
        {
            "id": run.ids[step],
            "kind": run.kinds[step],
            "state": _step_state(run, step),
            "guarantee": run.guarantees[step].value if step in run.guarantees else _ATOMIC,
            "attempts": run.attempts.get(step, int(run.steps[step] not in _UNTRIED)),
            "duration_s": run.durations.get(step, 0.0),
            **({"output": run.outputs[step]} if step in run.outputs else {}),
        }
        for step in run.tasks[task].range_of(stage)
    ]


_ATOMIC = Guarantee.ATOMIC.value
_UNTRIED = frozenset({"pending", "skipped", "unchanged"})


def _step_state(run: Run, step: int) -> str:
    """A step that failed and left nothing is still shown as failed; one that was never begun, at the end, as skipped.

    One that was begun and asks a person is shown as waiting.
    """
    state = run.steps[step]
    if state == "applying" and step in run.questions:
        return "waiting"
    if state == "undone" and step not in run.executed:
        return "failed" if step in run.failures else "skipped"
    if state == "pending" and run.over:
        return "failed" if run.ids[step] in run.faulty else "skipped"
    return state
