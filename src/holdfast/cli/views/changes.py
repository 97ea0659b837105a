"""What a plan would change: one block per change, a summary, and what could not be undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from holdfast.cli.lines import EMPTY, Line, Span, clean, clean_lines, line, width
from holdfast.cli.screen import heading, problem_lines
from holdfast.cli.views import marks
from holdfast.cli.words import counted, listed

DIFF_LINES_MAX: Final = 60  # of one change, unless everything was asked for
DIFF_COLUMNS_MAX: Final = 400  # of one line of it
RESOURCE_COLUMNS: Final = (24, 64)  # the column of resources is at least and at most so wide

_TALLY: Final = (
    ("create", "to create"),
    ("update", "to update"),
    ("delete", "to delete"),
    ("move", "to move"),
    ("run", "to run"),
    ("none", "unchanged"),
)

Document = Mapping[str, Any]
NOWHERE: Final[Mapping[str, str]] = {}


def preview(
    document: Document, changes: Sequence[Document], *, everything: bool, places: Mapping[str, str] = NOWHERE
) -> Iterator[Line]:
    """`places` names the task and the stage of each step, where there is more than one."""
    yield heading(document["plan"], Span(f"  {short_digest(document['digest'])}", "dim"))
    yield from (line(Span("warning", "alarm"), f": {each}") for each in document.get("warnings", ()))
    yield EMPTY
    shown = changes if everything else [change for change in changes if change["action"] != "none"]
    if shown:
        yield from _blocks(shown, places, everything)
        yield EMPTY
    if document["problems"]:
        yield from (found for problem in document["problems"] for found in problem_lines(problem))
        yield line(Span("it cannot be applied", "alarm"), f": {counted(len(document['problems']), 'problem')}")
        return
    yield summary(changes)
    if document["irreversible"]:
        yield line(Span("cannot be undone", "alarm"), f": {listed(document['irreversible'])}")


def short_digest(digest: str) -> str:
    algorithm, _, value = digest.partition(":")
    return f"{algorithm}:{value[:12]}" if value else digest


def _blocks(changes: Sequence[Document], places: Mapping[str, str], everything: bool) -> Iterator[Line]:
    least, most = RESOURCE_COLUMNS
    columns = min(max([least, *(width(clean(change["resource"])) for change in changes)]), most)
    here = None
    for change in changes:
        if here != (here := places.get(change["step"])):
            yield line(Span(f"  {here}", "cyan"))
        yield _head(change, columns)
        yield from _difference(change.get("diff") or "", everything)


def _head(change: Document, columns: int) -> Line:
    target, _, key = clean(change["resource"]).partition(":")
    space = " " * max(0, columns - width(f"{target}:{key}"))
    step = Span(f"  {change['step']}", "dim") if change.get("step") else Span("")
    style = marks.ACTIONS[change["action"]][1]
    label = change.get("guarantee", "")
    promise = Span(f"  {label:<12}", marks.GUARANTEES[label]) if label else Span("")
    return line("  ", marks.action(change["action"]), " ", Span(f"{target}:", "dim"), Span(key, style), space, promise, step)


def _difference(text: str, everything: bool) -> Iterator[Line]:
    lines = list(_without_names(clean_lines(text)))
    most = len(lines) if everything else DIFF_LINES_MAX
    for each in lines[:most]:
        whole = everything or len(each) <= DIFF_COLUMNS_MAX
        yield line("      ", Span(each if whole else f"{each[:DIFF_COLUMNS_MAX]}…", _style(each)))
    if len(lines) > most:
        yield line("      ", Span(f"… {counted(len(lines) - most, 'more line')} (--verbose shows all)", "dim"))


def _without_names(lines: Sequence[str]) -> Iterator[str]:
    """A unified diff names its file twice; the line above it did so already."""
    inside = False
    for each in lines:
        inside = inside or each.startswith("@@")
        if inside or not each.startswith(("--- ", "+++ ")):
            yield each


def _style(text: str) -> str:
    return {"+": "green", "-": "red", "@": "cyan", "$": "magenta", "#": "magenta"}.get(text[:1], "")


def summary(changes: Sequence[Document]) -> Line:
    """How many of each."""
    tally = Counter(change["action"] for change in changes)
    parts = [f"{tally[action]:,} {words}" for action, words in _TALLY if tally[action]]
    if not set(tally) - {"none"}:
        return line(Span("nothing to do", "green"), f", {tally['none']:,} unchanged" if tally["none"] else "")
    return line(Span(", ".join(parts), "bold"))
