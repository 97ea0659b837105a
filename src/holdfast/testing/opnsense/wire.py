"""One request and one answer as values, and how the appliance reads a body and writes JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import parse_qsl

JSON: Final = "application/json; charset=UTF-8"
HTML: Final = "text/html; charset=UTF-8"
_JSON_TYPES: Final = ("application/json", "application/json;charset=utf-8")


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    uri: str
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    body: bytes = b""
    peer: str = "127.0.0.1"
    served: int = 1  # which request of its connection it is

    @property
    def path(self) -> str:
        return self.uri.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What happens to an answer on its way: how much of it goes out, how fast, and how the connection ends."""

    silent: bool = False  # nothing goes out at all
    truncate: int | None = None  # so many bytes of the body
    drip: tuple[int, float] | None = None  # so many bytes, every so many seconds
    end: str = ""  # "rst", "fin" or "hang": instead of being kept open


@dataclass(frozen=True, slots=True)
class Response:
    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    delivery: Delivery = Delivery()

    @classmethod
    def json(cls, value: object, status: int = 200) -> Response:
        return cls(status, dumps(value).encode())

    def delivered(self, **how: Any) -> Response:
        return replace(self, delivery=replace(self.delivery, **how))


def dumps(value: object) -> str:
    """JSON as PHP writes it: slashes escaped, an empty map or one counted from 0 written as a list."""
    return json.dumps(_php(value), ensure_ascii=True, separators=(",", ":")).replace("/", "\\/")


def _php(value: object) -> object:
    if isinstance(value, str):  # as nearly everything is
        return value
    if isinstance(value, Mapping):
        if str(next(iter(value), "0")) == "0" and [str(key) for key in value] == [str(index) for index in range(len(value))]:
            return [_php(entry) for entry in value.values()]
        return {str(key): entry if isinstance(entry, str) else _php(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_php(entry) for entry in value]
    return value


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def content_kind(request: Request) -> str:
    return request.headers.get("content-type", "").replace(" ", "").lower()


def lacks_its_json(request: Request) -> bool:
    return content_kind(request) in _JSON_TYPES and not request.body


def read_body(request: Request) -> dict[str, Any]:
    """What an action sees of the body; whatever cannot be read is seen as nothing."""
    if content_kind(request) in _JSON_TYPES:
        return _read_json(request.body)
    if content_kind(request).startswith("application/x-www-form-urlencoded"):
        return _read_form(request.body)
    return {}


def _read_json(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _read_form(body: bytes) -> dict[str, Any]:
    """Bracket names: `rule[enabled]=1` is a map in a map."""
    form: dict[str, Any] = {}
    for name, value in parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True):
        first, *rest = [name.partition("[")[0], *re.findall(r"\[([^]]*)\]", name)]
        place = form
        for key in rest:
            inner = place.setdefault(first, {})
            place, first = inner if isinstance(inner, dict) else {}, key or str(len(inner))
        place[first] = value
    return form
