"""Secrets: references become values here, at the last moment, and values are taken out of whatever is shown.

A value lives only where it is used: in the environment or on the standard input of one process, in one request.
Every value that was ever resolved is remembered, so that no output shows it, however it is written: plain, quoted for
a shell, escaped for JSON, URLs or HTML, in base64 or in hex, also wrapped over lines.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from typing import Final

from holdfast.core.errors import WorldError
from holdfast.drivers.output import Capture
from holdfast.kinds.contract import Secret

MASK: Final = "***"
SECRET_BYTES_MAX: Final = 64 * 1024


class Secrets:
    """Resolves references, and keeps what they resolved to out of everything that is shown."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self._names: set[str] = set()  # variables that hold secrets
        self._values: set[str] = set()
        self._plain: dict[str, None] = {}  # forms looked for in a text as it is
        self._dense: dict[str, None] = {}  # forms that may be wrapped: looked for where white space does not count
        self._longest = 0  # characters of the longest form, wrapped or not

    def value(self, given: str | Secret) -> str:
        """What is meant: the text itself, or what the reference points to."""
        if isinstance(given, str):
            return given
        self.reserve(given.secret)
        source, _, name = given.secret.partition(":")
        found = self._read_environ(name) if source == "env" else _read_file(name)
        self.remember(found)
        return found

    def reserve(self, reference: str) -> None:
        """From now on no program inherits the variable that this refers to, and no output shows what it holds."""
        source, _, name = reference.partition(":")
        if source == "env":
            self._names.add(name)
            self.remember(self._environ.get(name, ""))

    def inherited(self) -> dict[str, str]:
        """The environment for programs: everything but the variables that are known to hold secrets."""
        return {name: value for name, value in self._environ.items() if name not in self._names}

    def remember(self, value: str) -> None:
        if value in self._values or not value:
            return
        from holdfast.drivers.disguises import dense_forms, plain_forms  # when there is something to hide

        self._values.add(value)
        self._plain.update(dict.fromkeys(plain_forms(value)))
        self._dense.update(dict.fromkeys(dense_forms(value)))
        self._longest = max(self._longest, *map(len, self._plain), *(2 * len(form) for form in self._dense), 0)

    def scrub(self, text: str, start: int = 0, end: int | None = None) -> str:
        """The text between two positions, without secrets; one that reaches over an edge is recognised by what is beyond."""
        end = len(text) if end is None else end
        pieces: list[str] = []
        at = start
        for first, last in _merged(self._spans(text)):
            if start < last and first < end:
                pieces += (text[at:first], MASK)
                at = last
        return "".join([*pieces, text[at:end]])

    def show(self, capture: Capture) -> str:
        """What was captured, fit for everybody's eyes."""
        shown = [self.scrub(*piece) for piece in capture.pieces()]
        return f"\n[{capture.left_out} bytes left out]\n".join(shown)

    @property
    def margin(self) -> int:
        """How many bytes beyond an edge are needed to recognise what reaches over it."""
        return 4 * self._longest

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        for form in self._plain:
            yield from _found(form, text)
        if not self._dense:
            return
        dense = "".join(text.split())
        hits = [span for form in self._dense for span in _found(form, dense)]
        if hits:
            places = [place for place, char in enumerate(text) if not char.isspace()]
            yield from ((places[first], places[last - 1] + 1) for first, last in hits)

    def _read_environ(self, name: str) -> str:
        found = self._environ.get(name)
        if found is None:
            raise WorldError(f"the secret `env:{name}` is not there", code="not_found", hint=f"set the variable {name}")
        return found


def _read_file(path: str) -> str:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            content = file.read(SECRET_BYTES_MAX + 1) if regular else b""
    except OSError as error:
        code = "permission_denied" if isinstance(error, PermissionError) else "not_found"
        raise WorldError(f"the secret `file:{path}` cannot be read: {error.strerror}", code=code) from None
    if not regular or len(content) > SECRET_BYTES_MAX:
        raise WorldError(f"the secret `file:{path}` is not a file of at most {SECRET_BYTES_MAX} bytes", code="invalid_value")
    text = content.decode("utf-8", "surrogateescape")
    return text[:-1] if text.endswith("\n") else text  # an editor's last newline is not part of a password


def _found(form: str, text: str) -> Iterator[tuple[int, int]]:
    at = text.find(form)
    while at >= 0:
        yield at, at + len(form)
        at = text.find(form, at + len(form))


def _merged(spans: Iterator[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if merged and first < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged
