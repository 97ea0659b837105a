"""`holdfast journal`: care for the log of everything."""

from __future__ import annotations

import click

from holdfast.cli import codes
from holdfast.cli.invocation import Invocation
from holdfast.cli.lines import Span, line
from holdfast.cli.options import Command, yes_taken
from holdfast.cli.root import Group
from holdfast.cli.words import counted


@click.group("journal", cls=Group)
def journal() -> None:
    """Verify, compact or export the journal."""


@journal.command("verify", cls=Command)
@click.pass_obj
def verify(invocation: Invocation) -> int:
    """Check every record: a changed, dropped, reordered or truncated one is found. Exit 3 when there is damage."""
    with invocation.reading() as desk:
        found = desk.journal.verify()
    document = {"ok": found.ok, "records": found.records, "problems": list(found.problems)}
    checked = line(Span("✓ sound", "green"), f"  {counted(found.records, 'record')} checked")
    damage = [line(Span("✗ ", "red"), problem) for problem in found.problems]
    return invocation.answer(document, *([checked] if found.ok else damage), code=codes.FINE if found.ok else codes.PERSON)


@journal.command("compact", cls=Command)
@click.option(
    "--keep-runs", type=click.IntRange(min=0), default=1000, show_default=True, metavar="N", help="Keep the newest N runs."
)
@yes_taken
@click.pass_obj
def compact(invocation: Invocation, keep_runs: int) -> int:
    """Drop the records of old runs. Counts, history and whatever can still be undone stay."""
    with invocation.engine() as hf:
        found = dict(hf.compact(keep_runs=keep_runs))
    kept = f"{counted(found['kept'], 'record')} kept, {counted(found['bytes_reclaimed'], 'byte')} given back"
    return invocation.answer(found, line(f"{counted(found['runs'], 'run')} dropped, {kept}"))


@journal.command("export", cls=Command)
@click.option("--since", type=click.IntRange(min=0), default=0, metavar="SEQ", help="Only events after this number.")
@click.option("--run", metavar="RUN", help="Only events of this run.")
@click.pass_obj
def export(invocation: Invocation, since: int, run: str | None) -> int:
    """Write all events to standard output, one JSON document on each line; with --json one document with all of them."""
    with invocation.reading() as desk:
        found = desk.event_documents(run, since=since)
        if invocation.screen.json:
            return invocation.answer({"events": list(found)})
        for document in found:
            invocation.screen.row(document, now=False)
    return codes.FINE
