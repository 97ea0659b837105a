"""TOML through the standard library; places are found by a light scan for headers and keys at the start of a line.

What stands inside an inline table or an array is reported at the line where that table or array begins.
"""

from __future__ import annotations

import re
from typing import Any, Final

from holdfast.planfile.marks import Flawed, Mark, Marks, Path, Unreadable, foreign_values

_PART: Final = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_HEADER: Final = re.compile(rf"\s*(\[\[?)\s*({_PART}(?:\s*\.\s*{_PART})*)\s*\]")
_KEY: Final = re.compile(rf"(\s*)({_PART}(?:\s*\.\s*{_PART})*)\s*=\s*")
_PLACE: Final = re.compile(r"(.*) \(at line (\d+), column (\d+)\)", re.DOTALL)


def read(text: str) -> tuple[Any, list[Flawed]]:
    import tomllib  # here, because few plans are TOML and every command pays for imports

    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Unreadable(_syntax(str(error), text)) from error
    except RecursionError as error:
        raise Unreadable(Flawed("too_large", "nested too deep")) from error
    except ValueError as error:  # an integer with thousands of digits
        raise Unreadable(Flawed("syntax", f"not TOML: {error}")) from error
    return value, list(foreign_values(value))


def _syntax(message: str, text: str) -> Flawed:
    found = _PLACE.fullmatch(message)
    if found is None:
        return Flawed("syntax", f"not TOML: {message}", Mark(text.count("\n") + 1, len(text) - text.rfind("\n")))
    code = "duplicate_key" if found[1] == "Cannot overwrite a value" else "syntax"
    return Flawed(code, f"not TOML: {found[1]}", Mark(int(found[2]), int(found[3])))


def marks(text: str) -> Marks:
    scan = _Scan()
    closing = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if closing:
            closing = "" if closing in line else closing
        elif header := _HEADER.match(line):
            scan.header(header, number)
        elif key := _KEY.match(line):
            scan.key(key, number)
            closing = _left_open(line[key.end() :])
    return scan.marks


def _left_open(value: str) -> str:
    """The quotes that a text of several lines waits for."""
    for quotes in ('"""', "'''"):
        if value.startswith(quotes) and quotes not in value[3:]:
            return quotes
    return ""


class _Scan:
    def __init__(self) -> None:
        self.marks = Marks()
        self.marks.values[()] = Mark(1, 1)
        self.table: Path = ()
        self.counts: dict[Path, int] = {}  # by array of tables: how many were begun

    def header(self, found: re.Match[str], line: int) -> None:
        *above, name = _parts(found[2])
        path: Path = ()
        for part in above:
            path = self.inside((*path, part))
        path = (*path, name)
        mark = Mark(line, found.start(1) + 1)
        self.marks.keys.setdefault(path, mark)
        self.marks.values.setdefault(path, mark)
        if found[1] == "[[":
            self.counts[path] = self.counts.get(path, -1) + 1
            path = (*path, self.counts[path])
            self.marks.values[path] = mark
            self.forget_below(path)
        else:
            path = self.inside(path)
        self.table = path

    def inside(self, path: Path) -> Path:
        """A name in a header means the newest table of an array of that name."""
        return (*path, self.counts[path]) if path in self.counts else path

    def forget_below(self, path: Path) -> None:
        for known in [known for known in self.counts if known[: len(path)] == path]:
            del self.counts[known]

    def key(self, found: re.Match[str], line: int) -> None:
        path = self.table
        for part in _parts(found[2]):
            path = (*path, part)
            self.marks.keys.setdefault(path, Mark(line, found.start(2) + 1))
            self.marks.values.setdefault(path, Mark(line, found.end() + 1))


def _parts(dotted: str) -> list[str]:
    return [part[1:-1] if part[0] in "\"'" else part for part in re.findall(_PART, dotted)]
