"""Actions and triggers, as the file says that the server was started with; without one there are none."""

from __future__ import annotations

from typing import Any, Final

from holdfast.app.triggering.attending import Attending
from holdfast.app.triggering.triggers import action_documents, trigger_documents
from holdfast.core.errors import Refused
from holdfast.triggers.definitions import Triggers
from holdfast.web.asked import CheckWanted, FireWanted
from holdfast.web.serving import Call, Serving, page_of

NONE: Final = Triggers("", actions={}, triggers={})


def actions(serving: Serving, call: Call) -> dict[str, Any]:
    return page_of(call.query, "actions", action_documents(serving.reading, _defined(serving)))


def triggers(serving: Serving, call: Call) -> dict[str, Any]:
    return page_of(call.query, "triggers", trigger_documents(serving.reading, _defined(serving)))


def fired(serving: Serving, call: Call) -> dict[str, Any]:
    body: FireWanted = call.body
    attending = _attending(serving, "action", call.path["name"])
    return attending.fire(call.path["name"], source=call.caller.source, variables=body.vars)


def enabled(serving: Serving, call: Call) -> dict[str, Any]:
    return _switched(serving, call, True)


def disabled(serving: Serving, call: Call) -> dict[str, Any]:
    return _switched(serving, call, False)


def _switched(serving: Serving, call: Call, on: bool) -> dict[str, Any]:
    name = call.path["name"]
    return _attending(serving, "trigger", name).switch(name, on, by=call.caller.source)


def checked(serving: Serving, call: Call) -> dict[str, Any]:
    body: CheckWanted = call.body
    name = call.path["name"]
    return _attending(serving, "trigger", name).check(name, dry_run=body.dry_run)


def _defined(serving: Serving) -> Triggers:
    return NONE if serving.attending is None else serving.attending.definitions


def _attending(serving: Serving, what: str, name: str) -> Attending:
    if serving.attending is None:
        hint = "start the server with --triggers FILE"
        raise Refused(f"there is no {what} `{name[:80]}`", code="not_found", hint=hint)
    return serving.attending
