"""What is shown while a run is driven: a line for every step that moved, and on a terminal a bar with what is under way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from holdfast.cli.screen import Screen
from holdfast.cli.views.telling import told

if TYPE_CHECKING:
    from holdfast.app.parts import Watch


@contextmanager
def progress(screen: Screen) -> Iterator[Watch]:
    """A watcher of runs that tells this screen."""
    if screen.quiet or screen.json:
        yield lambda run, events: None
    elif screen.lively:
        from holdfast.cli.views.live import live

        with live(screen) as watch:
            yield watch
    else:
        yield lambda run, events: screen.note(*told(run, events, everything=screen.verbose))
