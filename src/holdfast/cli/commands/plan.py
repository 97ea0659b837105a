"""`holdfast plan`: look, predict, show; touch nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from holdfast.cli import codes
from holdfast.cli.commands.files import read
from holdfast.cli.invocation import Invocation
from holdfast.cli.lines import EMPTY, line
from holdfast.cli.options import command, file_argument
from holdfast.core.errors import HoldfastError

if TYPE_CHECKING:
    from holdfast.app.plans.preview import Preview
    from holdfast.core.plan import Plan


@command("plan")
@file_argument
@click.option("--out", type=click.Path(dir_okay=False, writable=True), metavar="SAVED", help="Save the exact plan for `apply`.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 0: no change, 1: error, 2: changes are pending.")
@click.option(
    "--show", type=click.Choice(["changes", "reverse"]), default="changes", help="`reverse`: what undoing it would do."
)
def plan(invocation: Invocation, file: str, out: str | None, detailed_exitcode: bool, show: str) -> int:
    """Look, predict, and show what the plan in FILE would change. Nothing is touched.

    FILE is a plan file in YAML, JSON or TOML, a saved plan, or `-` for YAML on standard input.
    """
    try:
        wanted, before = read(file)
        if out and before is None and os.path.exists(out) and os.path.samefile(out, file):
            raise click.UsageError(f"`--out {out}` would overwrite the plan file itself")
        with invocation.looking(remembering=wanted.policy.prune) as hf:
            preview = hf.plan(wanted)
        if out and not preview.problems:
            _save(out, preview.saved())
        code = _code(preview, detailed_exitcode)
        return present(invocation, preview, reverse=show == "reverse", code=code, saved=out)
    except HoldfastError as error:
        if not detailed_exitcode:
            raise
        invocation.regret(error.plain())
        return codes.FAILED


def present(invocation: Invocation, preview: Preview, *, reverse: bool = False, code: int, saved: str | None = None) -> int:
    from holdfast.cli.views import changes

    document = preview.plain()
    shown = preview.reversed_changes() if reverse else document["changes"]
    everything, places = invocation.screen.verbose, _places(preview.plan)
    lines = [] if invocation.screen.json else list(changes.preview(document, shown, everything=everything, places=places))
    if saved and not preview.problems:
        lines += [EMPTY, line(f"saved; to apply exactly this: holdfast apply {saved}")]
    return invocation.answer({**document, "changes": list(shown)}, *lines, code=code)


def _places(plan: Plan) -> dict[str, str]:
    """Where each step of a plan with several stages belongs."""
    stages = [(task, stage) for task in plan.tasks for stage in task.stages]
    if len(stages) < 2:
        return {}
    return {step.id: f"{task.name} / {stage.name}" for task, stage in stages for step in stage.steps}


def _code(preview: Preview, detailed: bool) -> int:
    if preview.problems:
        return codes.FAILED if detailed else codes.REFUSED
    return codes.CHANGES_PENDING if detailed and preview.pending else codes.FINE


def _save(path: str, document: bytes) -> None:
    """Private, and never half written: it says what is in the files it found."""
    temporary = f"{path}.{os.getpid()}.new"
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(document)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        raise OSError(error.errno, error.strerror, path) from None
