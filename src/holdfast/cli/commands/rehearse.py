"""`holdfast rehearse`: what would rollback leave, if any step failed?"""

from __future__ import annotations

from holdfast.cli import codes
from holdfast.cli.commands.files import read
from holdfast.cli.invocation import Invocation
from holdfast.cli.options import command, file_argument


@command("rehearse")
@file_argument
def rehearse(invocation: Invocation, file: str) -> int:
    """Copy the world into memory and have the plan in FILE fail there at every step: before, during and after it.

    Reports how many of these failures rollback takes back completely, and every step that would leave something behind.
    Nothing outside memory is touched, and no command is run. Exit 1 when something would be left.
    """
    from holdfast.cli.views.rehearsal import rehearsal as view

    wanted, _ = read(file)
    with invocation.looking(remembering=wanted.policy.prune) as hf:
        document = hf.rehearse(wanted).plain()
    code = codes.REFUSED if document["problems"] else codes.FAILED if document["residue"] else codes.FINE
    return invocation.answer(document, *view(document), code=code)
