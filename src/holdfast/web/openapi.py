"""The table as a description of the API: OpenAPI 3.1."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from holdfast import __version__
from holdfast.web import documents
from holdfast.web.refusals import INVALID
from holdfast.web.routes import API, ROUTES, Route

REF: Final = "#/components/schemas/{name}"
MEANINGS: Final = {
    200: "the answer",
    201: "made",
    202: "accepted; the run goes on by itself",
    204: "the run is over, and there is no event after this number",
    401: "no token, or one that is not known or has expired",
    403: "the role, the tenants or the origin do not allow it",
    404: "unknown",
    405: "nothing that can be done here",
    408: "the body did not come in time",
    409: "not possible in this state",
    413: "too large",
    415: "only JSON is understood",
    421: "not a host of this server",
    422: "the document is not valid; `problems` says where",
    424: "a target did not play along",
    503: "too much at once, the server is stopping, or the journal is damaged",
}


# What can be asked next with what an answer says: (field of the answer, path) by the route that answers.
VERBS: Final = tuple(f"/{verb}" for verb in ("pause", "resume", "cancel", "retry", "rollback", "confirm", "approve"))
_OF_RUN: Final = tuple(("run", f"{API}/runs/{{id}}{rest}") for rest in ("", "/events", "/changes", "/timeline", *VERBS))
_OF_CHECKPOINT: Final = tuple(("name", f"{API}/checkpoints/{{name}}{rest}") for rest in ("", "/diff", "/restore"))
LINKS: Final[Mapping[tuple[str, str], Sequence[tuple[str, str]]]] = {
    ("POST", f"{API}/runs"): _OF_RUN,
    ("POST", f"{API}/plans"): (("id", f"{API}/plans/{{id}}"),),
    ("POST", f"{API}/checkpoints"): _OF_CHECKPOINT,
    ("POST", f"{API}/checkpoints/{{name}}/restore"): _OF_RUN,
}


def describe() -> dict[str, Any]:
    types = {route.answer for route in ROUTES if route.answer} | {route.body for route in ROUTES if route.body}
    schemas = msgspec.json.schema_components([*types, documents.Error, *(r.query for r in ROUTES)], ref_template=REF)[1]
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Holdfast", "version": __version__, "description": "Changes the world as a transaction."},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def statuses(route: Route) -> list[int]:
    """Everything a route may answer."""
    found = {route.status, 421, 403, *route.others}
    if route.role is not None:
        found |= {401, INVALID, 503}
    if route.body is not None:
        found |= {408, 413, 415}
    return sorted(found | ({204} if route.stream else set()))


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _id_of(route.path, route.method),
        "summary": route.about,
        "parameters": [*_path_parameters(route), *_query_parameters(route, schemas)],
        "responses": {str(status): _response(route, status) for status in statuses(route)},
        "security": [{"token": []}] if route.role else [],
    }
    if route.role:
        operation["description"] = f"Needs the role {route.role}."
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(route.body)}}}
    return operation


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    names = re.findall(r"\{(\w+)\}", route.path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(route: Route, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    fields = schemas[route.query.__name__].get("properties", {})
    found = [{"name": name, "in": "query", "schema": schema} for name, schema in fields.items()]
    if route.stream:
        schema = {"type": "integer", "minimum": 0}
        found.append({"name": "Last-Event-ID", "in": "header", "schema": schema})
    return found


def _response(route: Route, status: int) -> dict[str, Any]:
    response: dict[str, Any] = {"description": MEANINGS[status]}
    links = LINKS.get((route.method, route.path))
    if status == route.status and links:
        response["links"] = {
            _id_of(path, method): _link(field, path, method) for field, path in links for method in _methods(path)
        }
    if status == route.status and route.answer is None:
        response["content"] = {route.media.partition(";")[0]: {"schema": {"type": "string"}}}
    elif status == route.status and route.answer is not None:
        response["content"] = {"application/json": {"schema": _ref(route.answer)}}
        if route.stream:
            response["content"]["text/event-stream"] = {"schema": {"type": "string"}}
    elif status != 204:
        response["content"] = {"application/json": {"schema": _ref(documents.Error)}}
    return response


def _methods(path: str) -> list[str]:
    return [route.method for route in ROUTES if route.path == path]


def _link(field: str, path: str, method: str) -> dict[str, Any]:
    name = re.findall(r"\{(\w+)\}", path)[0]
    return {"operationId": _id_of(path, method), "parameters": {f"path.{name}": f"$response.body#/{field}"}}


def _id_of(path: str, method: str) -> str:
    return f"{method.lower()}_{re.sub(r'[^a-z]+', '_', path.removeprefix(API).lower()).strip('_')}"


def _ref(type_: type[Any]) -> dict[str, str]:
    return {"$ref": REF.format(name=type_.__name__)}
