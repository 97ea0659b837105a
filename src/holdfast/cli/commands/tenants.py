"""`holdfast tenants`: what every tenant runs, and what it last ran well."""

from __future__ import annotations

import time

import click

from holdfast.cli.invocation import Invocation
from holdfast.cli.options import Command
from holdfast.cli.views import lists


@click.command("tenants", cls=Command)
@click.pass_obj
def tenants(invocation: Invocation) -> int:
    """Show what every tenant runs, and what it last ran well."""
    from holdfast.app.looking.tenants import lines

    with invocation.reading() as desk:
        found = [each.plain() for each in lines(desk.journal)]
    return invocation.answer({"tenants": found}, *lists.tenants(found, time.time()))
