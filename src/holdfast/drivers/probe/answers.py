"""What an answer is, and whether it is the one that was expected. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from holdfast.kinds.health import Expect

SHOWN_LENGTH_MAX: Final = 300
HEALTHY: Final = range(200, 300)
WELL: Final = range(0, 1)  # of a command


class Missing(Exception):
    """A path that leads nowhere."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status of HTTP or the exit code of a command, and what was said."""

    status: int
    body: str
    well: range  # the statuses that are fine when nothing is expected in particular

    def __str__(self) -> str:
        said = shorten(" ".join(self.body.split()))
        word = "exit code" if self.well is WELL else "status"
        return f"{word} {self.status}" + (f", `{said}`" if said else "")


def flaw_of(answer: Answer, expect: Expect) -> str | None:
    """What is not as expected, in words; None when all is well."""
    if not _status_fits(answer, expect):
        return "that status is not fine"
    if expect.body is not None and not _body_fits(answer.body, expect):
        return f"it does not {'match' if expect.pattern else 'hold'} `{expect.body}`"
    return None if expect.json is None else _flaw_of_document(answer.body, expect.json)


def _status_fits(answer: Answer, expect: Expect) -> bool:
    return answer.status in answer.well if expect.status is None else expect.wants(answer.status)


def _body_fits(body: str, expect: Expect) -> bool:
    if expect.pattern is not None:
        return re.search(expect.pattern, body) is not None
    return expect.body is None or expect.body in body


def _flaw_of_document(body: str, wanted: dict[str, Any]) -> str | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return "it is not JSON"
    for path, value in wanted.items():
        try:
            found = at(document, path)
        except Missing:
            return f"it has no `{path}`"
        if not same(found, value):
            return f"`{path}` is {_written(found)}, not {_written(value)}"
    return None


def at(document: Any, path: str) -> Any:
    """The value a dotted path leads to; numbers index lists."""
    for word in path.split("."):
        if isinstance(document, dict) and word in document:
            document = document[word]
        elif isinstance(document, list) and word.isdecimal() and int(word) < len(document):
            document = document[int(word)]
        else:
            raise Missing(path)
    return document


def same(one: Any, other: Any) -> bool:
    """As JSON sees it: 1 and 1.0 are one number, but 1 is not true and not "1"."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    return bool(one == other)


def shorten(text: str) -> str:
    return text if len(text) <= SHOWN_LENGTH_MAX else text[:SHOWN_LENGTH_MAX] + "..."


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
