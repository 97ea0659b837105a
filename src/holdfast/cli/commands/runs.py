"""`holdfast runs` and `holdfast show`: what was run, and how it ended."""

from __future__ import annotations

import time

import click

from holdfast.cli.codes import ENDINGS
from holdfast.cli.invocation import Invocation
from holdfast.cli.options import command, limit_option, run_argument


@command("runs")
@limit_option(20)
@click.option("--ending", type=click.Choice([ending for ending in ENDINGS if ending]), help="Only those that ended so.")
@click.option("--plan", metavar="NAME", help="Only runs of this plan.")
def runs(invocation: Invocation, limit: int, ending: str | None, plan: str | None) -> int:
    """List runs, the newest first."""
    from holdfast.cli.views.lists import runs as view

    with invocation.reading() as desk:
        found = desk.runs(limit=limit, ending=ending, plan=plan)
    return invocation.answer({"runs": found}, *view(found, time.time()))


@command("show")
@run_argument
def show(invocation: Invocation, run: str) -> int:
    """Show a run: how it ended and why, and every task, stage and step of it.

    RUN is an id, a unique beginning of one, or `last`.
    """
    from holdfast.cli.views.result import full

    with invocation.reading() as desk:
        document = desk.show(run).plain()
    return invocation.answer(document, *full(document, time.time(), everything=invocation.screen.verbose))
