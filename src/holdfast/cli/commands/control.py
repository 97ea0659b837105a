"""What can be asked of a run: roll it back, finish it, stop it, keep it."""

from __future__ import annotations

import click

from holdfast.cli import codes
from holdfast.cli.commands.apply import concluded, recovered
from holdfast.cli.invocation import Invocation
from holdfast.cli.lines import Span, line
from holdfast.cli.options import command, run_argument, yes_option
from holdfast.cli.views import marks
from holdfast.cli.words import counted, said


@command("rollback")
@run_argument
@yes_option
def rollback(invocation: Invocation, run: str, yes: bool) -> int:
    """Undo what a run did, in reverse; possible as long as what it replaced is kept.

    RUN is an id, a unique beginning of one, or `last`. What somebody changed since then is left alone and reported.
    """
    invocation.screen.needs_answer(yes=yes)
    with invocation.engine() as hf:
        found = hf.show(run)
        steps = counted(len(found.executed), "step")
        invocation.screen.confirm(f"Undo {steps} of the run {found.run} ({found.plan}, {said(found.state)})?", yes=yes)
        with invocation.driven(hf) as stop:
            result = hf.rollback(found.run)
    document = result.plain()
    if result.ending == "rolled_back" and not stop.heard:
        from holdfast.cli.views.result import ending

        return invocation.answer(document, *ending(document), code=codes.FINE)
    return concluded(invocation, result, interrupted=stop.heard)


@command("recover")
@click.option("--resume/--rollback", default=False, help="Go on with what is not done yet, or (the default) undo what is.")
def recover(invocation: Invocation, resume: bool) -> int:
    """Bring the runs of dead processes to an end. A run whose process lives is never touched.

    Every `apply` does this first. A run that cannot go on, because the world changed meanwhile, is rolled back.
    """
    with invocation.engine() as hf:
        results = recovered(invocation, hf, resume=resume)
    document = {"recovered": [{"run": result.run, "ending": result.ending} for result in results]}
    lines = [line(result.run, "  ", result.plan, "  ", marks.state(result.ending or result.state)) for result in results]
    code = codes.PERSON if any(result.ending in ("stuck", "partial") for result in results) else codes.FINE
    return invocation.answer(document, *(lines or [line(Span("nothing to recover", "green"))]), code=code)


@command("cancel")
@run_argument
def cancel(invocation: Invocation, run: str) -> int:
    """Ask a run to stop: it finishes what is under way and rolls back."""
    return _asked(invocation, run, "cancel", "it finishes what is under way, and rolls back")


@command("confirm")
@run_argument
def confirm(invocation: Invocation, run: str) -> int:
    """Keep what a run with `confirm_within` did; without this it rolls back in time."""
    return _asked(invocation, run, "confirm", "it is kept")


def _asked(invocation: Invocation, run: str, verb: str, consequence: str) -> int:
    from holdfast.app.parts import who

    with invocation.engine() as hf:
        row = hf.ask(run, verb, by=who())
        document = hf.show(row.id).plain()
    return invocation.answer(document, line(f"asked the run {row.id} to {verb}: {consequence}"))
