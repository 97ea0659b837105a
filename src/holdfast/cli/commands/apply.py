"""`holdfast apply`: show, ask, then commit or roll back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from holdfast.cli import codes
from holdfast.cli.commands.files import read
from holdfast.cli.commands.plan import present
from holdfast.cli.invocation import Invocation
from holdfast.cli.lines import Span, line
from holdfast.cli.options import COUNT, DURATION, command, file_argument, yes_option
from holdfast.cli.views.result import ending
from holdfast.cli.views.telling import COLUMN
from holdfast.cli.words import said

if TYPE_CHECKING:
    from holdfast.app.apply import Holder
    from holdfast.app.engine import Holdfast, Options
    from holdfast.app.plans.preview import Preview, SavedPlan
    from holdfast.core.plan import Plan
    from holdfast.core.result import Result


@command("apply")
@file_argument
@yes_option
@click.option("--dry-run", is_flag=True, help="Only show what would change, like `plan`.")
@click.option("--parallel", type=COUNT, metavar="N", help="Steps at once.")
@click.option("--on-failure", type=click.Choice(["rollback", "stop", "continue"]), help="Instead of what the plan says.")
@click.option("--expect", metavar="DIGEST", help="Refuse, unless this is the digest of the plan: what was reviewed.")
@click.option("--confirm-within", type=DURATION, metavar="T", help="Roll back, unless `holdfast confirm RUN` comes in time.")
@click.option("--no-wait", is_flag=True, help="Refuse, instead of waiting for another run's locks.")
@click.option("--source", metavar="S", help="Who or what starts this; default: manual:USER.")
def apply(invocation: Invocation, file: str, yes: bool, dry_run: bool, **wishes: Any) -> int:
    """Prepare everything that the plan in FILE says, then commit it; or roll it back when a step fails.

    FILE is a plan file, `-` for standard input, or a plan saved by `plan --out`, which is applied exactly as it was
    shown or refused.
    """
    wanted, saved = read(file)
    if dry_run:
        with invocation.looking(remembering=wanted.policy.prune) as hf:
            preview = hf.plan(wanted)
        return present(invocation, preview, code=codes.REFUSED if preview.problems else codes.FINE)
    invocation.screen.needs_answer(yes=yes)
    with invocation.engine() as hf:
        recovered(invocation, hf)
        chosen = (saved or wanted) if yes else _reviewed(invocation, hf, wanted, saved)
        with invocation.driven(hf) as stop:
            result = hf.apply(chosen, _options(invocation, **wishes))
    return concluded(invocation, result, interrupted=stop.heard)


def _reviewed(invocation: Invocation, hf: Holdfast, wanted: Plan, saved: SavedPlan | None) -> SavedPlan | Preview:
    """What is applied after a question is what was shown with it, or nothing."""
    preview = hf.plan(wanted)
    present(invocation, preview, code=codes.FINE)
    if preview.pending and not preview.problems:
        invocation.screen.confirm("Apply this?", yes=False)
    return saved or preview


def _options(invocation: Invocation, *, no_wait: bool, **given: Any) -> Options:
    from holdfast.app.engine import Options
    from holdfast.app.looking.locks import locked_by

    def waiting(holder: Holder) -> None:
        invocation.screen.note(line(Span(f"{'waiting':<{COLUMN}}", "cyan"), locked_by(holder)))

    return Options(wait=not no_wait, waiting=waiting, **given)


def recovered(invocation: Invocation, hf: Holdfast, *, resume: bool = False, unanswered: bool = False) -> list[Result]:
    """Finish what dead processes left, and say so; `unanswered` runs only where that is asked for, as it may take long."""
    if not hf.dead_runs() and not (unanswered and hf.unanswered_runs()):
        return []
    with invocation.driven(hf) as stop:
        results = hf.recover(resume=resume, unanswered=unanswered)
    for result in results:
        words = f"{result.run}  {result.plan}: {said(result.ending or result.state)}"
        invocation.screen.note(line(Span(f"{'recovered':<{COLUMN}}", "yellow"), words))
    if stop.heard:
        raise KeyboardInterrupt  # whoever asked to stop wants nothing else to begin
    return results


def concluded(invocation: Invocation, result: Result, *, interrupted: bool = False) -> int:
    document = result.plain()
    return invocation.answer(document, *ending(document), code=codes.of_ending(result.ending, interrupted=interrupted))
