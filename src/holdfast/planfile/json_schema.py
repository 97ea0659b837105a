"""The JSON Schema of plan files, generated from the structs that also check them.

A reference like `${vars.n}` may stand for any value, because references are replaced before values are checked: so
wherever something else than a free text is wanted, a text with a reference in it is allowed as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import inspect

from holdfast.kinds.contract import Duration, Mode
from holdfast.kinds.registry import names
from holdfast.planfile.arguments import Shape, shape_of
from holdfast.planfile.canonical import plain
from holdfast.planfile.layout import PlanLayout, StageLayout, StepLayout, TaskLayout
from holdfast.planfile.steps import shape_of_kind
from holdfast.planfile.targets import TARGETS

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE: Final[Schema] = {"type": "string", "pattern": r"\$\{"}
_OWN_TYPES: Final[Mapping[type, Schema]] = {
    Duration: {
        "description": "seconds, or a duration like 500ms, 30s, 10m, 1h, 7d",
        "type": ["number", "string"],
        "minimum": 0,
        "pattern": r"^\s*\d+(\.\d+)?\s*(ms|s|m|h|d)\s*$",
    },
    Mode: {"description": "permission bits in octal digits", "type": "string", "pattern": r"^0?[0-7]{3,4}$"},
}
# Of each type that holds no other: its name in JSON Schema, and what it may be limited by.
_LEAVES: Final[Mapping[type[inspect.Type], tuple[str, Mapping[str, str]]]] = {
    inspect.StrType: ("string", {"pattern": "pattern", "min_length": "minLength", "max_length": "maxLength"}),
    inspect.IntType: ("integer", {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}),
    inspect.FloatType: ("number", {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}),
    inspect.BoolType: ("boolean", {}),
    inspect.NoneType: ("null", {}),
}


def plan_schema() -> Schema:
    writer = _Writer()
    plan, task, stage, common = (
        writer.properties(shape_of(layout)) for layout in (PlanLayout, TaskLayout, StageLayout, StepLayout)
    )
    for properties in (plan, task, stage):
        properties |= {key: _list_of(key.removesuffix("s")) for key in ("tasks", "stages", "steps") if key in properties}
    plan["targets"] = {"type": "object", "additionalProperties": _any_of(writer.targets())}
    writer.defs |= {
        "task": _closed(task, ["name"]),
        "stage": _closed(stage, ["name"]),
        "step": _any_of(writer.steps(common)),
    }
    return {"$schema": DIALECT, "title": "Holdfast plan file", **_closed(plan, ["holdfast", "name"]), "$defs": writer.defs}


class _Writer:
    """Writes types as schemas; what has a name of its own is put among the definitions."""

    def __init__(self) -> None:
        self.defs: dict[str, Schema] = {}

    def steps(self, common: Mapping[str, Schema]) -> list[Schema]:
        """One definition for each kind: its own key holds the main argument."""
        references = []
        for name in names():
            shape = shape_of_kind(name)
            if shape is not None:
                own = self.properties(shape)
                main = own.pop(shape.main)
                required = [key for key, field in shape.known.items() if field.required and key != shape.main]
                references.append(self._define(f"step.{name}", _closed({name: main, **own, **common}, [name, *required])))
        return references

    def targets(self) -> list[Schema]:
        return [self._define(f"target.{name}", self._object(shape_of(struct))) for name, struct in TARGETS.items()]

    def properties(self, shape: Shape[Any]) -> dict[str, Schema]:
        found = {}
        for name, field in shape.known.items():
            found[name] = self.schema(inspect.type_info(field.type))
            if field.default is not msgspec.NODEFAULT and field.default is not None:
                found[name] = {**found[name], "default": msgspec.to_builtins(field.default, enc_hook=plain)}
        return found

    def schema(self, type_: inspect.Type) -> Schema:
        """What may stand at a place of this type: a reference, or what the type says."""
        found = self._plain(type_)
        return found if _takes_any_text(found) else {"anyOf": [found, _REFERENCE]}

    def _plain(self, type_: inspect.Type) -> Schema:
        if type(type_) in _LEAVES:
            return _leaf(type_)
        match type_:
            case inspect.Metadata():
                return {**self._plain(type_.type), **(type_.extra_json_schema or {})}
            case inspect.CustomType():
                return dict(_OWN_TYPES[type_.cls])
            case inspect.LiteralType():
                return {"enum": list(type_.values)}
            case inspect.UnionType():
                return {"anyOf": [self._plain(part) for part in type_.types]}
            case inspect.ListType() | inspect.VarTupleType():
                return {"type": "array", "items": self.schema(type_.item_type)}
            case inspect.DictType():
                return {"type": "object", "additionalProperties": self.schema(type_.value_type)}
            case inspect.StructType():
                return self._define(type_.cls.__name__.removesuffix("Layout"), self._object(shape_of(type_.cls)))
            case inspect.AnyType():
                return {}
        raise NotImplementedError(f"no schema for {type_}")

    def _object(self, shape: Shape[Any]) -> Schema:
        return _closed(self.properties(shape), [name for name, field in shape.known.items() if field.required])

    def _define(self, name: str, schema: Schema) -> Schema:
        self.defs[name] = schema
        return {"$ref": f"#/$defs/{name}"}


def _leaf(type_: inspect.Type) -> Schema:
    name, limits = _LEAVES[type(type_)]
    given = {theirs: getattr(type_, ours) for ours, theirs in limits.items()}
    return {"type": name, **{key: value for key, value in given.items() if value is not None}}


def _takes_any_text(schema: Schema) -> bool:
    if not schema or schema == {"type": "string"}:
        return True
    return any(map(_takes_any_text, schema.get("anyOf", ())))


def _closed(properties: Mapping[str, Schema], required: list[str]) -> Schema:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _list_of(name: str) -> Schema:
    return {"type": ["array", "null"], "items": {"$ref": f"#/$defs/{name}"}}


def _any_of(schemas: list[Schema]) -> Schema:
    return {"anyOf": schemas} if schemas else {"not": {}}
