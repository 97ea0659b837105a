"""`holdfast action`: what can be fired, and firing it."""

from __future__ import annotations

import signal
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from holdfast.cli import codes
from holdfast.cli.invocation import Invocation
from holdfast.cli.lines import line
from holdfast.cli.options import Command
from holdfast.cli.root import Group
from holdfast.cli.signals import FIRST, SIGNALS
from holdfast.cli.views import firing

if TYPE_CHECKING:
    from holdfast.app.triggering.triggers import Triggers
    from holdfast.triggers.definitions import Triggers as Definitions

T = TypeVar("T")

triggers_option = click.option(
    "--triggers",
    "file",
    type=click.Path(),
    metavar="FILE",
    help="What defines them; default: triggers.yaml in the configuration directory.",
)


@click.group("action", cls=Group)
def action() -> None:
    """See what can be fired, and fire it."""


@action.command("list", cls=Command)
@triggers_option
@click.pass_obj
def list_(invocation: Invocation, file: str | None) -> int:
    """List actions: when each ran last, and whether it may be fired."""
    from holdfast.app.triggering.triggers import action_documents

    definitions = defined(invocation, file)
    with invocation.reading() as desk:
        found = action_documents(desk, definitions)
    return invocation.answer({"actions": found}, *firing.actions(found, time.time()))


@action.command("fire", cls=Command)
@click.argument("name", metavar="NAME")
@click.option("--var", "variables", multiple=True, metavar="K=V", help="A value for `${K}` in the command, or in `vars`.")
@triggers_option
@click.pass_obj
def fire(invocation: Invocation, name: str, variables: Sequence[str], file: str | None) -> int:
    """Execute an action now, and wait for its end. Refused while it executes or cools down."""
    from holdfast.app.parts import who

    given = _given(variables)
    with opened(invocation, file) as triggers:
        fired, interrupted = carried_out(
            invocation, triggers, triggers.fire(name, source=who(invocation.environment), variables=given)
        )
    document = fired.plain()
    return invocation.answer(document, *firing.fired(document), code=_code(document, interrupted))


def _code(document: Mapping[str, Any], interrupted: bool) -> int:
    if document["success"]:
        return codes.FINE
    if interrupted and document["ending"] in (None, "rolled_back"):
        return codes.INTERRUPTED
    return codes.PERSON if codes.ENDINGS[document["ending"]] == codes.PERSON else codes.FAILED


def _given(variables: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in variables:
        name, sign, value = text.partition("=")
        if not sign or not name.isidentifier():
            raise click.BadParameter(f"`{text}` is not a variable; write it like K=V", param_hint="--var")
        found[name] = value
    return found


def defined(invocation: Invocation, path: str | None) -> Definitions:
    from holdfast.app.triggering.triggers import default_file
    from holdfast.triggers.file import load

    return load(path or default_file(invocation.environment), home=invocation.environment.get("HOME"))


@contextmanager
def opened(invocation: Invocation, path: str | None) -> Iterator[Triggers]:
    """What the file defines, over an engine."""
    from holdfast.app.engine import Engine
    from holdfast.app.triggering.triggers import Triggers

    definitions = defined(invocation, path)
    with invocation.engine() as hf:
        triggers = Triggers(Engine(hf.parts), definitions)
        try:
            yield triggers
        finally:
            triggers.close()


def carried_out(invocation: Invocation, triggers: Triggers, doing: Coroutine[Any, Any, T]) -> tuple[T, bool]:
    """Do it to its end, and tell whether a signal asked for less.

    The first asks what is applied to roll back; where nothing is, and at the second, what runs is ended at once.
    """
    import asyncio

    from holdfast.cli.views.progress import progress

    heard: list[int] = []

    async def stoppable() -> T:
        task = asyncio.ensure_future(doing)

        def hear(number: int) -> None:
            heard.append(number)
            if len(heard) > 1 or not triggers.engine.interrupt(by=f"signal:{signal.Signals(number).name}"):
                task.cancel()
            else:
                invocation.screen.note(line(FIRST.rstrip()))

        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, hear, number)
        return await task

    with progress(invocation.screen) as watch:
        triggers.engine.parts.watchers.append(watch)
        invocation.drove = True
        try:
            return asyncio.run(stoppable()), bool(heard)
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
