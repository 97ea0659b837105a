"""Options and arguments that several commands share, and the types of their values.

Global options stand before or after the command: every command accepts them, and what is said last counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import click

from holdfast.cli.invocation import Invocation

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])


class Global(NamedTuple):
    names: tuple[str, ...]
    help: str
    set: Callable[[Invocation, Any], None]
    metavar: str | None = None  # None: a flag


def _state(invocation: Invocation, value: str) -> None:
    invocation.state = value


def _json(invocation: Invocation, value: bool) -> None:
    invocation.screen.json = True


def _quiet(invocation: Invocation, value: bool) -> None:
    invocation.screen.quiet = True


def _verbose(invocation: Invocation, value: bool) -> None:
    invocation.screen.verbose = True


def _no_color(invocation: Invocation, value: bool) -> None:
    invocation.screen.plain = True


def _debug(invocation: Invocation, value: bool) -> None:
    invocation.debug = True


GLOBALS: Final = (
    Global(("--state",), "The state directory; default: $HOLDFAST_STATE, else $XDG_STATE_HOME/holdfast.", _state, "DIR"),
    Global(("--json",), "One JSON document on standard output, and nothing else there.", _json),
    Global(("--quiet", "-q"), "No progress and no remarks.", _quiet),
    Global(("--verbose", "-v"), "Say more.", _verbose),
    Global(("--no-color",), "No colours; so does NO_COLOR in the environment.", _no_color),
    Global(("--debug",), "Log every event, and show the traceback of an error.", _debug),
)


def _global_option(row: Global, *, hidden: bool) -> click.Option:
    def take(context: click.Context, _: click.Parameter, value: Any) -> None:
        if value:
            row.set(context.ensure_object(Invocation), value)

    kind = {"type": click.Path(file_okay=False), "metavar": row.metavar} if row.metavar else {"is_flag": True}
    return click.Option(row.names, help=row.help, expose_value=False, is_eager=True, callback=take, hidden=hidden, **kind)


def global_options(*, hidden: bool) -> list[click.Parameter]:
    return [_global_option(row, hidden=hidden) for row in GLOBALS]


class Command(click.Command):
    """A command that accepts the global options as well, without repeating them in its help."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params = [*self.params, *global_options(hidden=True)]


def command(name: str) -> Callable[[Callable[..., int]], Command]:
    """A command whose function gets the invocation and returns the exit code."""

    def make(do: Callable[..., int]) -> Command:
        return click.command(name, cls=Command)(click.pass_obj(do))

    return make


# -- values


class Duration(click.ParamType[float]):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from holdfast.kinds.contract import parse_duration

        try:
            return float(parse_duration(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class RunName(click.ParamType[str]):
    """The id of a run, a unique beginning of it, or `last`."""

    name = "run"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        with ctx.ensure_object(Invocation).reading() as desk:
            runs = desk.runs(limit=30)
        items = [(run["run"], f"{run['plan']['name']} {run['ending'] or run['state']}") for run in runs]
        items = [("last", "the newest run"), *items]
        return [CompletionItem(name, help=about) for name, about in items if name.startswith(incomplete)]


DURATION: Final = Duration()
RUN: Final = RunName()
COUNT: Final = click.IntRange(min=1)
DIRECTORY: Final = click.Path(exists=True, file_okay=False, resolve_path=True)


def run_argument(function: F) -> F:
    return click.argument("run", type=RUN, metavar="RUN")(function)


def file_argument(function: F) -> F:
    return click.argument("file", type=click.Path(allow_dash=True), metavar="FILE")(function)


def yes_option(function: F) -> F:
    return click.option("--yes", "-y", is_flag=True, help="Do not ask.")(function)


def yes_taken(function: F) -> F:
    """Of a command that never asks: scripts may say `--yes` to it all the same."""
    return click.option("--yes", "-y", is_flag=True, hidden=True, expose_value=False)(function)


def limit_option(default: int) -> Callable[[F], F]:
    return click.option(
        "--limit", type=COUNT, default=default, show_default=True, metavar="N", help="At most so many, newest first."
    )
