"""Actions and triggers as people see them."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.cli.lines import Line, Span, clean_lines, line, table
from holdfast.cli.views.lists import Document, Documents, none
from holdfast.cli.words import ago, took
from holdfast.core.times import seconds_of


def actions(found: Documents, now: float) -> Iterator[Line]:
    if not found:
        return none("no actions")
    rows = [
        (
            Span(each["name"], "bold"),
            each["type"],
            took(each["cooldown_s"]) if each["cooldown_s"] else "",
            ago(seconds_of(each["last_at"]), now),
            _readiness(each),
        )
        for each in found
    ]
    return table(("action", "type", "cooldown", "last", ""), rows, right=(2, 3))


def _readiness(each: Document) -> Span:
    if each["executing"]:
        return Span("executing", "cyan")
    if each["remaining_s"]:
        return Span(f"cools down for {took(each['remaining_s'])}", "yellow")
    return Span("ready", "green")


def fired(document: Document) -> Iterator[Line]:
    verdict = Span("✓ ", "green") if document["success"] else Span("✗ ", "red")
    words = "succeeded" if document["success"] else "failed"
    yield line(verdict, Span(document["action_id"], "bold"), f" {words} after {took(document['duration_ms'] / 1000)}")
    for text in clean_lines(document["output"] or ""):
        yield line(Span("  │ ", "dim"), text)
    if document["error"]:
        yield line("  ", Span(document["error"], "red"))
