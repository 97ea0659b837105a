"""`holdfast locks`: who holds what, and a way out when a holder will never let go."""

from __future__ import annotations

import time

import click

from holdfast.cli.invocation import Invocation
from holdfast.cli.lines import line
from holdfast.cli.options import Command, yes_option
from holdfast.cli.root import Group
from holdfast.cli.views import lists


@click.group("locks", cls=Group, invoke_without_command=True)
@click.pass_context
def locks(context: click.Context) -> int | None:
    """Show who holds what."""
    return None if context.invoked_subcommand else show(context.obj)


@locks.command("list", cls=Command)
@click.pass_obj
def list_(invocation: Invocation) -> int:
    """Show who holds what."""
    return show(invocation)


def show(invocation: Invocation) -> int:
    from holdfast.app.locks import documents

    with invocation.reading() as desk:
        found = documents(desk.journal.locks())
    return invocation.answer({"locks": found}, *lists.locks(found, time.time()))


@locks.command("break", cls=Command)
@click.argument("lock", metavar="ID")
@yes_option
@click.pass_obj
def break_(invocation: Invocation, lock: str, yes: bool) -> int:
    """Take a lock from its holder, whose next write is refused. The lock of a dead process needs no breaking."""
    from holdfast.app.locks import break_lock, documents, find

    invocation.screen.needs_answer(yes=yes)
    with invocation.engine() as hf:
        held = find(hf.journal, lock)
        invocation.screen.confirm(f"Take the lock {held.id} from the run {held.run}?", yes=yes)
        broken = break_lock(hf.journal, held.id, at=hf.clock.now())
    return invocation.answer({"locks": documents([broken])}, line(f"the lock {broken.id} was taken from the run {broken.run}"))
