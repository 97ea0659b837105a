"""What ran, who holds what, what every tenant runs, what is not as it was left; and who asks."""

from __future__ import annotations

from typing import Any

from holdfast import __version__
from holdfast.app.looking import locks
from holdfast.web.asked import HistoryWanted, OfPlan, StatsWanted
from holdfast.web.serving import Call, Serving, cut, page_of


def health(serving: Serving, call: Call) -> dict[str, Any]:
    return {"ok": serving.reading.journal.damage is None}


def metrics(serving: Serving, call: Call) -> bytes:
    return serving.metrics()


def description(serving: Serving, call: Call) -> dict[str, Any]:
    return serving.description


def session(serving: Serving, call: Call) -> dict[str, Any]:
    caller = call.caller
    confined = None if caller.tenants is None else sorted(caller.tenants)
    said = {"name": caller.name, "role": caller.role, "tenants": confined, "csrf": call.csrf, "version": __version__}
    return {**said, "damage": serving.reading.journal.damage}


def stats(serving: Serving, call: Call) -> dict[str, Any]:
    query: StatsWanted = call.query
    found = serving.reading.stats(query.action)
    return {**found, **page_of(query, "actions", found["actions"])}


def history(serving: Serving, call: Call) -> dict[str, Any]:
    query: HistoryWanted = call.query
    found = serving.reading.history(limit=query.limit + 1, cleanups=query.cleanups, before=query.cursor)
    following = cut(found["cleanups" if query.cleanups else "executions"], query.limit, "number")[1]
    return {**{name: rows[: query.limit] for name, rows in found.items()}, "next_cursor": following}


def held(serving: Serving, call: Call) -> dict[str, Any]:
    rows = [row for row in serving.reading.journal.locks() if serving.sees(call.caller, row.run)]
    waiting = [place for place in serving.reading.waiting() if serving.sees(call.caller, place[0].run)]
    return {**page_of(call.query, "locks", locks.documents(rows)), "waiting": locks.waiting_documents(waiting)}


def of_tenants(serving: Serving, call: Call) -> dict[str, Any]:
    allowed = call.caller.tenants
    lines = [line for line in serving.tenants.lines() if allowed is None or line.tenant in allowed]
    return page_of(call.query, "tenants", [line.plain() for line in lines])


def drift(serving: Serving, call: Call) -> dict[str, Any]:
    query: OfPlan = call.query
    with serving.open_desk() as desk:
        return page_of(query, "drift", desk.drift(query.plan))
