"""Checkpoints: made, shown, compared, gone back to. Sessions of a desk of their own, because hosts may be slow."""

from __future__ import annotations

from typing import Any

from holdfast.app.engine import Options
from holdfast.web.asked import CheckpointWanted, NamedPage
from holdfast.web.serving import Call, Serving, page_of


def listed(serving: Serving, call: Call) -> dict[str, Any]:
    query: NamedPage = call.query
    found = serving.reading.checkpoints()
    start = next((number + 1 for number, each in enumerate(found) if each["name"] == query.cursor), 0)
    page = found[start : start + query.limit]
    more = len(found) > start + query.limit
    return {"checkpoints": page, "next_cursor": page[-1]["name"] if more else None}


def created(serving: Serving, call: Call) -> dict[str, Any]:
    body: CheckpointWanted = call.body
    with serving.open_desk() as desk:
        return desk.checkpoint_create(body.name, body.plan).plain()


def shown(serving: Serving, call: Call) -> dict[str, Any]:
    return serving.reading.checkpoint_show(call.path["name"])


def compared(serving: Serving, call: Call) -> dict[str, Any]:
    with serving.open_desk() as desk:
        preview = desk.checkpoint_diff(call.path["name"])
        changes = [dict(change) for change in preview.changes if change["action"] != "none"]
        return page_of(call.query, "changes", changes)


def restored(serving: Serving, call: Call) -> dict[str, Any]:
    serving.reading.checkpoint(call.path["name"])
    run = serving.workshop.restore(call.path["name"], Options(source=call.caller.source))
    return serving.shown(call.caller, run)


def deleted(serving: Serving, call: Call) -> dict[str, Any]:
    name = call.path["name"]
    serving.desk.checkpoint_delete(name)
    return {"deleted": name}
