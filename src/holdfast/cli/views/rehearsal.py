"""What a rehearsal found: how much rollback takes back, and what it would leave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from holdfast.cli.lines import EMPTY, Line, Span, line
from holdfast.cli.screen import heading, problem_lines
from holdfast.cli.views.result import left_behind
from holdfast.cli.words import counted, listed

Document = Mapping[str, Any]

BAR_COLUMNS: Final = 30


def rehearsal(found: Document) -> Iterator[Line]:
    yield heading(found["plan"])
    if found["problems"]:
        yield from (words for problem in found["problems"] for words in problem_lines(problem))
        yield line(Span("it cannot be rehearsed", "alarm"), f": {counted(len(found['problems']), 'problem')}")
        return
    yield EMPTY
    yield from _coverage(found)
    if found["irreversible"]:
        yield line(Span("cannot be undone", "alarm"), f": {listed(found['irreversible'])}")
    if found["residue"]:
        yield EMPTY
        yield line(Span("would be left behind", "alarm"))
        yield from left_behind(found["residue"])


def _coverage(found: Document) -> Iterator[Line]:
    coverage = found["coverage"]
    full = int(BAR_COLUMNS * coverage / 100)
    style = "green" if coverage == 100 else "yellow"
    bar = (Span("█" * full, style), Span("░" * (BAR_COLUMNS - full), "red"))
    yield line(*bar, Span(f"  {coverage:g} %", "bold"), " of failures are taken back completely")
    some = f" of {found['points_possible']:,}, evenly spread" if found["points"] < found["points_possible"] else ""
    yield line(Span(f"{counted(found['points'], 'failure')} rehearsed{some}: before, during and after every step", "dim"))
