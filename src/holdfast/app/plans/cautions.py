"""What a reviewer must be told of a plan although nothing is wrong with it: whom it believes without asking for proof."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.core.plan import Plan


def warnings(plan: Plan) -> list[str]:
    return [*_targets(plan), *_steps(plan)]


def _targets(plan: Plan) -> Iterator[str]:
    for name in sorted({step.target for step in plan.steps}):
        if plan.targets.get(name, {}).get("verify") is False:
            yield f"the certificate of `{name}` is not verified: whoever answers there is believed, and gets the key"


def _steps(plan: Plan) -> Iterator[str]:
    for step in plan.steps:
        if getattr(step.operation, "verify", True) is False:
            yield f"`{step.id}` does not verify a certificate: whoever answers there is believed"
