"""`holdfast history` and `holdfast stats`: what was executed, how often, how long, how well."""

from __future__ import annotations

import time

import click

from holdfast.cli.invocation import Invocation
from holdfast.cli.options import command, limit_option
from holdfast.cli.views import lists


@command("history")
@limit_option(20)
@click.option("--cleanups", is_flag=True, help="Only what was cleaned up.")
def history(invocation: Invocation, limit: int, cleanups: bool) -> int:
    """List what was executed - runs of plans, and actions - the newest first."""
    with invocation.reading() as desk:
        document = desk.history(limit=limit, cleanups=cleanups)
    now = time.time()
    shown = lists.cleanups(document["cleanups"]) if cleanups else lists.executions(document["executions"], now)
    return invocation.answer(document, *shown)


@command("stats")
@click.argument("action", required=False, metavar="[ACTION]")
def stats(invocation: Invocation, action: str | None) -> int:
    """Count how the executions of every action ended; a plan is an action with its name."""
    with invocation.reading() as desk:
        document = desk.stats(action)
    return invocation.answer(document, *lists.stats(document["actions"], document["runs"], time.time()))
