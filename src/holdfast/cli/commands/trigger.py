"""`holdfast trigger`: cron, watchers and scanners: see them, switch them, let them look, let them run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from holdfast.cli import codes
from holdfast.cli.commands.action import carried_out, defined, opened, triggers_option
from holdfast.cli.invocation import Invocation
from holdfast.cli.lines import Span, line
from holdfast.cli.options import Command
from holdfast.cli.root import Group
from holdfast.cli.signals import SIGNALS
from holdfast.cli.views import firing

if TYPE_CHECKING:
    from holdfast.app.triggering.loop import TriggerLoop
    from holdfast.journal.contract import Record


@click.group("trigger", cls=Group)
def trigger() -> None:
    """See what fires actions: cron, watchers, scanners; switch it, let it look, let it run."""


name_argument = click.argument("name", metavar="NAME")


@trigger.command("list", cls=Command)
@triggers_option
@click.pass_obj
def list_(invocation: Invocation, file: str | None) -> int:
    """List triggers: whether each is enabled, when it is due, and how it stands."""
    from holdfast.app.triggering.triggers import trigger_documents

    definitions = defined(invocation, file)
    with invocation.reading() as desk:
        found = trigger_documents(desk, definitions)
    return invocation.answer({"triggers": found}, *firing.triggers(found, time.time()))


@trigger.command("enable", cls=Command)
@name_argument
@triggers_option
@click.pass_obj
def enable(invocation: Invocation, name: str, file: str | None) -> int:
    """Arm a trigger, whatever the file says; also in the process that runs it."""
    return _switch(invocation, name, file, enabled=True)


@trigger.command("disable", cls=Command)
@name_argument
@triggers_option
@click.pass_obj
def disable(invocation: Invocation, name: str, file: str | None) -> int:
    """Disarm a trigger. What it has begun goes on to its end."""
    return _switch(invocation, name, file, enabled=False)


def _switch(invocation: Invocation, name: str, file: str | None, *, enabled: bool) -> int:
    from holdfast.app.parts import who

    with opened(invocation, file) as triggers:
        by = who(invocation.environment)
        document = triggers.enable(name, by=by) if enabled else triggers.disable(name, by=by)
    return invocation.answer({"triggers": [document]}, *firing.triggers([document], time.time()))


@trigger.command("check", cls=Command)
@name_argument
@click.option("--dry-run", is_flag=True, help="Only list what it finds; do nothing.")
@triggers_option
@click.pass_obj
def check(invocation: Invocation, name: str, dry_run: bool, file: str | None) -> int:
    """Let a trigger look now, and do what it is for: a watcher responds, a scanner cleans up, a cron fires."""
    with opened(invocation, file) as triggers:
        document, interrupted = carried_out(invocation, triggers, triggers.check(name, dry_run=dry_run))
    failed = document.get("failed") or document["error"]
    code = codes.INTERRUPTED if interrupted else codes.FAILED if failed else codes.FINE
    return invocation.answer(document, *firing.checked(name, document), code=code)


@trigger.command("run", cls=Command)
@click.option("--once", is_flag=True, help="Do what is due, let every watcher and scanner look once, and end.")
@triggers_option
@click.pass_obj
def run(invocation: Invocation, once: bool, file: str | None) -> int:
    """Run every enabled trigger at its time, until this is told to stop.

    A second process with the same state directory stands by, and takes over when the first is gone.
    """
    import asyncio

    from holdfast.app.triggering.loop import TriggerLoop

    def tell(record: Record) -> None:
        for event in record.events:
            invocation.screen.note(*firing.told(event.type, event.data, record.at))

    with opened(invocation, file) as triggers:
        invocation.screen.note(*firing.armed(triggers.triggers()))
        loop = TriggerLoop(triggers, tell)
        asyncio.run(loop.once() if once else _until_signal(invocation, loop))
        found = triggers.triggers()
    document = {"triggers": found, "failed": list(loop.failed)}
    lines = [line(Span("✗ ", "red"), text) for text in loop.failed] or [line(Span("✓ ", "green"), "done")]
    return invocation.answer(document, *lines)


async def _until_signal(invocation: Invocation, loop: TriggerLoop) -> None:
    """The first signal lets what has begun go on to its end, the second ends it."""
    import asyncio

    stop = asyncio.Event()
    running = asyncio.current_task()
    assert running is not None

    def heard() -> None:
        if stop.is_set():
            running.cancel()
        else:
            invocation.screen.note(line("stopping: what has begun goes on to its end; once more stops at once"))
            stop.set()

    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, heard)
    await loop.run(stop)
