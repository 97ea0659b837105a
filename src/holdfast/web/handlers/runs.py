"""Runs: begun, listed, shown, controlled."""

from __future__ import annotations

from typing import Any, Final

from msgspec import UNSET

from holdfast.app.engine import Options
from holdfast.app.looking import picture, runs
from holdfast.app.plans.preview import SavedPlan
from holdfast.core.plan import Plan
from holdfast.journal.contract import RunRow
from holdfast.web.asked import ChangesWanted, EventsWanted, RunsWanted, RunWanted
from holdfast.web.serving import Call, Serving, page_of

LOOKED_AT_MAX: Final = 5_000  # rows that are looked through for one page of somebody who may not see all


def listed(serving: Serving, call: Call) -> dict[str, Any]:
    query: RunsWanted = call.query
    found: list[RunRow] = []
    before, looked_at = query.cursor, 0
    more = True
    while more and len(found) < query.limit and looked_at < LOOKED_AT_MAX:
        rows = serving.reading.journal.runs(limit=query.limit, ending=query.ending, plan=query.plan, before=before)
        more = len(rows) == query.limit
        looked_at += len(rows)
        for row in rows:
            before = row.id
            if serving.sees(call.caller, row.id):
                found.append(row)
            if len(found) == query.limit:
                break
    more = more and bool(serving.reading.journal.runs(limit=1, ending=query.ending, plan=query.plan, before=before))
    return {
        "runs": [runs.row_document(serving.reading.as_it_is(row)) for row in found],
        "next_cursor": before if more else None,
    }


def begun(serving: Serving, call: Call) -> dict[str, Any]:
    body: RunWanted = call.body
    wanted = _wanted(serving, body)
    serving.check_tenants(call.caller, wanted.plan if isinstance(wanted, SavedPlan) else wanted)
    run = serving.workshop.start(
        wanted,
        Options(
            source=call.caller.source,
            parallel=body.parallel,
            on_failure=body.on_failure,
            confirm_within=body.confirm_within,
            expect=body.expect,
            wait=body.wait,
        ),
    )
    return serving.shown(call.caller, run)


def _wanted(serving: Serving, body: RunWanted) -> Plan | SavedPlan:
    if body.id is UNSET or body.digest is UNSET:
        return serving.plan_in(body)
    exact = serving.kept.reviewed(body.id, body.digest).exact
    serving.bounds.check(exact.plan)  # they may have become narrower since
    return exact


def shown(serving: Serving, call: Call) -> dict[str, Any]:
    return serving.shown(call.caller, serving.run(call.caller, call.path["id"]).id)


def timeline(serving: Serving, call: Call) -> dict[str, Any]:
    row = serving.run(call.caller, call.path["id"])
    return page_of(call.query, "timeline", picture.timeline(serving.reading.journal, row))


def changes(serving: Serving, call: Call) -> dict[str, Any]:
    query: ChangesWanted = call.query
    row = serving.run(call.caller, call.path["id"])
    plan, diffs = serving.plan_of(row), serving.diffs_of(row)
    found = picture.changes(serving.reading.journal, row, plan, diffs, step=query.step)
    return page_of(query, "changes", list(found))


def events(serving: Serving, call: Call) -> dict[str, Any]:
    query: EventsWanted = call.query
    row = serving.run(call.caller, call.path["id"])
    page, following = serving.events_after(row.id, query)
    return {"events": page, "next_cursor": following}


def _asked(serving: Serving, call: Call, verb: str, **data: Any) -> dict[str, Any]:
    """Whoever drives the run is asked; where nobody does, it is done here."""
    row = serving.run(call.caller, call.path["id"])
    given = {"by": call.caller.source, **{name: value for name, value in data.items() if value is not None}}
    if serving.desk.ask(row.id, verb, **given) is None:
        serving.workshop.control(row, verb, given)
    return serving.shown(call.caller, row.id)


def paused(serving: Serving, call: Call) -> dict[str, Any]:
    return _asked(serving, call, "pause", task=call.body.task, why=call.body.why)


def resumed(serving: Serving, call: Call) -> dict[str, Any]:
    return _asked(serving, call, "resume", task=call.body.task)


def cancelled(serving: Serving, call: Call) -> dict[str, Any]:
    return _asked(serving, call, "cancel", task=call.body.task, why=call.body.why)


def retried(serving: Serving, call: Call) -> dict[str, Any]:
    return _asked(serving, call, "retry", task=call.body.task, **{"from": call.body.origin})


def rolled_back(serving: Serving, call: Call) -> dict[str, Any]:
    return _asked(serving, call, "rollback", task=call.body.task)


def confirmed(serving: Serving, call: Call) -> dict[str, Any]:
    return _asked(serving, call, "confirm")


def approved(serving: Serving, call: Call) -> dict[str, Any]:
    return _asked(serving, call, "approve", step=call.body.step)
