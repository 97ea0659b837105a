"""`holdfast approve DIGEST`: a person's yes to a plan that a program had previewed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import click

from holdfast.cli import codes
from holdfast.cli.invocation import Invocation
from holdfast.cli.lines import EMPTY, Line, Span, line

_DIGEST: Final = re.compile(r"sha256:.*|[0-9a-f]{6,64}")


def approved(invocation: Invocation, name: str, *, show: bool) -> int:
    """Approve the plan with this digest; with `show`, only show it."""
    if _DIGEST.fullmatch(name) is None:
        raise click.UsageError(f"say which step of the run `{name}` is approved, or the digest of a plan instead of a run")
    from holdfast.app.parts import who
    from holdfast.app.plans import approvals
    from holdfast.app.plans.kept import KeptPlans

    with invocation.engine() as hf:
        kept = KeptPlans.of(hf.parts).by_digest(name)
        now = hf.parts.clock.now()
        approval = None if show else approvals.approve(hf.journal, kept.digest, by=who(), at=now)
    shown = [] if invocation.screen.json else _shown(kept.preview, everything=invocation.screen.verbose)
    if approval is None:
        return invocation.answer({"approval": None, "plan": kept.plain()}, *shown, code=codes.FINE)
    verdict = line(Span("approved", "green"), f" by {approval.by}, for one application within a day: {approval.digest}")
    return invocation.answer({"approval": approval.plain(), "plan": kept.plain()}, *shown, EMPTY, verdict, code=codes.FINE)


def _shown(preview: Mapping[str, Any], *, everything: bool) -> list[Line]:
    from holdfast.cli.views import changes

    return list(changes.preview(preview, preview["changes"], everything=everything))
