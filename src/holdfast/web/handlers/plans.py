"""Plans: previewed and kept for a while, so that what is applied is what was shown."""

from __future__ import annotations

from typing import Any

from holdfast.web.serving import Call, Serving


def previewed(serving: Serving, call: Call) -> dict[str, Any]:
    plan = serving.plan_in(call.body)
    serving.check_tenants(call.caller, plan)
    with serving.open_desk() as desk:
        preview = desk.plan(plan)
        return serving.kept.keep(preview, by=call.caller.source).plain()


def shown(serving: Serving, call: Call) -> dict[str, Any]:
    kept = serving.kept.find(call.path["id"])
    if call.caller.tenants is not None:
        serving.check_tenants(call.caller, kept.exact.plan)
    return kept.plain()
