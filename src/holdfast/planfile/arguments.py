"""A mapping becomes a struct, or every reason why not: the fast way for all that is sound, and field by field else.

msgspec stops at the first error; whoever repairs a plan wants to see all of them, each at its own place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import UnionType
from typing import Any, Final, Generic, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Meta
from msgspec.structs import FieldInfo

from holdfast.core.errors import Problem
from holdfast.kinds.contract import Kind, Secret, decode
from holdfast.planfile.marks import Path
from holdfast.planfile.paths import Misplaced
from holdfast.planfile.source import Spot, meant
from holdfast.planfile.variables import BROKEN

_AT: Final = re.compile(r" - at `(?:key in )?\$([^`]*)`$")
_STEP: Final = re.compile(r"\[(\d+)\]|\.([^.\[]+)")
_WORDS: Final = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}
Rewrite = Callable[[str], str | Misplaced]
Walk = Callable[[Any, tuple[str, ...], Rewrite, Spot, list[Problem]], Any]
Texts = Callable[[str], Any]  # the same argument with numbers in references written out; BROKEN if there are none
S = TypeVar("S", bound=msgspec.Struct)


class Shape(Generic[S]):
    """What a struct takes, read off the class once."""

    __slots__ = ("encoded", "flawless", "here", "known", "lands", "main", "name", "secrets", "struct", "templates", "there")
    here: tuple[tuple[str, ...], ...]  # ways through the mapping to paths; see `Kind` for which is which
    there: tuple[tuple[str, ...], ...]
    templates: tuple[tuple[str, ...], ...]

    def __init__(self, struct: type[S]) -> None:
        fields = msgspec.structs.fields(struct)
        self.struct = struct
        self.encoded = {field.name: field.encode_name for field in fields}
        self.known: dict[str, FieldInfo] = {field.encode_name: field for field in fields}
        self.secrets = tuple(field.encode_name for field in fields if _holds_secret(field.type))
        self.name = self.main = self.lands = ""
        self.here = self._ways(getattr(struct, "here", ()))
        self.there = self.templates = ()
        self.flawless = getattr(struct, "flaws", Kind.flaws) is Kind.flaws
        if issubclass(struct, Kind):
            self.name, self.main, self.lands = struct.kind, self.encoded[struct.main], struct.lands
            self.there, self.templates = map(self._ways, (struct.there, struct.templates))

    def _ways(self, names: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
        """`text.source` -> the way through the mapping as it is written."""
        return tuple((self.encoded.get(first, first), *rest) for first, *rest in (name.split(".") for name in names))


def shape_of(struct: type[S]) -> Shape[S]:
    return _read_off(struct)


@cache
def _read_off(struct: type[Any]) -> Shape[Any]:
    return Shape(struct)


def fill(shape: Shape[S], given: Mapping[str, Any], spot: Spot, found: list[Problem], texts: Texts | None = None) -> S | None:
    """The struct; or None, and at least one problem more unless an argument was BROKEN before."""
    before = len(found)
    try:
        made = None if BROKEN in given.values() else msgspec.convert(given, shape.struct, dec_hook=decode)
    except msgspec.ValidationError:
        made = None
    if made is None:
        made = _field_by_field(shape, given, spot, found, texts)
    if made is not None and not shape.flawless:
        sound(shape, made, spot, found)
    return made if len(found) == before else None


def sound(shape: Shape[Any], made: Any, spot: Spot, found: list[Problem]) -> None:
    """Does a struct say of itself that its arguments fit together?"""
    for flaw in made.flaws():
        name = shape.encoded.get(flaw.field, flaw.field)
        found.append(spot.into(shape.name if name == shape.main else name).problem(flaw.code, flaw.message, flaw.hint))


def rewrite(value: Any, way: tuple[str, ...], change: Rewrite, spot: Spot, found: list[Problem]) -> Any:
    """The value with every path in it changed: a text, a list of texts, or what a way leads to inside a mapping."""
    if way:
        if type(value) is not dict or way[0] not in value:
            return value
        inner = rewrite(value[way[0]], way[1:], change, spot.into(way[0]), found)
        return BROKEN if inner is BROKEN else {**value, way[0]: inner}
    if type(value) is list:
        items = [rewrite(item, (), change, spot.into(number), found) for number, item in enumerate(value)]
        return BROKEN if BROKEN in items else items
    if type(value) is not str:
        return value
    changed = change(value)
    if isinstance(changed, str):
        return changed
    found.append(spot.problem(changed.code, changed.message, changed.hint))
    return BROKEN


def rewrite_secrets(value: Any, _: tuple[str, ...], change: Rewrite, spot: Spot, found: list[Problem]) -> Any:
    """The value with every reference to a secret in it changed, however deep it stands."""
    if type(value) is list:
        entries = [rewrite_secrets(item, (), change, spot.into(number), found) for number, item in enumerate(value)]
        return BROKEN if BROKEN in entries else entries
    if type(value) is not dict:
        return value
    if value.keys() == {"secret"}:
        return rewrite(value, ("secret",), change, spot, found)
    items = {key: rewrite_secrets(item, (), change, spot.into(key), found) for key, item in value.items()}
    return BROKEN if BROKEN in items.values() else items


def _field_by_field(
    shape: Shape[S], given: Mapping[str, Any], spot: Spot, found: list[Problem], texts: Texts | None
) -> S | None:
    """What is known of it is made all the same, because that may have problems of its own."""
    found += _unknown(shape, given, spot)
    before = len(found)
    values: dict[str, Any] = {}
    for name, field in shape.known.items():
        if name in given:
            inside = spot.into(shape.name if name == shape.main else name)
            values[field.name] = fill_one(name, field, given[name], inside, found, texts)
        elif field.required:
            found.append(spot.problem("missing_key", f"`{name}` is missing"))
    if len(found) > before or BROKEN in values.values():
        return None
    try:
        return shape.struct(**values)
    except (ValueError, TypeError) as error:  # the values are fine one by one, but not together
        found.append(spot.problem("invalid_value", str(error)))
        return None


def fill_one(name: str, field: FieldInfo, value: Any, spot: Spot, found: list[Problem], texts: Texts | None = None) -> Any:
    """One argument; or BROKEN, and a problem more unless it was BROKEN before."""
    if value is BROKEN:
        return BROKEN
    try:
        return msgspec.convert(value, field.type, dec_hook=decode)
    except msgspec.ValidationError as first:
        error = first
        try:
            return msgspec.convert(_written_out(value), field.type, dec_hook=decode)
        except msgspec.ValidationError as second:  # of a list with a number and `true` it is the latter that does not fit
            error = second
        text = texts(name) if texts else BROKEN
        if text is not BROKEN:
            try:
                return msgspec.convert(text, field.type, strict=False, dec_hook=decode)
            except msgspec.ValidationError:
                pass  # what was given at first is what the problem is about
        inner = struct_in(field.type) if type(value) is dict else None
        before = len(found)
        made = None if inner is None else fill(shape_of(inner), value, spot, found)
        if made is not None:
            return made
        if len(found) == before:
            found.append(_problem(error, field, value, spot))
        return BROKEN


def _written_out(value: Any) -> Any:
    """Numbers in a list or a mapping as texts: `command: [sleep, 2]` and `env: {PORT: 80}` mean what they say."""
    if type(value) is list:
        return [str(item) if type(item) in (int, float) else item for item in value]
    if type(value) is dict:
        return {key: str(item) if type(item) in (int, float) else item for key, item in value.items()}
    return value


def _problem(error: msgspec.ValidationError, field: FieldInfo, value: Any, spot: Spot) -> Problem:
    message, path = _worded(error)
    culprit = _follow(value, path)
    if isinstance(culprit, str) and _holds_secret(field.type) and message.startswith("expected a mapping"):
        return spot.into(*path).problem("literal_secret", f"`{spot.path[-1]}` holds a secret, which must not stand in a plan")
    if message.startswith("invalid enum value") and (choices := [str(choice) for choice in _choices(field.type)]):
        allowed = ", ".join(f"`{choice}`" for choice in choices)
        text = f"`{spot.path[-1]}` can be {allowed}; this is `{culprit}`"
        return spot.into(*path).problem("invalid_value", text, meant(str(culprit), choices))
    if "matching regex" in message and (description := _description(field.type)):
        return spot.into(*path).problem("invalid_value", f"`{culprit}` is no `{spot.path[-1]}`", f"use {description}")
    message, _, hint = message.partition("; ")
    if message.startswith("expected a text") and message.endswith(("number", "false")):
        hint = "write it in quotes"
    code = "unknown_key" if "unknown field" in message else "missing_key" if "required field" in message else "invalid_value"
    return spot.into(*path).problem(code, f"`{spot.path[-1]}`: {message}" if spot.path else message, hint)


def _unknown(shape: Shape[Any], given: Mapping[str, Any], spot: Spot) -> Iterator[Problem]:
    for name in given:
        if name not in shape.known:
            owner = f" of `{shape.name}`" if shape.name else ""
            hint = meant(name, shape.known) or f"known here: {', '.join(sorted(shape.known.keys() - {shape.main}))}"
            yield spot.into(name).problem("unknown_key", f"`{name}` is not a key{owner}", hint, key=True)


def _worded(error: msgspec.ValidationError) -> tuple[str, Path]:
    """What msgspec says in the words of plan files, and the path inside the value it speaks of."""
    text = str(error)
    found = _AT.search(text)
    path: Path = ()
    if found:
        text = text[: found.start()]
        path = tuple(int(step[1]) if step[1] else step[2] for step in _STEP.finditer(found[1]))
    if text.startswith("Expected `"):
        text = re.sub(r"`([a-z| ]+)`", lambda types: _types(types[1]), text)
    elif text.startswith("Object contains unknown"):
        text = text.removeprefix("Object contains ")
    elif text.startswith("Object missing required"):
        text = text.removeprefix("Object ")
    return text[0].lower() + text[1:], path


def _types(names: str) -> str:
    named = names.split(" | ")
    return " or ".join(_WORDS.get(name, name) for name in named if name != "null" or len(named) == 1)


def _follow(value: Any, path: Path) -> Any:
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return value
    return value


def _holds_secret(type_: Any) -> bool:
    if type_ is Secret:
        return True
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        return any(_holds_secret(field.type) for field in msgspec.structs.fields(type_))
    return any(_holds_secret(part) for part in get_args(type_))


def struct_in(type_: Any) -> type[msgspec.Struct] | None:
    """The one struct that a mapping could become."""
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        return type_
    if get_origin(type_) not in (Union, UnionType):
        return None
    structs = [part for part in get_args(type_) if isinstance(part, type) and issubclass(part, msgspec.Struct)]
    return structs[0] if len(structs) == 1 else None


def _choices(type_: Any) -> list[Any]:
    """What a `Literal` in the type allows."""
    if get_origin(type_) is Literal:
        return list(get_args(type_))
    return [choice for part in get_args(type_) for choice in _choices(part)]


def _description(type_: Any) -> str:
    if isinstance(type_, Meta):
        return type_.description or ""
    return next(filter(None, map(_description, get_args(type_))), "")
