"""Text in lines, as bytes had them: each with its own ending, the last one perhaps without."""

from __future__ import annotations

import re


def with_line(text: str, line: str, match: str | None = None) -> str:
    """The last line that `match` finds becomes `line`; else it is appended, unless it is there already."""
    lines = _split(text)
    found = [number for number, old in enumerate(lines) if re.search(match, _bare(old))] if match is not None else []
    if found:
        old = lines[found[-1]]
        lines[found[-1]] = line + (old[len(_bare(old)) :] or _last(line, text))
        return "".join(lines)
    return text if line in map(_bare, lines) else _appended(text, [line])


def with_block(text: str, block: str, marker: str) -> str | None:
    """The lines between the two marker lines are those of `block`; without any the markers go as well.

    None when the markers are not a pair.
    """
    begin, end = (_marker_line(marker, mark) for mark in ("begin", "end"))
    lines = _split(text)
    bare = [_bare(line) for line in lines]
    wanted = [begin, *map(_bare, _split(block)), end] if block else []
    if begin not in bare and end not in bare:
        return _appended(text, wanted)
    first = bare.index(begin) if begin in bare else len(bare)
    if end not in bare[first:]:
        return None
    last = bare.index(end, first)
    tail = lines[last][len(end) :]
    new = [line + ending_of(text) for line in wanted[:-1]] + [line + tail for line in wanted[-1:]]
    return "".join([*lines[:first], *new, *lines[last + 1 :]])


def ending_of(text: str) -> str:
    """How most lines end."""
    return "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"


def _marker_line(marker: str, mark: str) -> str:
    return marker.replace("{mark}", mark) if "{mark}" in marker else f"{marker} {mark}"


def _appended(text: str, lines: list[str]) -> str:
    """New lines at the end; where the last line had no ending, the new last one has none."""
    if not lines:
        return text
    ending = ending_of(text)
    if text and not text.endswith("\n"):
        return text + "".join(ending + line for line in lines) + _last(lines[-1], text)
    return text + "".join(line + ending for line in lines)


def _last(line: str, text: str) -> str:
    """What ends a last line where there was no ending: nothing, but an empty line is only a line if it has one."""
    return "" if line else ending_of(text)


def _split(text: str) -> list[str]:
    """At `\\n` and nowhere else: a form feed or a Unicode separator is part of its line."""
    parts = text.split("\n")
    return [part + "\n" for part in parts[:-1]] + [part for part in parts[-1:] if part]


def _bare(line: str) -> str:
    return line.removesuffix("\n").removesuffix("\r")
