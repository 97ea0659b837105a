"""`holdfast serve`: the server as a command."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli import codes
from holdfast.cli.commands.mcp import limits
from holdfast.cli.invocation import Invocation
from holdfast.cli.lines import Span, line
from holdfast.cli.options import DIRECTORY, DURATION, command
from holdfast.core.errors import Refused

if TYPE_CHECKING:
    from holdfast.web.server import Server

readable = click.Path(exists=True, dir_okay=False, resolve_path=True)


@command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=8420, show_default=True, help="0 takes a free one.")
@click.option("--allow-host", "hosts", multiple=True, metavar="NAME", help="A further name to answer for, as behind a proxy.")
@click.option("--triggers", type=readable, metavar="FILE", help="Run these triggers; default: triggers.yaml, where it is.")
@click.option("--root", "roots", multiple=True, type=DIRECTORY, metavar="DIR", help="Confine local paths to DIR; repeatable.")
@click.option("--tls-cert", type=readable, metavar="FILE", help="Certificate chain; needed to listen elsewhere.")
@click.option("--tls-key", type=readable, metavar="FILE", help="Its key.")
@click.option(
    "--recover",
    type=click.Choice(["rollback", "resume"]),
    default="rollback",
    show_default=True,
    help="What becomes of the runs that a dead process left.",
)
@click.option(
    "--stop-within", "park_s", type=DURATION, default="60s", show_default=True, metavar="T", help="For runs to come to rest."
)
@click.option("--allow-apply", is_flag=True, help="Let agents at /mcp change something, with a token that may.")
@click.option("--require-approval", is_flag=True, help="Have a person approve every plan of an agent by its digest.")
@click.option("--allow-local-commands", "local_programs", is_flag=True, help="Let agents run programs on this machine.")
@click.option(
    "--blast-radius", "limits", multiple=True, callback=limits, metavar="LIMITS", help="How much each agent may change."
)
def serve(invocation: Invocation, recover: str, **given: Any) -> int:
    """Serve the API and the dashboard, until it is told to stop.

    On SIGTERM what is in flight is finished and every run rests; the next start goes on with them.
    """
    import asyncio

    from holdfast.app.serving.soundness import PARTS, installed

    if not all(map(installed, PARTS)):
        raise Refused("what serving needs is not installed", code="unsupported", hint="pip install 'holdfast[serve]'")
    from holdfast.web.server import Server, Settings

    agents = {name: given.pop(name) for name in ("allow_apply", "require_approval", "local_programs", "limits")}
    settings = Settings(
        state=invocation.state,
        environment=invocation.environment,
        agents=agents,
        resume=recover == "resume",
        logger=None if invocation.screen.quiet else invocation.logger(),
        **given,
    )

    async def run() -> None:
        server = Server(settings)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, server.stop)
        await server.run(lambda server: _started(invocation, server))

    asyncio.run(run())
    return codes.FINE


def _started(invocation: Invocation, server: Server) -> None:
    invocation.warn(server.damage)
    document = {"url": server.url, "login_url": server.login_url(), "token_file": server.home.api_token}
    if invocation.screen.json:
        invocation.screen.row(document)
        return
    invocation.screen.say(
        line(Span("address     ", "bold"), document["url"]),
        line(Span("browser     ", "bold"), document["login_url"], Span("  (once, for five minutes)", "dim")),
        line(Span("token file  ", "bold"), document["token_file"]),
    )
    invocation.screen.out.flush()
