"""Plans: previewed and kept for a while, so that what is applied is what was shown."""

from __future__ import annotations

from typing import Any

from holdfast.app.plans import approvals
from holdfast.app.plans.kept import KeptPlan
from holdfast.web.asked import DigestSeen
from holdfast.web.serving import Call, Serving


def previewed(serving: Serving, call: Call) -> dict[str, Any]:
    plan = serving.plan_in(call.body)
    serving.check_tenants(call.caller, plan)
    with serving.open_desk() as desk:
        preview = desk.plan(plan)
        return serving.kept.keep(preview, by=call.caller.source).plain()


def shown(serving: Serving, call: Call) -> dict[str, Any]:
    return _of(serving, call).plain()


def approved(serving: Serving, call: Call) -> dict[str, Any]:
    """Of the digest that was looked at: a plan is only what its digest says."""
    body: DigestSeen = call.body
    kept = serving.kept.reviewed(_of(serving, call).id, body.digest)
    at = serving.desk.parts.clock.now()
    return approvals.approve(serving.desk.journal, kept.digest, by=call.caller.source, at=at).plain()


def _of(serving: Serving, call: Call) -> KeptPlan:
    kept = serving.kept.find(call.path["id"])
    if call.caller.tenants is not None:
        serving.check_tenants(call.caller, kept.exact.plan, called=kept.id)
    return kept
