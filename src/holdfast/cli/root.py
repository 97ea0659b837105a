"""The root of the command line, and the table of its commands.

A command's module is imported when the command is used: `holdfast --help` imports none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from holdfast.cli.options import global_options

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Entry(NamedTuple):
    where: str  # module:attribute, beneath holdfast.cli.commands
    help: str


SECTIONS: Final[Mapping[str, Mapping[str, Entry]]] = {
    "Change the world": {
        "plan": Entry("plan:plan", "Show what a plan would change; touch nothing"),
        "apply": Entry("apply:apply", "Carry a plan out: all of it or none of it"),
        "rehearse": Entry("rehearse:rehearse", "Fail at every step in memory; what would rollback leave?"),
        "rollback": Entry("control:rollback", "Undo a run"),
        "recover": Entry("control:recover", "Finish what a dead process left"),
        "cancel": Entry("control:cancel", "Stop a run and roll it back"),
        "confirm": Entry("control:confirm", "Keep what a run with `confirm_within` did"),
        "approve": Entry("control:approve", "Say yes to a step or a gate that waits for it"),
        "pause": Entry("control:pause", "Let a run rest where its open stages end"),
        "resume": Entry("control:resume", "Let a paused run go on"),
        "retry": Entry("control:retry", "Try the failed tasks of a run again"),
    },
    "See what happened": {
        "runs": Entry("runs:runs", "List runs"),
        "show": Entry("runs:show", "Show one run with its tasks, stages and steps"),
        "events": Entry("events:events", "List the events of a run, or follow them"),
        "history": Entry("tracking:history", "List what was executed, and when"),
        "stats": Entry("tracking:stats", "Count successes and failures of every action"),
    },
    "Compare and keep": {
        "drift": Entry("drift:drift", "Compare what was recorded with what is"),
        "checkpoint": Entry("checkpoint:checkpoint", "Keep states under a name, and go back to them"),
        "locks": Entry("locks:locks", "Show who holds what, or break a lock"),
        "tenants": Entry("tenants:tenants", "Show what every tenant runs, and what it last ran well"),
        "journal": Entry("journal:journal", "Verify, compact or export the journal"),
    },
    "Have it done": {
        "action": Entry("action:action", "See what can be fired, and fire it"),
        "trigger": Entry("trigger:trigger", "Let cron, watchers and scanners fire it"),
    },
    "Work on hosts": {
        "ssh": Entry("ssh:ssh", "Run commands and scripts on hosts, copy files to them and back"),
    },
    "Serve": {
        "serve": Entry("serve:serve", "Serve the API and the dashboard"),
        "mcp": Entry("mcp:mcp", "Serve AI agents on standard input and output"),
        "token": Entry("token:token", "Make, list and revoke tokens for the API"),
    },
    "Set up": {
        "schema": Entry("setup:schema", "Print the JSON Schema of plan files"),
        "doctor": Entry("setup:doctor", "Check this installation"),
        "completion": Entry("setup:completion", "Print the completion script of a shell"),
    },
}

COMMANDS: Final[Mapping[str, Entry]] = {name: entry for section in SECTIONS.values() for name, entry in section.items()}


class Group(click.Group):
    """Commands that accept the global options, and a guess when a name is wrong."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params = [*self.params, *global_options(hidden=True)]

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            raise click.UsageError(f"there is no command `{name}`{self._guess(ctx, name)}", ctx)
        return super().resolve_command(ctx, args)

    def _guess(self, ctx: click.Context, name: str) -> str:
        from difflib import get_close_matches

        close = get_close_matches(name, self.list_commands(ctx), n=1, cutoff=0.5)
        return f"; did you mean `{close[0]}`?" if close else ""


class Root(Group):
    """Loads the command that is used."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super(Group, self).__init__(*args, **kwargs)
        self.params = [*self.params, *global_options(hidden=False)]

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.where.partition(":")
        found: click.Command = getattr(import_module(f"holdfast.cli.commands.{module}"), attribute)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, entries in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.help) for name, entry in entries.items()], col_max=14)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        commands = [CompletionItem(name, help=entry.help) for name, entry in COMMANDS.items() if name.startswith(incomplete)]
        return [*commands, *super(click.Group, self).shell_complete(ctx, incomplete)]


def _version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if not value or context.resilient_parsing:
        return
    from holdfast import __version__

    context.obj.answer({"version": __version__}, [(f"holdfast {__version__}", "")])
    context.exit()


@click.command(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--version", is_flag=True, expose_value=False, callback=_version, help="Show the version.")
def cli() -> None:
    """Apply a change to real systems the way a database commits a transaction: all of it or none of it.

    Look before you change anything: `holdfast plan FILE`. Then `holdfast apply FILE`.
    """
