"""Patterns for relative paths: `*` and `?` within one name, `**` across names, `[...]` for one character.

A pattern without `/` is about names at any depth; one with `/` is about the whole relative path. What lies beneath
something that matches is matched with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def matched(patterns: Sequence[str], paths: Iterable[str]) -> set[str]:
    """Those of the paths that a pattern is about; parents come before children."""
    found: set[str] = set()
    if not patterns:
        return found
    about = re.compile("|".join(_expression(pattern) for pattern in patterns)).fullmatch
    for path in paths:
        if path.rpartition("/")[0] in found or about(path):
            found.add(path)
    return found


def _expression(pattern: str) -> str:
    whole = pattern.strip("/")
    anywhere = "" if "/" in pattern.rstrip("/") else "(?:.*/)?"
    return f"(?:(?s:{anywhere}{''.join(_translated(part) for part in _PART.findall(whole))}))"


_PART = re.compile(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)
_SPECIAL = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def _translated(part: str) -> str:
    if part in _SPECIAL:
        return _SPECIAL[part]
    if len(part) == 1:
        return re.escape(part)
    inner = part[1:-1].replace("\\", "\\\\").replace("[", "\\[")
    return f"(?!/)[{'^' + inner[1:] if inner.startswith('!') else inner}]"
