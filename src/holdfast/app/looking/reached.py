"""The hosts and appliances that plans work on, and how it went with each, as the newest runs tell it. Nobody is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import msgspec

from holdfast.app.looking.folding import read
from holdfast.core.run import Run
from holdfast.core.times import iso
from holdfast.journal.contract import Journal, RunRow

RUNS_MAX: Final = 200
WELL: Final = frozenset({"committed", "unchanged"})
UNREACHED: Final = frozenset({"unreachable", "auth_failed", "host_key_mismatch", "circuit_open"})
TYPES: Final = ("ssh", "opnsense")


@dataclass(slots=True, kw_only=True)
class Reached:
    """One target at one address. The newest run that worked on it decides whether it can be reached."""

    target: str
    type: str
    address: str
    reachable: bool | None
    error: str | None
    run: str
    last_at: float
    steps: int = 0
    failed: int = 0

    def plain(self) -> dict[str, Any]:
        return {**asdict(self), "last_at": iso(self.last_at)}


def reached(journal: Journal, *, runs_max: int = RUNS_MAX) -> list[Reached]:
    """By name; the counts are of the runs that were looked at."""
    found: dict[tuple[str, str], Reached] = {}
    known: dict[str, Mapping[str, Any]] = {}
    for row in journal.runs(limit=runs_max):
        if row.digest not in known:
            known[row.digest] = _declared(journal.plan(row.digest))
        for one in _in_run(journal, row, known[row.digest]) if known[row.digest] else ():
            newest = found.setdefault((one.target, one.address), one)
            if newest is not one:
                newest.steps += one.steps
                newest.failed += one.failed
                if newest.reachable is None:
                    newest.reachable, newest.error = one.reachable, one.error
    return sorted(found.values(), key=lambda one: (one.target, one.address))


def _declared(plan: bytes | None) -> Mapping[str, Any]:
    targets = {} if plan is None else msgspec.json.decode(plan).get("targets", {})
    return {name: said for name, said in targets.items() if any(type_ in said for type_ in TYPES)}


def _in_run(journal: Journal, row: RunRow, declared: Mapping[str, Any]) -> Iterator[Reached]:
    if journal.outline(row.id) is None:
        return
    run = read(journal, row)
    for name, said in declared.items():
        steps = [step for step, task in enumerate(run.graph.task_of) if run.outline.tasks[task].target == name]
        if not steps:
            continue
        type_ = next(type_ for type_ in TYPES if type_ in said)
        address = str(said[type_])
        codes = _codes(run, set(steps), address)
        error = next((code for code in codes if code in UNREACHED), None)
        went = row.ending in WELL or any(run.steps[step] not in ("pending", "skipped") for step in steps)
        yield Reached(
            target=name,
            type=type_,
            address=address,
            reachable=False if error else (True if went else None),
            error=error,
            run=row.id,
            last_at=row.started_at,
            steps=len(steps),
            failed=len(codes),
        )


def _codes(run: Run, steps: set[int], address: str) -> list[str]:
    """What went wrong on these steps while they ran; or with them, or on the way to their host, before anything began."""
    ids = {run.ids[step] for step in steps}
    failures = [error["code"] for step, error in run.failures.items() if step in steps]
    before = [problem for problem in run.problems if problem.get("step") in ids or _is_about(problem, address)]
    return failures + [problem["code"] for problem in before]


def _is_about(problem: Mapping[str, Any], address: str) -> bool:
    """Who cannot be reached is named first; no step is to blame."""
    return not problem.get("step") and str(problem["message"]).startswith(f"{address}:")
