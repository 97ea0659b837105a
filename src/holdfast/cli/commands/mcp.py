"""`holdfast mcp`: a server of the Model Context Protocol on standard input and output."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Final

import click

from holdfast.cli import codes
from holdfast.cli.invocation import Invocation
from holdfast.cli.lines import line
from holdfast.cli.options import DIRECTORY, command
from holdfast.core.errors import Refused

PARK_S: Final = 60.0


def limits(context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> Any:
    from holdfast.app.plans.limits import Limits

    try:
        return Limits.parse(texts)
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from None


@command("mcp")
@click.option("--allow-apply", is_flag=True, help="Offer the tools that change something; else an agent can only look.")
@click.option(
    "--require-approval", is_flag=True, help="Have a person approve every plan by its digest, not only irreversible ones."
)
@click.option("--root", "roots", multiple=True, type=DIRECTORY, metavar="DIR", help="Confine local paths to DIR; repeatable.")
@click.option("--allow-local-commands", is_flag=True, help="Let plans run programs on this machine though paths are confined.")
@click.option(
    "--blast-radius",
    "limits",
    multiple=True,
    callback=limits,
    metavar="LIMITS",
    help="How much the agent may change, like hosts=3,tenants=1,steps=50.",
)
def mcp(invocation: Invocation, allow_local_commands: bool, **may: Any) -> int:
    """Serve AI agents over the Model Context Protocol, on standard input and output.

    An agent plans, looks at what would change, and applies exactly that by its digest. A plan with steps that cannot be
    undone needs `holdfast approve DIGEST` from a person first. When the input ends, what runs is finished or rests.
    """
    if find_spec("mcp") is None:
        raise Refused("the library `mcp` is not installed", code="unsupported", hint="pip install 'holdfast[mcp]'")
    from holdfast.app.engine import Holdfast
    from holdfast.app.serving.workshop import Workshop
    from holdfast.mcp.agent import Agent, Mandate
    from holdfast.mcp.stdio import serve
    from holdfast.runtime.clock import SystemClock

    logger = invocation.logger() if invocation.debug else None
    mandate = Mandate.of(local_programs=allow_local_commands, **may)

    def open_desk() -> Holdfast:
        return Holdfast.open(invocation.state, environment=invocation.environment, roots=mandate.bounds.roots, logger=logger)

    with open_desk():  # what is wrong with the state directory is said before an agent is there
        pass
    parked = serve(Agent(invocation.state, mandate, Workshop(open_desk, SystemClock(), shelf="mcp")), park_s=PARK_S)
    for run in parked:
        invocation.screen.note(line(f"the run {run} rests; go on with: holdfast resume {run}"))
    return codes.FINE
