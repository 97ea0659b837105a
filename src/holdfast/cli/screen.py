"""Where words go: answers to standard output, progress and complaints to standard error, one document with `--json`.

A reader who has gone away (a broken pipe) ends an answer quietly; it never ends a run.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final, TextIO

from holdfast.cli.lines import Line, Span, coloured, line, plain
from holdfast.core.errors import Refused

_ASCII: Final = str.maketrans(
    {
        "…": "...",
        "·": "-",
        "→": "->",
        "│": "|",
        "├": "|",
        "└": "`",
        "─": "-",
        "█": "#",
        "▒": "=",
        "░": ".",
        "✓": "+",
        "✗": "x",
        "↶": "<",
    }
)


class Screen:
    """The two streams of one process, and what was asked about them."""

    def __init__(self, out: TextIO, err: TextIO, environment: Mapping[str, str] = os.environ) -> None:
        self.out = out
        self.err = err
        self.json = False
        self.quiet = False
        self.verbose = False
        self.streams = False  # is the answer one document after the other?
        self.notice = ""  # stands at the foot of a lively terminal
        self.plain = bool(environment.get("NO_COLOR")) or environment.get("TERM") == "dumb"
        for stream in (out, err):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")

    @property
    def lively(self) -> bool:
        """May a line be drawn again? Only where somebody watches."""
        return self.err.isatty() and not (self.quiet or self.json or self.plain)

    # -- answers

    def say(self, *lines: Line) -> None:
        if not self.json:
            self._write(self.out, lines)

    def write(self, text: str) -> None:
        """An answer that is a document of its own: a schema, a script."""
        self.out.write(text)

    def document(self, document: Any) -> None:
        """The one document of `--json`. What is not ASCII is escaped, so that no name of a file can break it."""
        import json

        json.dump(document, self.out, indent=2 if self.out.isatty() else None)
        self.out.write("\n")

    def row(self, document: Any, *, now: bool = True) -> None:
        """One document of a stream of them, on one line."""
        import json

        self.streams = True
        self.out.write(json.dumps(document) + "\n")
        if now:
            self.out.flush()

    # -- asides

    def note(self, *lines: Line) -> None:
        """Something worth knowing meanwhile; a terminal that went away is no reason to stop."""
        if not (self.quiet or self.json):
            self._aside(lines)

    def complain(self, *lines: Line) -> None:
        self._aside(lines)

    def _aside(self, lines: Iterable[Line]) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.out.flush()
            self._write(self.err, lines)
            self.err.flush()

    def _write(self, stream: TextIO, lines: Iterable[Line], *, end: str = "\n") -> None:
        show = coloured if stream.isatty() and not self.plain else plain
        text = "".join(f"{show(each).rstrip()}{end}" for each in lines)
        unicode = (stream.encoding or "ascii").lower().startswith("utf")
        stream.write(text if unicode else text.translate(_ASCII))

    # -- questions

    def needs_answer(self, *, yes: bool) -> None:
        """Refuse early, where nobody could answer the question that will be asked."""
        if not yes and (self.json or not (sys.stdin.isatty() and self.err.isatty())):
            raise Refused("this asks first, and nobody is here to answer", code="missing_confirmation")

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask, where somebody can answer; refuse where nobody can, and when the answer is no."""
        self.needs_answer(yes=yes)
        if yes:
            return
        self.out.flush()
        self._write(self.err, [line(Span(question, "bold"), " [y/N]")], end=" ")
        self.err.flush()
        if self._answered().strip().lower() not in ("y", "yes"):
            raise Refused("it was not confirmed", code="missing_confirmation", hint="nothing was touched")

    def _answered(self) -> str:
        answer = ""
        try:
            answer = sys.stdin.readline()
        finally:
            if not answer.endswith("\n"):  # the terminal still stands behind the question
                self.err.write("\n")
        return answer

    def close(self) -> None:
        """Every answer must have arrived. Of the asides nobody depends on one."""
        try:
            self.err.flush()
        except OSError:
            abandon(self.err)
        try:
            self.out.flush()
        except OSError:
            abandon(self.out)
            raise


def abandon(stream: TextIO) -> None:
    """What could not be written goes nowhere, also when the interpreter ends and flushes once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def error_lines(document: Mapping[str, Any]) -> list[Line]:
    """What `{"code", "message", "hint", "problems"?}` says to people."""
    problems = document.get("problems")
    if problems:
        return [found for problem in problems for found in problem_lines(problem)]
    lines = [line(Span("error", "alarm"), f": {document['message']}")]
    return [*lines, hint_line(document["hint"])] if document.get("hint") else lines


def problem_lines(problem: Mapping[str, Any]) -> list[Line]:
    place = problem.get("where") or (f"step {problem['step']}" if problem.get("step") else "error")
    lines = [line(Span(f"{place}: ", "bold"), str(problem["message"]), Span(f"  {problem['code']}", "dim"))]
    return [*lines, hint_line(problem["hint"])] if problem.get("hint") else lines


def hint_line(hint: str) -> Line:
    return line("  ", Span("hint", "cyan"), f": {hint}")


def heading(words: str, *rest: str | Span) -> Line:
    return line(Span(words, "bold"), *rest)
