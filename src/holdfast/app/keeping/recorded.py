"""What Holdfast manages, folded from the journal: of each plan the newest run that is in, of each resource its newest state.

A run that was rolled back does not count, and of a partial one only the steps that are in. A restore manages nothing by
itself: it only tells newer states of what plans manage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any, Final, NamedTuple

import msgspec

from holdfast.app.keeping import restoring
from holdfast.app.looking.folding import read
from holdfast.app.parts import Parts
from holdfast.core.change import Resource, State
from holdfast.core.errors import Refused
from holdfast.core.plan import Plan
from holdfast.core.run import FINISHED
from holdfast.journal.contract import Journal, RunRow
from holdfast.kinds.states import is_recorded, parse_state
from holdfast.runtime.book import entries_from, resources_of, rows_in

PAGE: Final = 1000
SHELF: Final = "recorded"  # what runs recorded whose own records were compacted away, by plan
_RUNS: Final = "`holdfast runs` lists what was run"
BUILT_IN: Final = ("local", "memory")


class Recorded(NamedTuple):
    """The resources that one plan manages, as its newest run left them."""

    run: str
    states: Mapping[Resource, State]


def plan_of(parts: Parts, row: RunRow) -> Plan:
    """The plan of a run, as it was understood then."""
    document = parts.journal.plan(row.digest)
    if document is None:
        raise Refused(f"the journal no longer holds the plan of the run {row.id}", code="not_found")
    if restoring.is_restore(document):
        return restoring.plan_from(document, parts.home.objects)
    from holdfast.planfile import from_canonical

    return from_canonical(document)


def managed(journal: Journal, plan: str | None = None) -> dict[Resource, State]:
    """What is managed by a plan, or by all of them, in the state that its newest run recorded, whichever plan that was."""
    rows = latest(journal)
    by_plan = {name: _recorded(journal, row) for name, row in rows.items()}
    restores = {name for name, row in rows.items() if _is_restore(journal, row)}
    if plan is not None and plan not in by_plan:
        raise Refused(f"no run of a plan `{plan}` left anything in place", code="not_found", hint=_RUNS)
    newest: dict[Resource, State] = {}
    for recorded in sorted(by_plan.values(), key=lambda found: found.run):
        newest.update(recorded.states)
    wanted = [plan] if plan is not None else [name for name in by_plan if name not in restores]
    return {resource: newest[resource] for name in wanted for resource in by_plan[name].states}


def history_of(journal: Journal, plan: str) -> Iterator[tuple[RunRow, Mapping[Resource, State]]]:
    """What the runs of a plan that are in recorded, newest first; of those of the same plan the newest tells it all."""
    told: set[str] = set()
    for row in all_runs(journal, plan=plan):
        if row.ending in ("committed", "unchanged", "partial") and row.digest not in told:
            yield row, _recorded(journal, row).states
            told |= {row.digest} if row.ending != "partial" else set()


def managed_by_others(journal: Journal, plan: str) -> set[Resource]:
    """What other plans than this one manage."""
    rows = [row for name, row in latest(journal).items() if name != plan and not _is_restore(journal, row)]
    return {resource for row in rows for resource in _recorded(journal, row).states}


def survey(parts: Parts, states: Mapping[Resource, State]) -> Plan:
    """A plan over these resources, to look at them with; never to be applied."""
    document = restoring.document_of("survey", states, targets=targets_of(parts, states))
    return restoring.plan_from(document, parts.home.objects)


def targets_of(parts: Parts, resources: Mapping[Resource, Any]) -> dict[str, Any]:
    """How the plans in question declare the targets of these resources."""
    missing = {resource.target for resource in resources} - set(BUILT_IN)
    found: dict[str, Any] = {}
    for row in latest(parts.journal).values() if missing else ():
        found.update((name, declared) for name, declared in plan_of(parts, row).targets.items() if name in missing)
    return found


def latest(journal: Journal) -> dict[str, RunRow]:
    """By plan name, the newest run whose changes are in; newest first. The older runs of a plan are not looked at."""
    rows = [latest_of(journal, stats["action_id"]) for stats in journal.stats()]  # every plan that ever came to an end
    return {row.plan: row for row in sorted(filter(None, rows), key=lambda row: row.id, reverse=True)}


def latest_of(journal: Journal, plan: str) -> RunRow | None:
    changed = [row for ending in ("committed", "partial") for row in journal.runs(plan=plan, ending=ending, limit=1)]
    sure = max(changed, key=lambda row: row.id, default=None)
    back = list(_since(journal, sure, plan, "rolled_back"))
    return next((row for row in _since(journal, sure, plan, "unchanged") if not _was_taken_back(row, back)), sure)


def _since(journal: Journal, row: RunRow | None, plan: str, ending: str) -> Iterator[RunRow]:
    """Newest first."""
    return takewhile(lambda newer: row is None or newer.id > row.id, all_runs(journal, plan=plan, ending=ending))


def _was_taken_back(row: RunRow, back: Sequence[RunRow]) -> bool:
    """What a run found to be so already may be the doing of one that was rolled back after it looked."""
    return any(other.id < row.id and (other.ended_at or 0.0) > (row.ended_at or 0.0) for other in back)


def all_runs(journal: Journal, *, plan: str | None = None, ending: str | None = None) -> Iterator[RunRow]:
    """Newest first, in pages that grow: often the first rows are enough."""
    size, before = 1, None
    while page := journal.runs(limit=size, plan=plan, ending=ending, before=before):
        yield from page
        size, before = min(size * 10, PAGE), page[-1].id


def keep(journal: Journal, row: RunRow) -> None:
    """Write down what a run recorded, before its records go."""
    rows = [[resource.target, resource.key, node.plain()] for resource, node in _recorded(journal, row).states.items()]
    journal.put(SHELF, row.plan, msgspec.json.encode({"run": row.id, "states": rows}))


def _recorded(journal: Journal, row: RunRow) -> Recorded:
    if row.compacted:
        return _kept(journal, row)
    entries = entries_from(rows_in(event for record in journal.records(row.id) for event in record.events), parse_state)
    if row.ending == "partial":
        steps = read(journal, row).steps
        entries = [entry for entry in entries if steps[entry.step] in FINISHED]
    found = resources_of(entries).items()
    states = {Resource(target, key): state for (target, key), state in found if is_recorded(state)}
    return Recorded(row.id, states)


def _kept(journal: Journal, row: RunRow) -> Recorded:
    document = journal.get(SHELF, row.plan)
    rows = [] if document is None else msgspec.json.decode(document)["states"]
    return Recorded(row.id, {Resource(target, key): parse_state(state) for target, key, state in rows})


def _is_restore(journal: Journal, row: RunRow) -> bool:
    if not row.plan.startswith(restoring.PREFIX):
        return False
    document = journal.plan(row.digest)
    return document is not None and restoring.is_restore(document)
