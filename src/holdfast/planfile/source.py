"""One text that was read, and how to say where in it something stands.

A `Spot` is a place in a source; problems are made at spots. The line and column behind a spot are looked up only when
somebody asks, by reading the text a second time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Any, Final, NamedTuple

from holdfast.core.errors import PlanError, Problem
from holdfast.planfile.marks import DOCUMENT_BYTES_MAX, Flawed, Mark, Marks, Path, Unreadable, foreign_values, is_unicode

# A format is a module with `read(text)` and `marks(text)`; loaded when a text of that format is read.
FORMATS: Final[dict[str, str]] = {
    "yaml": "holdfast.planfile.yaml_format",
    "json": "holdfast.planfile.json_format",
    "toml": "holdfast.planfile.toml_format",
}
_SUFFIXES: Final = {".json": "json", ".toml": "toml"}  # everything else is read as YAML
_OS_ERRORS: Final = {FileNotFoundError: "not_found", PermissionError: "permission_denied"}


class Source:
    """A document and its name. `problems` are those that its format found."""

    __slots__ = ("_format", "_marks", "_text", "name", "problems", "value")

    def __init__(self, name: str, value: Any, text: str = "", format: str | None = None) -> None:
        self.name = name
        self.value = value
        self.problems: list[Problem] = []
        self._text = text
        self._format = format
        self._marks: Marks | None = None

    @classmethod
    def of_file(cls, path: str) -> Source:
        """The document in a file; `-` is YAML from standard input."""
        try:
            if path == "-":
                return cls.of_text(sys.stdin.buffer.read(DOCUMENT_BYTES_MAX + 1), "yaml", "<stdin>")
            with open(path, "rb") as file:
                data = file.read(DOCUMENT_BYTES_MAX + 1)
        except OSError as error:
            code = _OS_ERRORS.get(type(error), "io_error")
            raise PlanError([Problem(code=code, message=f"{path} cannot be read: {error.strerror}")]) from error
        return cls.of_text(data, _SUFFIXES.get(os.path.splitext(path)[1].lower(), "yaml"), path)

    @classmethod
    def of_text(cls, text: str | bytes, format: str, name: str) -> Source:
        if format not in FORMATS:
            message = f"there is no format `{format}`"
            raise PlanError([Problem(code="unsupported", message=message, hint=f"there are {', '.join(FORMATS)}")])
        source = cls(name, None, format=format)
        try:
            source._text = _decoded(text)
            source.value, flaws = import_module(FORMATS[format]).read(source._text)
        except Unreadable as unreadable:
            raise PlanError([source.as_problem(unreadable.flaw)]) from unreadable
        source.problems = [source.as_problem(flaw) for flaw in flaws]
        return source

    @classmethod
    def of_value(cls, value: Any, name: str) -> Source:
        """A document that never was a text: places in it are named by their path."""
        source = cls(name, value)
        try:
            problems = [source.as_problem(flaw) for flaw in foreign_values(value)]
        except Unreadable as unreadable:
            raise PlanError([source.as_problem(unreadable.flaw)]) from unreadable
        if problems:  # nothing that no text could hold is looked at any further
            raise PlanError(problems)
        return source

    def where(self, path: Path, *, key: bool = False) -> str:
        if self._format is None:
            return f"{self.name}:{_dotted(path)}" if path else self.name
        if self._marks is None:
            self._marks = import_module(FORMATS[self._format]).marks(self._text)
        return self._at(self._marks.find(path, key=key))

    def as_problem(self, flaw: Flawed) -> Problem:
        unread = self._format is not None and self.value is None
        where = self._at(flaw.mark or Mark(1, 1)) if flaw.mark or unread else self.where(flaw.path)
        return Problem(code=flaw.code, message=flaw.message, hint=flaw.hint, where=where)

    def _at(self, mark: Mark) -> str:
        return f"{self.name}:{mark.line}:{mark.column}"


class Spot(NamedTuple):
    """A place in a source, where a problem can be."""

    source: Source
    path: Path = ()

    def into(self, *parts: str | int) -> Spot:
        return Spot(self.source, self.path + parts)

    def problem(self, code: str, message: str, hint: str = "", *, key: bool = False, step: str | None = None) -> Problem:
        return Problem(code=code, message=message, hint=hint, step=step, where=self.source.where(self.path, key=key))


def meant(word: str, known: Iterable[str]) -> str:
    """A hint for a word that nobody knows; empty when it is close to none."""
    from difflib import get_close_matches  # here, because a sound plan needs no guesses

    close = get_close_matches(word, list(known), n=1)
    return f"did you mean `{close[0]}`?" if close else ""


def _decoded(text: str | bytes) -> str:
    if len(text) > DOCUMENT_BYTES_MAX:
        limit = DOCUMENT_BYTES_MAX // (1024 * 1024)
        raise Unreadable(Flawed("too_large", f"the document is larger than {limit} MiB", Mark(1, 1)))
    if isinstance(text, str):
        if not is_unicode(text):
            raise Unreadable(Flawed("syntax", "half a surrogate pair is not a character", Mark(1, 1)))
        return text
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        column = error.start - text.rfind(b"\n", 0, error.start)
        raise Unreadable(Flawed("syntax", "the text is not UTF-8", Mark(line, column), hint="save it as UTF-8")) from error


def _dotted(path: Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
