"""`holdfast events`: the facts of a run, as they are in the journal or as they happen."""

from __future__ import annotations

import click

from holdfast.cli.invocation import Invocation
from holdfast.cli.options import command, run_argument


@command("events")
@run_argument
@click.option("--follow", "-f", is_flag=True, help="Go on until the run has an ending; with --json one event per line.")
@click.option("--since", type=click.IntRange(min=0), default=0, metavar="SEQ", help="Only events after this number.")
def events(invocation: Invocation, run: str, follow: bool, since: int) -> int:
    """List the events of a run, in their order."""
    from holdfast.cli.views.lists import event

    screen = invocation.screen
    with invocation.reading() as desk:
        if not follow:
            found = list(desk.event_documents(run, since=since))
            return invocation.answer({"events": found}, *(event(each) for each in found))
        for each in desk.follow(run, since=since):
            if screen.json:
                screen.row(each)
            else:
                screen.say(event(each))
                screen.out.flush()
    return 0
