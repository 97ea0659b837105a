"""The bar at the foot of a terminal: how far the run is, and which steps are under way for how long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from holdfast.cli.lines import Line, clean
from holdfast.cli.screen import Screen
from holdfast.cli.views.telling import told
from holdfast.cli.words import said, took
from holdfast.core.events import Event
from holdfast.core.run import Run

if TYPE_CHECKING:
    from holdfast.app.parts import Watch

RUNNING_MAX: Final = 6  # steps under way that are named
STYLES: Final = {"title": "bold", "alarm": "bold red"}
MOVING: Final = ("applying", "undoing")


class Foot:
    """Drawn anew several times a second, from what the events said."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.run: Run | None = None
        self.since: dict[int, float] = {}
        self.started = monotonic()
        self._spinner = Spinner("dots", style="cyan")

    def hear(self, run: Run, events: Sequence[Event]) -> None:
        self.run = run
        for event in events:
            for step in event.steps or ():
                if run.steps[step] in MOVING:
                    self.since.setdefault(step, monotonic())
                else:
                    self.since.pop(step, None)

    def __rich__(self) -> RenderableType:
        run = self.run
        if run is None:
            return Text("")
        now = monotonic()
        under_way = list(self.since.items())
        rows: list[Any] = [self._bar(run, now)]
        rows += [self._step(run.ids[step], now - since) for step, since in under_way[:RUNNING_MAX]]
        if len(under_way) > RUNNING_MAX:
            rows.append(Text(f"  and {len(under_way) - RUNNING_MAX:,} more", style="dim"))
        if self.screen.notice:
            rows.append(Text(self.screen.notice, style="yellow"))
        return Group(*rows)

    def _bar(self, run: Run, now: float) -> RenderableType:
        total = len(run.steps)
        moving = sum(1 for step in self.since if run.steps[step] in MOVING)
        done = sum(1 for state in run.steps if state != "pending") - moving
        grid = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=total, completed=done, width=30, complete_style="cyan", finished_style="green")
        spent = Text(took(now - self.started), style="dim")
        grid.add_row(Text(said(run.state), style="bold"), bar, f"{done:,}/{total:,}", spent)
        return grid

    def _step(self, name: str, seconds: float) -> RenderableType:
        grid = Table.grid(padding=(0, 1))
        grid.add_row(Text(" "), self._spinner, Text(clean(name)), Text(took(seconds), style="dim"))
        return grid


@contextmanager
def live(screen: Screen) -> Iterator[Watch]:
    console = Console(file=screen.err, highlight=False, markup=False)
    foot = Foot(screen)
    drawn = Live(foot, console=console, refresh_per_second=10, transient=True, redirect_stdout=False, redirect_stderr=False)
    with drawn as shown:

        def watch(run: Run, events: Sequence[Event]) -> None:
            foot.hear(run, events)
            for each in told(run, events, everything=screen.verbose):
                shown.console.print(_text(each), soft_wrap=True)

        yield watch


def _text(of: Line) -> Text:
    return Text.assemble(*((clean(text), STYLES.get(style, style)) for text, style in of))
