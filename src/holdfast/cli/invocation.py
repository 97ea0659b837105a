"""One call of the command line: what was asked of all commands alike, and the engine, opened when it is needed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from holdfast.cli.lines import Line, Span, line
from holdfast.cli.screen import Screen, error_lines

if TYPE_CHECKING:
    from logging import Logger

    from holdfast.app.desk import Desk
    from holdfast.app.engine import Holdfast
    from holdfast.app.looking.reading import Reading
    from holdfast.cli.signals import Stop


class Invocation:
    def __init__(self, screen: Screen, environment: Mapping[str, str] = os.environ) -> None:
        self.screen = screen
        self.environment = environment
        self.state: str | None = None
        self.debug = False
        self.drove = False  # may anything have been done to the world?
        self.verdict = 0  # the exit code, should the reader go away before everything was said

    @contextmanager
    def engine(self) -> Iterator[Holdfast]:
        from holdfast.app.engine import Holdfast

        with Holdfast.open(self.state, environment=self.environment, logger=self.logger() if self.debug else None) as hf:
            yield hf

    def logger(self) -> Logger:
        """Events as lines of JSON on standard error; with --debug every one of them."""
        import logging

        from holdfast.runtime.logs import LOGGER, JsonLines

        handler = logging.StreamHandler(self.screen.err)
        handler.setFormatter(JsonLines())
        logger = logging.getLogger(LOGGER)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(logging.DEBUG if self.debug else logging.INFO)
        return logger

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Only the journal, only to look."""
        from holdfast.app.looking.reading import Reading

        with Reading.of(self.state, environment=self.environment) as desk:
            self.warn(desk.journal.damage)
            yield desk

    def warn(self, damage: str | None) -> None:
        """A damaged journal is read as far as it is sound; nobody may take what is read for all there is."""
        if damage is not None:
            self.screen.complain(line(Span("warning", "alarm"), f": {damage}; it is only read, and nothing is written to it"))

    @contextmanager
    def looking(self, *, remembering: bool = False) -> Iterator[Holdfast]:
        """An engine that writes nothing; `remembering`, it reads what was recorded."""
        from holdfast.app.engine import Holdfast

        with Holdfast.looking(self.state, environment=self.environment, remembering=remembering) as hf:
            yield hf

    @contextmanager
    def driven(self, hf: Desk) -> Iterator[Stop]:
        """Show how it goes, and let a signal ask it to stop."""
        from holdfast.cli.signals import driving
        from holdfast.cli.views.progress import progress

        with progress(self.screen) as watch, driving(hf, self.screen) as stop:
            hf.parts.watchers.append(watch)
            self.drove = True
            yield stop
            hf.parts.watchers.remove(watch)

    def answer(self, document: Any, *lines: Line, code: int = 0) -> int:
        """The same answer, to programs or to people."""
        self.verdict = code
        if self.screen.json:
            self.screen.document(document)
        else:
            self.screen.say(*lines)
        return code

    def regret(self, error: Mapping[str, Any]) -> None:
        """Say what went wrong; where the answer cannot be written, beside it."""
        if self.screen.json:
            with suppress(OSError):
                self.screen.document({"error": error})
                self.screen.close()
                return
        self.screen.complain(*error_lines(error))
