"""What can be asked of a run: roll it back, finish it, stop it, keep it."""

from __future__ import annotations

import click

from holdfast.cli import codes
from holdfast.cli.commands.apply import concluded, recovered
from holdfast.cli.invocation import Invocation
from holdfast.cli.lines import Span, line
from holdfast.cli.options import RUN, command, run_argument, yes_option
from holdfast.cli.views import marks
from holdfast.cli.views.result import ending
from holdfast.cli.words import counted, said

task_option = click.option("--task", metavar="T", help="Only this task of the run, or the task of this tenant.")


@command("rollback")
@run_argument
@task_option
@yes_option
def rollback(invocation: Invocation, run: str, task: str | None, yes: bool) -> int:
    """Undo what a run did, in reverse; possible as long as what it replaced is kept.

    RUN is an id, a unique beginning of one, or `last`. What somebody changed since then is left alone and reported.
    """
    part = {"task": task} if task else {}
    with invocation.engine() as hf:
        found = hf.show(run)
        hf.askable(found.run, "rollback", **part)
        what = f"the task {task}" if task else counted(len(found.executed), "step")
        invocation.screen.confirm(f"Undo {what} of the run {found.run} ({found.plan}, {said(found.state)})?", yes=yes)
        with invocation.driven(hf) as stop:
            result = hf.rollback(found.run, **part)
    document = result.plain()
    if not stop.heard and (result.ending == "rolled_back" or (task and result.ending == "partial")):
        return invocation.answer(document, *ending(document), code=codes.FINE)
    return concluded(invocation, result, interrupted=stop.heard)


@command("recover")
@click.option("--resume/--rollback", default=False, help="Go on with what is not done yet, or (the default) undo what is.")
def recover(invocation: Invocation, resume: bool) -> int:
    """Bring the runs of dead processes to an end. A run whose process lives is never touched.

    Every `apply` does this first. A run that cannot go on, because the world changed meanwhile, is rolled back.
    A run that ended `stuck` because nobody answered is rolled back as well, by this command only.
    """
    with invocation.engine() as hf:
        results = recovered(invocation, hf, resume=resume, unanswered=True)
    document = {"recovered": [{"run": result.run, "ending": result.ending} for result in results]}
    lines = [line(result.run, "  ", result.plan, "  ", marks.state(result.ending or result.state)) for result in results]
    code = codes.PERSON if any(result.ending in ("stuck", "partial") for result in results) else codes.FINE
    return invocation.answer(document, *(lines or [line(Span("nothing to recover", "green"))]), code=code)


@command("cancel")
@run_argument
@task_option
def cancel(invocation: Invocation, run: str, task: str | None) -> int:
    """Ask a run to stop: it finishes what is under way and rolls back."""
    return _asked(invocation, run, "cancel", "it finishes what is under way, and rolls back", task=task)


@command("pause")
@run_argument
@task_option
@click.option("--why", metavar="TEXT", help="Kept with the run.")
def pause(invocation: Invocation, run: str, task: str | None, why: str | None) -> int:
    """Ask a run to rest where its open stages end. It keeps its locks."""
    return _asked(invocation, run, "pause", "it finishes the stages that are open, and rests", task=task, why=why)


@command("resume")
@run_argument
@task_option
def resume(invocation: Invocation, run: str, task: str | None) -> int:
    """Let a paused run go on where it rests; here, when its process is gone."""
    return _asked(invocation, run, "resume", "it goes on with the next stage", task=task)


@command("retry")
@run_argument
@task_option
@click.option(
    "--from",
    "origin",
    type=click.Choice(["checkpoint", "scratch"]),
    default="checkpoint",
    show_default=True,
    help="The stage that is not done yet, or all stages.",
)
def retry(invocation: Invocation, run: str, task: str | None, origin: str) -> int:
    """Try the failed tasks of a run again, up to three times each; it stays the same run."""
    return _asked(invocation, run, "retry", "its failed tasks are tried again", task=task, **{"from": origin})


@command("approve")
@click.argument("name", type=RUN, metavar="RUN|DIGEST")
@click.argument("step", metavar="[STEP]", required=False)
@click.option("--show", is_flag=True, help="Of a digest: show the plan, and approve nothing.")
def approve(invocation: Invocation, name: str, step: str | None, show: bool) -> int:
    """Say yes to a step of a run that waits for it, or to the `gate` between two batches of tasks.

    With a DIGEST, or a unique beginning of one, instead: say yes to a plan that a program had previewed and may apply
    only once a person did. The yes is good for one application within a day.
    """
    if step is None:
        from holdfast.cli.commands.approval import approved

        return approved(invocation, name, show=show)
    if show:
        raise click.UsageError("`--show` shows a plan by its digest; of a run, `holdfast show RUN` does")
    return _asked(invocation, name, "approve", "it goes on", step=step)


@command("confirm")
@run_argument
def confirm(invocation: Invocation, run: str) -> int:
    """Keep what a run with `confirm_within` did; without this it rolls back in time."""
    return _asked(invocation, run, "confirm", "it is kept")


def _asked(invocation: Invocation, run: str, verb: str, consequence: str, **data: str | None) -> int:
    """The request was accepted; where no process drives the run, it was done here, and how that ended is told."""
    given = {name: value for name, value in data.items() if value is not None}
    with invocation.engine() as hf, invocation.driven(hf) as stop:
        result = hf.control(run, verb, **given)
    document = result.plain()
    asked = line(f"asked the run {result.run} to {verb}: {consequence}")
    refused = verb == "confirm" and result.ending == "rolled_back"  # it came too late
    code = codes.of_ending(result.ending, interrupted=stop.heard) if stop.heard or refused else codes.FINE
    return invocation.answer(document, *([asked] if result.ending is None else ending(document)), code=code)
