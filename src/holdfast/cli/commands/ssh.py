"""`holdfast ssh`: commands, scripts and files on hosts, by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from holdfast.cli import codes
from holdfast.cli.invocation import Invocation
from holdfast.cli.lines import line
from holdfast.cli.options import COUNT, DURATION, Command
from holdfast.cli.root import Group
from holdfast.cli.views import hosts as views

if TYPE_CHECKING:
    from holdfast.app.remote import A, Reach

F = TypeVar("F", bound=Callable[..., Any])

NOT_REACHED = frozenset({"unreachable", "auth_failed", "host_key_mismatch", "circuit_open", "in_doubt"})


def _reach_options(function: F) -> F:
    """How to get to hosts."""
    for option in reversed(
        (
            click.option("--inventory", "-i", type=click.Path(dir_okay=False), metavar="FILE", help="Names of hosts."),
            click.option("--user", "-u", metavar="NAME", help="Log in as this user."),
            click.option("--port", "-p", type=click.IntRange(1, 65535), metavar="N", help="The port of the servers."),
            click.option("--key", "-k", type=click.Path(dir_okay=False), metavar="FILE", help="The private key."),
            click.option("--known-hosts", type=click.Path(dir_okay=False), metavar="FILE", help="Instead of the user's own."),
            click.option("--accept-new", is_flag=True, help="Write down the keys of hosts that nobody knows yet."),
            click.option("--sudo", is_flag=False, flag_value="root", metavar="[USER]", help="Become root, or this user."),
            click.option("--sudo-password", metavar="REF", help="For sudo: `env:NAME` or `file:PATH`."),
            click.option("--password", metavar="REF", help="To log in: `env:NAME` or `file:PATH`."),
            click.option("--timeout", type=DURATION, metavar="T", help="End what is not over by then."),
        )
    ):
        function = option(function)
    return function


def _running_options(function: F) -> F:
    """What surrounds a program."""
    for option in reversed(
        (
            click.option("--env", "-e", multiple=True, metavar="K=V", help="A variable of its environment."),
            click.option("--cwd", metavar="DIR", help="Where to run it."),
            click.option("--stdin", is_flag=True, help="Hand on what comes on standard input."),
            click.option("--parallel", type=COUNT, default=32, show_default=True, metavar="N", help="So many hosts at once."),
        )
    ):
        function = option(function)
    return function


class AfterDashes(Command):
    """What stands behind `--` is not for us."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            place = args.index("--")
            ctx.meta["words"] = args[place + 1 :]
            args = args[:place]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "-- COMMAND [ARGUMENT]..."]


@click.group("ssh", cls=Group)
def ssh() -> None:
    """Run commands and scripts on hosts, and copy files to them and back.

    A HOST is a name from the inventory, from ssh_config, or `[user@]host[:port]`.
    """


@ssh.command("exec", cls=AfterDashes)
@click.argument("hosts", nargs=-1, required=True, metavar="HOST...")
@_reach_options
@_running_options
@click.option("--shell", is_flag=True, help="Hand one word to a shell, instead of words to a program.")
@click.pass_context
def execute(context: click.Context, /, hosts: Sequence[str], shell: bool, **options: Any) -> int:
    """Run a command on hosts. Exit 1 when it failed on one, 3 when one could not be reached."""
    words = context.meta.get("words") or []
    if not words:
        raise click.UsageError("there is no command; it stands behind `--`", context)
    if shell and len(words) != 1:
        raise click.UsageError("with `--shell` the command is one word: put it in quotes", context)
    reach = _reach(options)
    return _everywhere(context.obj, reach, reach.command(words[0] if shell else words), hosts, options["parallel"])


@ssh.command("script", cls=Command)
@click.argument("hosts", nargs=-1, required=True, metavar="HOST...")
@click.argument("file", type=click.Path(exists=True, dir_okay=False), metavar="FILE")
@_reach_options
@_running_options
@click.option("--interpreter", metavar="PROGRAM", help="What runs it; default: what its first line says, else sh.")
@click.option("--arg", multiple=True, metavar="WORD", help="An argument of the script; may be repeated.")
@click.pass_obj
def script(
    invocation: Invocation, /, hosts: Sequence[str], file: str, interpreter: str | None, arg: Sequence[str], **options: Any
) -> int:
    """Run a local script on hosts; nothing of it stays there."""
    reach = _reach(options)
    return _everywhere(invocation, reach, reach.script(file, interpreter or "", arg), hosts, options["parallel"])


@ssh.command("copy", cls=Command)
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST")
@_reach_options
@click.option("--mode", metavar="MODE", help="Instead of what the source has, as in 0644.")
@click.option("--owner", default="", metavar="USER", help="Who is to own it.")
@click.option("--group", default="", metavar="GROUP", help="Its group.")
@click.option(
    "--on-conflict",
    type=click.Choice(["overwrite", "fail", "skip", "backup"]),
    default="overwrite",
    show_default=True,
    help="When something stands there.",
)
@click.pass_obj
def copy(invocation: Invocation, /, source: str, destination: str, **options: Any) -> int:
    """Copy a file or a directory to a host, or from one: one of SRC and DST is HOST:PATH."""
    reach = _reach(options)
    asked = reach.transfer(source, destination)
    with views.copying(invocation.screen) as progress, _telling(invocation) as tell:
        found = reach.carry(asked, progress, tell)
    code = _code_of([found.error.code if found.error else None])
    if found.error is not None:
        invocation.regret(found.error.plain())
        return code
    document = {name: value for name, value in found.plain().items() if name in ("files", "bytes", "duration_s", "checksum")}
    return invocation.answer(document, *views.copied(found), code=code)


@ssh.command("check", cls=Command)
@click.argument("hosts", nargs=-1, required=True, metavar="HOST...")
@_reach_options
@click.option("--parallel", type=COUNT, default=32, show_default=True, metavar="N", help="So many hosts at once.")
@click.pass_obj
def check(invocation: Invocation, /, hosts: Sequence[str], parallel: int, **options: Any) -> int:
    """See whether hosts can be reached, as whom, and what is there."""
    reach = _reach(options)
    with _telling(invocation) as tell:
        found = reach.check(hosts, parallel, tell)
    code = _code_of([each["error"]["code"] if each["error"] else None for each in found])
    return invocation.answer(found, *views.checked(found), code=code)


def _reach(options: dict[str, Any]) -> Reach:
    from holdfast.app.remote import Reach

    return Reach(options)


@contextmanager
def _telling(invocation: Invocation) -> Iterator[Callable[[str], None]]:
    """Keys of hosts that are accepted are what everybody should know: a remark now, and a fact in the journal."""
    accepted: list[str] = []

    def tell(said: str) -> None:
        accepted.append(said)
        invocation.screen.complain(line(said))

    try:
        yield tell
    finally:
        if accepted:
            _record(invocation, accepted)


def _record(invocation: Invocation, accepted: Sequence[str]) -> None:
    from holdfast.app.parts import who
    from holdfast.app.remote import record_accepted

    with invocation.engine() as hf:
        record_accepted(hf.journal, accepted, by=who(), at=hf.parts.clock.now())


def _everywhere(invocation: Invocation, reach: Reach, asked: A, hosts: Sequence[str], parallel: int) -> int:
    meant = reach.meant(hosts)
    heard = None if invocation.screen.json else views.tagged(invocation.screen, [str(each.address) for each in meant])
    with _telling(invocation) as tell:
        results = reach.everywhere(asked, meant, parallel, heard, tell)
    code = _code_of([result.error.code if result.error else None for result in results])
    return invocation.answer([result.plain() for result in results], *views.failures(results), code=code)


def _code_of(errors: Sequence[str | None]) -> int:
    if any(error in NOT_REACHED for error in errors):
        return codes.PERSON
    return codes.FAILED if any(errors) else codes.FINE
