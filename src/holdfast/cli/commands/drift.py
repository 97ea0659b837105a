"""`holdfast drift`: is everything still as it was left?"""

from __future__ import annotations

import click

from holdfast.cli import codes
from holdfast.cli.invocation import Invocation
from holdfast.cli.options import command


@command("drift")
@click.option("--plan", metavar="NAME", help="Only what this plan manages.")
def drift(invocation: Invocation, plan: str | None) -> int:
    """Compare what the newest runs recorded with what is. Exit 2 when something drifted."""
    from holdfast.cli.views.lists import drifted

    with invocation.looking(remembering=True) as hf:
        found = hf.drift(plan)
    return invocation.answer({"drift": found}, *drifted(found), code=codes.DRIFTED if found else codes.FINE)
