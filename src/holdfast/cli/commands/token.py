"""`holdfast token`: who may come in over HTTP, and as what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.invocation import Invocation
from holdfast.cli.lines import Line, Span, line
from holdfast.cli.options import DURATION, Command
from holdfast.cli.root import Group

if TYPE_CHECKING:
    from holdfast.app.serving.tokens import Tokens


@click.group("token", cls=Group)
def token() -> None:
    """Tokens for the API. The owner's own is in the file `api-token` of the state directory."""


@token.command("create", cls=Command)
@click.option("--role", required=True, type=click.Choice(["viewer", "operator", "approver", "admin"]), help="What it may do.")
@click.option("--tenant", "tenants", multiple=True, metavar="T", help="Only what is this tenant's; may be given again.")
@click.option("--expires", "expires_in_s", type=DURATION, metavar="T", help="When it ends: 12h, 30d; default: never.")
@click.option("--name", default="", metavar="NAME", help="Whose it is; shown as the source of runs.")
@click.pass_obj
def create(invocation: Invocation, /, role: str, **given: Any) -> int:
    """Make a token. It is shown once; only its digest is kept."""
    made, secret = _tokens(invocation).create(role, **given)
    document = {"token": secret, **made.plain()}
    lines = line(Span(secret, "bold")), line(f"the token {made.id} with the role {role}; it is not shown again")
    return invocation.answer(document, *lines)


@token.command("list", cls=Command)
@click.pass_obj
def list_(invocation: Invocation) -> int:
    """List the tokens, without what would open anything."""
    found = [each.plain() for each in _tokens(invocation).all()]
    lines = list(map(_line, found)) or [line("no tokens but the owner's")]
    return invocation.answer({"tokens": found}, *lines)


def _line(found: Mapping[str, Any]) -> Line:
    tenants = ", ".join(found["tenants"]) or "all tenants"
    until = f"until {found['expires_at']}" if found["expires_at"] else "for good"
    return line(Span(found["id"], "bold"), f"  {found['role']:<9} {found['name'] or '-':<20} {tenants}  {until}")


@token.command("revoke", cls=Command)
@click.argument("token", metavar="ID")
@click.pass_obj
def revoke(invocation: Invocation, token: str) -> int:
    """Take a token back; from then on it opens nothing."""
    gone = _tokens(invocation).revoke(token)
    return invocation.answer({"revoked": gone.plain()}, line(f"the token {gone.id} opens nothing any more"))


def _tokens(invocation: Invocation) -> Tokens:
    from holdfast.app.looking.reading import home_of
    from holdfast.app.serving.tokens import Tokens
    from holdfast.runtime.clock import SystemClock

    home = home_of(invocation.state, invocation.environment)
    home.make()
    return Tokens(home, SystemClock())
