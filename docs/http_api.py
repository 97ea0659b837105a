"""The HTTP API as a reference page, from the table of routes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from holdfast.web import asked, documents
from holdfast.web.openapi import REF, statuses
from holdfast.web.routes import ROUTES, Route

Table = Callable[[tuple[str, ...], list[Any]], str]

INTRODUCTION = """\
Every route but `/healthz` needs `Authorization: Bearer TOKEN`, or the session of a browser. Roles include those before
them: viewer, operator, approver, admin. A token that is confined to tenants reaches what is marked so, and there only runs
whose every task belongs to its tenants. `/openapi.json` says the same to programs.

An answer that is no success is `{"error": {"code", "message", "hint", "problems"?}}`; every route may also answer 401, 403,
405, 421 and 422, and one that takes a document 408, 413 and 415. A route with a stream answers Server-Sent Events to whoever
accepts `text/event-stream`: `id` is the number of the event in the journal, and `Last-Event-ID` goes on after it. After an
overflow there is one `event: reset`."""


def page(table: Table) -> str:
    parts = ["# HTTP API", INTRODUCTION, "## Routes", _routes(table), "## Documents that are sent"]
    for type_ in dict.fromkeys(route.body for route in ROUTES if route.body):
        parts += _document(type_, table)
    parts.append("## Queries")
    for query in dict.fromkeys(route.query for route in ROUTES if route.query is not asked.Nothing):
        parts += _document(query, table)
    parts.append("## Answers")
    for answer in sorted({name for route in ROUTES if route.answer for name in _names(route.answer)}):
        parts += _document(getattr(documents, answer), table)
    return "\n\n".join(parts)


def _routes(table: Table) -> str:
    rows = [
        (
            f"`{route.method} {route.path}`",
            route.role or "everybody",
            "yes" if route.confined and route.role else "",
            route.about + (", or stream them" if route.stream else ""),
            _linked(route.query) if route.query is not asked.Nothing else _linked(route.body),
            ", ".join(_said(route)),
        )
        for route in ROUTES
    ]
    return table(("route", "role", "tenants", "what it does", "takes", "answers"), rows)


def _said(route: Route) -> Iterator[str]:
    usual = {401, 403, 405, 408, 413, 415, 421, 422}
    for status in statuses(route):
        if status not in usual:
            yield f"{status} {_linked(route.answer)}".strip() if status == route.status else str(status)


def _linked(type_: type[Any] | None) -> str:
    return "" if type_ is None or type_ is asked.Nothing else f"[{type_.__name__}](#{type_.__name__.lower()})"


def _names(type_: type[Any]) -> list[str]:
    """The type and every type within it."""
    return list(msgspec.json.schema_components([type_], ref_template=REF)[1])


def _document(type_: type[Any], table: Table) -> list[str]:
    if type_ is asked.Nothing:
        return []
    schemas = msgspec.json.schema_components([type_], ref_template=REF)[1]
    schema = schemas[type_.__name__]
    required = set(schema.get("required", ()))
    rows = [(f"`{name}`", _type(said), _about(said, name in required)) for name, said in schema.get("properties", {}).items()]
    about = (type_.__doc__ or "").strip()
    said = [about] if about and not about.startswith(type_.__name__) else []
    return [f"### {type_.__name__}", *said, table(("field", "type", ""), rows)]


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}" if "items" in schema else "list"
    return str(schema.get("type", "anything"))


def _about(schema: dict[str, Any], required: bool) -> str:
    said = schema.get("description", "")
    default = schema.get("default")
    usual = "" if default is None else f"default `{default}`"
    return "; ".join(part for part in (said, usual, "required" if required else "") if part)
