"""Documents of services: the state of a configuration, and the key that says where it is and how it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from holdfast.kinds.contract import Secret

PREFIX: Final = "config:"

Json = dict[str, Any]


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a document is. Its key holds everything there is to know, so that undoing needs nothing else."""

    url: str
    read: str = "GET"
    write: str = "PUT"
    headers: dict[str, str | Secret] = {}

    @property
    def key(self) -> str:
        ways = {name: value for name, value in msgspec.to_builtins(self).items() if name != "url"}
        return f"{PREFIX}{self.url}" + (f" {msgspec.json.encode(ways, order='sorted').decode()}" if ways else "")

    @classmethod
    def of(cls, key: str) -> Place:
        url, _, ways = key.removeprefix(PREFIX).partition(" ")
        return msgspec.convert({"url": url, **(msgspec.json.decode(ways) if ways else {})}, cls)


@dataclass(frozen=True, slots=True)
class Document:
    """A document; with `values` None there is none.

    What was read counts as a whole. What was written down (`partial`) counts in the fields it names: a service may
    add others. `previous` is what undoing puts back instead of what was read, because somebody said so.
    """

    values: Json | None = None
    partial: bool = False
    previous: Json | None = None

    @property
    def exists(self) -> bool:
        return self.values is not None

    def same(self, other: Any, /) -> bool:
        return isinstance(other, Document) and (
            _same(self, other)
            or (self.previous is not None and _same(Document(self.previous, True), other))
            or (other.previous is not None and _same(Document(other.previous, True), self))
        )

    @property
    def wanted(self) -> Document:
        """What has to be there when this state is to be brought about."""
        return self if self.previous is None else Document(self.previous, True)

    @property
    def version(self) -> Any:
        return (self.wanted.values or {}).get("version")

    def plain(self) -> Any:
        said: dict[str, Any] = {"document": self.values}
        said.update({"partial": True} if self.partial else {})
        said.update({"previous": self.previous} if self.previous is not None else {})
        return said

    @classmethod
    def parse(cls, plain: Mapping[str, Any]) -> Document:
        return cls(plain["document"], plain.get("partial", False), plain.get("previous"))


def _same(one: Document, other: Document) -> bool:
    if one.values is None or other.values is None:
        return one.values is other.values
    if one.partial:
        return _holds(other.values, one.values)
    return _holds(one.values, other.values) if other.partial else equal(one.values, other.values)


def _holds(found: Json, wanted: Json) -> bool:
    return all(name in found and equal(found[name], value) for name, value in wanted.items())


def equal(one: Any, other: Any) -> bool:
    """As JSON sees it: 1 and 1.0 are one number, but 1 is not true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(value, other[name]) for name, value in one.items())
    return bool(one == other)


@dataclass(frozen=True, slots=True)
class Reported:
    """What a health check stands for: everybody reports this version. Nobody can look at it, only ask."""

    done: bool
    version: Any = None

    @property
    def exists(self) -> bool:
        return True

    def same(self, other: Any, /) -> bool:
        return isinstance(other, Reported) and self.done is other.done

    def plain(self) -> Any:
        return {"done": self.done, "version": self.version}


VERSIONS: Final = "versions"  # the note in which config steps say what they write, and what undoing restores


def versions_in(notes: dict[str, object]) -> dict[str, tuple[Any, Any]]:
    """By step: the version it writes, and the one it would restore; of this fold."""
    found = notes.setdefault(VERSIONS, {})
    assert isinstance(found, dict)
    return found
