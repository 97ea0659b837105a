"""`holdfast locks`: who holds what, and a way out when a holder will never let go."""

from __future__ import annotations

import time

import click

from holdfast.cli.invocation import Invocation
from holdfast.cli.lines import line
from holdfast.cli.options import Command, yes_taken
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
    """Show who holds what, and who waits for it."""
    return show(invocation)


def show(invocation: Invocation) -> int:
    from holdfast.app.looking.locks import documents, waiting_documents

    with invocation.reading() as desk:
        found, waiting = documents(desk.journal.locks()), waiting_documents(desk.waiting())
    document = {"locks": found, **({"waiting": waiting} if waiting else {})}
    now = time.time()
    return invocation.answer(document, *lists.locks(found, now), *lists.waiting(waiting, now))


@locks.command("break", cls=Command)
@click.argument("lock", metavar="ID")
@yes_taken
@click.pass_obj
def break_(invocation: Invocation, lock: str) -> int:
    """Take a lock from its holder, whose next write is refused. The lock of a dead process needs no breaking.

    Its exact ID says that it is meant; nothing is asked.
    """
    from holdfast.app.looking.locks import break_lock, documents, find

    with invocation.engine() as hf:
        held = find(hf.journal, lock)
        broken = break_lock(hf.journal, held.id, at=hf.clock.now())
    return invocation.answer({"locks": documents([broken])}, line(f"the lock {broken.id} was taken from the run {broken.run}"))
