"""JSON, strictly: duplicate keys and numbers that JSON does not know are flaws; places are found by an own scan.

Not read as YAML, although YAML claims to contain JSON: libyaml refuses surrogate pairs and accepts much that is no JSON.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, Final

from holdfast.planfile.marks import Flawed, Mark, Marks, Path, Unreadable, foreign_values, too_deep

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def read(text: str) -> tuple[Any, list[Flawed]]:
    twice: list[str] = []

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice.append("")
        return found

    try:
        value = json.loads(text, object_pairs_hook=mapping)
    except json.JSONDecodeError as error:
        raise Unreadable(Flawed("syntax", f"not JSON: {error.msg}", Mark(error.lineno, error.colno))) from error
    except RecursionError as error:
        raise too_deep(None) from error
    except ValueError as error:  # an integer with thousands of digits
        raise Unreadable(Flawed("syntax", f"not JSON: {error}")) from error
    flaws = list(foreign_values(value))
    return value, [*_duplicates(text), *flaws] if twice else flaws


def marks(text: str) -> Marks:
    scan = _Scan(text)
    scan.value(next(scan.tokens), ())
    return scan.marks


def _duplicates(text: str) -> Iterator[Flawed]:
    scan = _Scan(text)
    scan.value(next(scan.tokens), ())
    for key, mark in scan.twice:
        yield Flawed("duplicate_key", f"the key `{key}` stands here a second time", mark)


class _Scan:
    """One walk over the tokens of a text that is known to be JSON."""

    def __init__(self, text: str) -> None:
        self.tokens = _TOKEN.finditer(text)
        self.starts = [0, *(found.end() for found in re.finditer("\n", text))]
        self.marks = Marks()
        self.twice: list[tuple[str, Mark]] = []

    def value(self, token: re.Match[str], path: Path) -> None:
        self.marks.values[path] = self.at(token)
        if token[0] == "{":
            self.mapping(path)
        elif token[0] == "[":
            self.sequence(path)

    def mapping(self, path: Path) -> None:
        seen: set[str] = set()
        for token in self.tokens:
            if token[0] == "}":
                return
            if token[0] == ",":
                continue
            key = json.loads(token[0])
            if key in seen:
                self.twice.append((key, self.at(token)))
            seen.add(key)
            self.marks.keys[(*path, key)] = self.at(token)
            next(self.tokens)  # the colon
            self.value(next(self.tokens), (*path, key))

    def sequence(self, path: Path) -> None:
        position = 0
        for token in self.tokens:
            if token[0] == "]":
                return
            if token[0] == ",":
                continue
            self.value(token, (*path, position))
            position += 1

    def at(self, token: re.Match[str]) -> Mark:
        line = bisect_right(self.starts, token.start())
        return Mark(line, token.start() - self.starts[line - 1] + 1)
