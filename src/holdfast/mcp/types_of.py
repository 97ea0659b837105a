"""What steps can do and where they work, told to somebody who writes plans."""

from __future__ import annotations

import inspect
from typing import Any

from holdfast import planfile
from holdfast.core.errors import Refused
from holdfast.kinds.registry import kind_of, names


def resource_types(only: str | None = None) -> dict[str, Any]:
    """All kinds and types of targets; or one kind, with the schema of a step of it."""
    if only is not None and only not in names():
        raise Refused(f"there is no kind `{only}`", code="unknown_kind", hint="list_resource_types without `kind` lists them")
    definitions = planfile.schema()["$defs"]
    kinds = [_told(name, definitions, whole=only is not None) for name in names() if only in (None, name)]
    targets = [
        {"type": name.removeprefix("target."), "arguments": list(schema["properties"])}
        for name, schema in definitions.items()
        if name.startswith("target.")
    ]
    return {"kinds": kinds, "targets": [{"type": "local", "arguments": []}, {"type": "memory", "arguments": []}, *targets]}


def _told(name: str, definitions: dict[str, Any], *, whole: bool) -> dict[str, Any]:
    kind = kind_of(name)
    assert kind is not None
    common = set(definitions["step.wait"]["properties"]) - {"wait"}
    schema = definitions[f"step.{name}"]
    found = {
        "kind": name,
        "main": kind.main,
        "family": kind.family,
        "action": _first_line(kind),
        "arguments": [key for key in schema["properties"] if key not in common],
    }
    return {**found, "schema": schema} if whole else found


def _first_line(kind: type) -> str:
    """What the module of a kind says of it."""
    text = inspect.getdoc(inspect.getmodule(kind)) or ""
    return text.partition("\n")[0]
