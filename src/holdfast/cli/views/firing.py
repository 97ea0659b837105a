"""Actions and triggers as people see them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from holdfast.cli.lines import Line, Span, clean_lines, line, table
from holdfast.cli.views.lists import Document, Documents, none
from holdfast.cli.words import ago, counted, listed, local, said, took
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


def triggers(found: Documents, now: float) -> Iterator[Line]:
    if not found:
        return none("no triggers")
    rows = [
        (
            Span(each["name"], "bold"),
            each["type"],
            Span(said(each["state"]), "dim" if not each["enabled"] else "yellow" if each["state"] != "armed" else "green"),
            local(seconds_of(each["next_at"])),
            ago(seconds_of(each["last_at"]), now),
            f"{each['skipped']:,}" if each["skipped"] else "",
        )
        for each in found
    ]
    return table(("trigger", "type", "state", "next", "last", "skipped"), rows, right=(4, 5))


def armed(found: Documents) -> Iterator[Line]:
    """What a loop begins with, so that nobody waits for what is switched off."""
    off = [each["name"] for each in found if not each["enabled"]]
    yield line(f"{counted(len(found) - len(off), 'trigger')} armed", f", disabled: {listed(off)}" if off else "")


def checked(name: str, document: Document) -> Iterator[Line]:
    if document["error"]:
        yield line(Span("✗ ", "red"), Span(name, "bold"), ": ", Span(document["error"], "red"))
    elif not document["matches"]:
        yield line(Span("✓ ", "green"), Span(name, "bold"), " finds nothing")
    for match in document["matches"]:
        yield _match(name, match)
    for action in document.get("fired", ()):
        yield line("  fired ", Span(action, "bold"))
    if document.get("more"):
        yield line(Span(f"  and {document['more']:,} more, for the next scan", "dim"))


def _match(name: str, match: Document) -> Line:
    if "resource_id" not in match:
        return line(Span("• ", "yellow"), Span(name, "bold"), f"  {match.get('value', match.get('action'))}")
    told = Span(f"  {match['action']}", "dim")
    if "skipped" in match:
        told = Span(f"  left alone: {match['skipped']}", "yellow")
    elif "success" in match:
        told = Span(f"  {match['action']}", "green") if match["success"] else Span(f"  {match['error']}", "red")
    return line(Span("• ", "yellow"), match["resource_id"], told)


_TOLD: Final = {
    "trigger.fired": ("fired", "cyan"),
    "trigger.skipped": ("skipped", "yellow"),
    "trigger.escalated": ("escalated", "red"),
    "trigger.resolved": ("resolved", "green"),
    "trigger.changed": ("changed", "dim"),
    "action.completed": ("completed", ""),
    "action.rejected": ("rejected", "yellow"),
    "cleanup.executed": ("cleaned up", ""),
}


def told(type_: str, data: Document, at: float) -> Iterator[Line]:
    """One event of the loop on one line; those of runs are shown elsewhere."""
    if type_ not in _TOLD:
        return
    word, style = _TOLD[type_]
    if data.get("success") is False:
        word, style = "failed", "red"
    name = data.get("name") or data.get("action_id") or data.get("scanner_id") or ""
    rest = [data.get("resource_id"), data.get("action_id") if data.get("name") else None, data.get("why"), data.get("error")]
    if "enabled" in data:
        rest.append("enabled" if data["enabled"] else "disabled")
    words = "  ".join(str(part) for part in rest if part)
    yield line(Span(local(at)[11:], "dim"), "  ", Span(f"{word:<10}", style), "  ", Span(name, "bold"), f"  {words}")
