"""`holdfast schema`, `doctor` and `completion`: what an installation offers, and whether it is sound."""

from __future__ import annotations

import click

from holdfast.cli import codes
from holdfast.cli.invocation import Invocation
from holdfast.cli.options import command
from holdfast.cli.views import lists

COMPLETE = "_HOLDFAST_COMPLETE"


@command("schema")
def schema(invocation: Invocation) -> int:
    """Print the JSON Schema of plan files, with every kind this installation knows."""
    from holdfast.planfile import schema as of_plan_files

    invocation.screen.document(of_plan_files())
    return codes.FINE


@command("doctor")
def doctor(invocation: Invocation) -> int:
    """Check this installation: what it stands on, and what it can do. Exit 1 when something is wrong."""
    from holdfast.app.doctor import examine
    from holdfast.app.looking.reading import home_of

    found = [check.plain() for check in examine(home_of(invocation.state, invocation.environment))]
    code = codes.FINE if all(each["ok"] for each in found) else codes.FAILED
    return invocation.answer({"checks": found}, *lists.checks(found), code=code)


@command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(invocation: Invocation, shell: str) -> int:
    """Print the script that lets SHELL complete commands, options, files and runs.

    \b
    bash:  holdfast completion bash > ~/.local/share/bash-completion/completions/holdfast
    zsh:   holdfast completion zsh > "${fpath[1]}/_holdfast"
    fish:  holdfast completion fish > ~/.config/fish/completions/holdfast.fish
    """
    from click.shell_completion import get_completion_class

    from holdfast.cli.root import cli

    maker = get_completion_class(shell)
    assert maker is not None
    script = maker(cli, {}, "holdfast", COMPLETE).source()
    if invocation.screen.json:
        invocation.screen.document({"shell": shell, "script": script})
    else:
        invocation.screen.write(f"{script}\n")
    return codes.FINE
