"""YAML through the event parser of libyaml: plain values, YAML 1.2 scalars, no surprises.

Composed here and not by PyYAML, because that would cost five times as much, read YAML 1.1 (where `on` is true and
`0644` is octal), let the last of two equal keys win, and expand any alias.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from yaml import YAMLError
from yaml.error import MarkedYAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from holdfast.planfile.marks import ALIASES_MAX, DEPTH_MAX, NODES_MAX, Flawed, Mark, Marks, Path, Unreadable, too_deep, too_many

try:
    from yaml._yaml import CParser as EventParser
except ImportError:  # a PyYAML that was built without libyaml: the same events, ten times slower
    from yaml import SafeLoader as EventParser  # type: ignore[assignment]

_WORDS: Final[dict[str, Any]] = {"": None, "~": None} | {
    form: value
    for word, value in {"null": None, "true": True, "false": False}.items()
    for form in (word, word.capitalize(), word.upper())
}
_MAY_BE_A_VALUE: Final = frozenset("0123456789+-.~ntfNTF")  # first characters of every plain scalar that is not a text
_INTEGER: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_TAG: Final = "tag:yaml.org,2002:"
_BASES: Final = {"0o": 8, "0x": 16}


def read(text: str) -> tuple[Any, list[Flawed]]:
    """The value of the one document in a text, and everything in it that is not allowed."""
    composer = _Composer(text)
    try:
        return composer.document(), composer.flaws
    except YAMLError as error:
        raise Unreadable(_syntax(error, text)) from error


def marks(text: str) -> Marks:
    """The place of every key and value of a text that could be read."""
    found = Marks()
    events = _events(text)
    event = events()
    while not isinstance(event, (DocumentStartEvent, StreamEndEvent)):
        event = events()
    if isinstance(event, DocumentStartEvent):
        _mark(events, events(), (), found)
    return found


def plain_scalar(text: str) -> Any:
    """What an unquoted scalar means under the core schema of YAML 1.2."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text, _BASES.get(text[:2], 10))
    if _FLOAT.fullmatch(text):
        return float(text)
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"`{text}` is not a finite number")
    return text


class _Composer:
    def __init__(self, text: str) -> None:
        self.next: Callable[[], Any] = EventParser(text).get_event
        self.flaws: list[Flawed] = []
        self.depth = 0
        self.nodes = 0
        self.aliases = 0
        self.anchors: dict[str, tuple[Any, int, int]] = {}  # value, how many nodes it holds, how deep it is
        self.deepest = 0

    def document(self) -> Any:
        self.next()  # the start of the stream
        if type(self.next()) is StreamEndEvent:
            return None
        value = self.node(self.next())
        self.next()  # the end of the document
        another = self.next()
        if type(another) is not StreamEndEvent:
            self.flaw("syntax", "a second document begins here", another, "a plan file holds one document: remove the `---`")
        return value

    def node(self, event: Any) -> Any:
        kind = type(event)
        if kind is ScalarEvent:
            value = event.value
            if event.implicit[0]:
                if not value or value[0] in _MAY_BE_A_VALUE:
                    value = self.resolved(event, value)
            elif event.tag is not None:
                value = self.tagged(event, value)
            if event.anchor is not None:
                self.anchors[event.anchor] = (value, 1, 0)
            return value
        if kind is AliasEvent:
            return self.alias(event)
        return self.collection(event, self.mapping if kind is MappingStartEvent else self.sequence)

    def collection(self, event: Any, fill: Callable[[Any], Any]) -> Any:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise too_deep(_at(event))
        before, around, self.deepest = self.nodes, self.deepest, self.depth
        if event.tag is not None and event.tag not in (_TAG + "map", _TAG + "seq"):
            self.unknown_tag(event)
        value = fill(event)
        if self.nodes > NODES_MAX:
            raise too_many(_at(event))
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, self.nodes - before, self.deepest - self.depth + 1)
        self.deepest = max(around, self.deepest)
        self.depth -= 1
        return value

    def mapping(self, _: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        take, node = self.next, self.node
        event = take()
        while type(event) is not MappingEndEvent:
            if type(event) is ScalarEvent:
                key = event.value
                if key in found or key == "<<":
                    self.bad_key(event, key)
            else:
                key = self.compound_key(event)
            found[key] = node(take())
            event = take()
        self.nodes += 1 + 2 * len(found)
        return found

    def sequence(self, _: Any) -> list[Any]:
        found: list[Any] = []
        take, node = self.next, self.node
        event = take()
        while type(event) is not SequenceEndEvent:
            found.append(node(event))
            event = take()
        self.nodes += 1 + len(found)
        return found

    def alias(self, event: Any) -> Any:
        self.aliases += 1
        if self.aliases > ALIASES_MAX:
            raise Unreadable(Flawed("too_large", f"more than {ALIASES_MAX} aliases", _at(event), hint="use `vars` or `each`"))
        known = self.anchors.get(event.anchor)
        if known is None:
            self.flaw("syntax", f"the alias `*{event.anchor}` has no anchor before it", event, "an anchor cannot hold itself")
            return None
        value, nodes, depth = known
        self.nodes += nodes
        self.deepest = max(self.deepest, self.depth + depth)
        if self.nodes > NODES_MAX:
            raise too_many(_at(event))
        if self.depth + depth > DEPTH_MAX:
            raise too_deep(_at(event))
        return value

    def resolved(self, event: Any, text: str) -> Any:
        try:
            return plain_scalar(text)
        except ValueError as error:  # also: an integer with thousands of digits
            self.flaw("invalid_value", str(error), event)
            return None

    def tagged(self, event: Any, text: str) -> Any:
        """A scalar with a tag of its own: `!!str 5`."""
        if event.tag in (_TAG + "str", "!"):
            return text
        value = self.resolved(event, text)
        names = {str: "str", int: "int", float: "float", bool: "bool", type(None): "null"}
        if event.tag == _TAG + names[type(value)]:
            return value
        if event.tag == _TAG + "float" and type(value) is int:
            return float(value)
        self.unknown_tag(event)
        return value

    def bad_key(self, event: Any, key: str) -> None:
        if key == "<<":
            self.flaw("unknown_key", "merge keys (`<<`) are not part of YAML 1.2", event, "repeat the keys, or use `vars`")
        else:
            self.flaw("duplicate_key", f"the key `{key}` stands here a second time", event)

    def compound_key(self, event: Any) -> str:
        self.flaw("syntax", "a key must be a plain text", event, "put it in quotes")
        value = self.node(event)
        return value if isinstance(value, str) else repr(value)

    def unknown_tag(self, event: Any) -> None:
        tag = event.tag.replace(_TAG, "!!")
        self.flaw("invalid_value", f"the tag `{tag}` does not fit here", event, "remove it: a plan file holds plain values")

    def flaw(self, code: str, message: str, event: Any, hint: str = "") -> None:
        self.flaws.append(Flawed(code, message, _at(event), hint=hint))


def _at(event: Any) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)


def _events(text: str) -> Callable[[], Any]:
    get_event: Callable[[], Any] = EventParser(text).get_event
    return get_event


def _mark(events: Callable[[], Any], event: Any, path: Path, found: Marks) -> None:
    """Note where a node and everything in it stands; of two equal keys the last is noted, as its value is kept."""
    found.values[path] = _at(event)
    if type(event) is MappingStartEvent:
        while type(event := events()) is not MappingEndEvent:
            if type(event) is not ScalarEvent:
                _mark(events, event, path, Marks())
                _mark(events, events(), path, Marks())
                continue
            inner = (*path, event.value)
            found.keys[inner] = _at(event)
            _mark(events, events(), inner, found)
    elif type(event) is SequenceStartEvent:
        position = 0
        while type(event := events()) is not SequenceEndEvent:
            _mark(events, event, (*path, position), found)
            position += 1


def _syntax(error: YAMLError, text: str) -> Flawed:
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        message = ", ".join(part for part in (error.context, error.problem) if part)
        if mark is None:
            return Flawed("syntax", f"not YAML: {message}")
        hint = "indent with spaces: YAML takes no tabs there" if text[mark.index : mark.index + 1] == "\t" else ""
        return Flawed("syntax", f"not YAML: {message}", Mark(mark.line + 1, mark.column + 1), hint=hint)
    position = getattr(error, "position", None)
    if position is None:
        return Flawed("syntax", f"not YAML: {error}")
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return Flawed("syntax", "not YAML: a control character in the text", Mark(line, column), hint="write it as an escape")
