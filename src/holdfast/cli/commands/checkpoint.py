"""`holdfast checkpoint`: states under a name, and the way back to them."""

from __future__ import annotations

import time

import click

from holdfast.cli import codes
from holdfast.cli.commands.apply import concluded, recovered
from holdfast.cli.invocation import Invocation
from holdfast.cli.lines import Span, line
from holdfast.cli.options import Command, yes_option
from holdfast.cli.root import Group
from holdfast.cli.views import lists
from holdfast.cli.words import counted


@click.group("checkpoint", cls=Group)
def checkpoint() -> None:
    """Keep the states of what is managed under a name, and go back to them."""


name_argument = click.argument("name", metavar="NAME")


@checkpoint.command("create", cls=Command)
@name_argument
@click.option("--plan", metavar="PLAN", help="Only what this plan manages; default: everything managed.")
@click.pass_obj
def create(invocation: Invocation, name: str, plan: str | None) -> int:
    """Record what is now, with its contents, under NAME."""
    with invocation.engine() as hf:
        recovered(invocation, hf)
        document = hf.checkpoint_create(name, plan).plain()
    words = f"{counted(len(document['resources']), 'resource')} kept as {name}"
    return invocation.answer({"checkpoints": [document]}, line(words))


@checkpoint.command("list", cls=Command)
@click.pass_obj
def list_(invocation: Invocation) -> int:
    """List checkpoints, the newest first."""
    with invocation.reading() as desk:
        found = desk.checkpoints()
    return invocation.answer({"checkpoints": found}, *lists.checkpoints(found, time.time()))


@checkpoint.command("show", cls=Command)
@name_argument
@click.pass_obj
def show(invocation: Invocation, name: str) -> int:
    """Show what was recorded under NAME."""
    with invocation.reading() as desk:
        found = desk.checkpoint_show(name)
    return invocation.answer(found, *lists.checkpoint(found, time.time()))


@checkpoint.command("diff", cls=Command)
@name_argument
@click.pass_obj
def diff(invocation: Invocation, name: str) -> int:
    """Show what going back to NAME would change. Exit 4 when it cannot be done."""
    from holdfast.cli.views import changes

    with invocation.looking(remembering=True) as hf:
        preview = hf.checkpoint_diff(name)
    document = preview.plain()
    lines = changes.preview(document, document["changes"], everything=invocation.screen.verbose)
    code = codes.REFUSED if preview.problems else codes.FINE
    return invocation.answer({"changes": preview.differences, "problems": document["problems"]}, *lines, code=code)


@checkpoint.command("restore", cls=Command)
@name_argument
@yes_option
@click.pass_obj
def restore(invocation: Invocation, name: str, yes: bool) -> int:
    """Go back to NAME, by a run of its own: all of it or none of it. That run can be rolled back like any other."""
    from holdfast.cli.views import changes

    screen = invocation.screen
    with invocation.engine() as hf:
        hf.checkpoint(name)
        screen.needs_answer(yes=yes)
        recovered(invocation, hf)
        if not yes:
            preview = hf.checkpoint_diff(name)
            document = preview.plain()
            screen.say(*changes.preview(document, document["changes"], everything=screen.verbose))
            if preview.pending and not preview.problems:
                screen.confirm(f"Go back to {name}?", yes=False)
        with invocation.driven(hf) as stop:
            result = hf.checkpoint_restore(name)
    return concluded(invocation, result, interrupted=stop.heard)


@checkpoint.command("delete", cls=Command)
@name_argument
@click.pass_obj
def delete(invocation: Invocation, name: str) -> int:
    """Forget NAME. Its contents go with the next `holdfast journal compact`."""
    with invocation.engine() as hf:
        document = hf.checkpoint(name).plain()
        hf.checkpoint_delete(name)
    return invocation.answer({"checkpoints": [document]}, line(Span(name, "bold"), " is forgotten"))
