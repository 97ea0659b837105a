"""What every operation kind is made of; see `holdfast.core.plan.Operation` for its promises.

A kind is a frozen msgspec struct: its fields are the arguments of a step, so validation, JSON Schema and reference
documentation are read off the class. A new kind is one new file and one line in `registry.KINDS`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final, NamedTuple, Self

import msgspec

from holdfast.core.change import Change, Claim
from holdfast.core.predict import View


class Flaw(NamedTuple):
    """One thing wrong with the arguments of a step."""

    field: str
    message: str
    code: str = "invalid_value"
    hint: str = ""


class Kind(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    kind: ClassVar[str]
    main: ClassVar[str]  # the field that the kind's own key holds: `link: PATH` sets `path`
    family: ClassVar[str]
    batched: ClassVar[bool] = True
    here: ClassVar[tuple[str, ...]] = ()  # fields with paths where Holdfast runs (sources); relative to the plan file
    templates: ClassVar[tuple[str, ...]] = ()  # of `here`: those whose contents name the variables of the plan
    lands: ClassVar[str] = ""  # the target whose resources it changes; what it was written for is then its `host`
    there: ClassVar[tuple[str, ...]] = ()  # fields with paths on the target; on `local` relative to the plan file

    referring: ClassVar[bool] = False  # may it hold references to other steps, `{ref: STEP}`?
    exclusive: ClassVar[bool] = False  # only one run at a time may do this on a target

    def refs(self) -> Iterator[str]:
        """The steps it refers to; it is done after them."""
        yield from ()

    def renamed(self, names: Mapping[str, tuple[str, ...]], /) -> Self:
        """The same, with its references to steps as they are called in the whole plan."""
        return self

    def flaws(self) -> Iterator[Flaw]:
        """What the types cannot say: arguments that exclude or need one another, values out of range."""
        yield from ()

    def claims(self) -> Sequence[Claim]:
        raise NotImplementedError

    def changes(self, view: View, /) -> Sequence[Change]:
        raise NotImplementedError

    def told(self, *, undo: bool = False) -> str:
        """What its effect is, for who approves it: what is run, and with `undo` what takes it back. Empty where states tell."""
        return ""

    def sources(self) -> Sequence[str]:
        """Paths where Holdfast runs whose contents are part of what is reviewed: the digest covers them."""
        return ()


class Secret(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A reference to a secret: `{secret: env:NAME}` or `{secret: file:PATH}`. Resolved at the last moment, by a driver."""

    secret: str

    def flaws_at(self, field: str) -> Iterator[Flaw]:
        """The secret itself may stand there: it is not shown."""
        if _REFERENCE.fullmatch(self.secret) is None:
            yield Flaw(field, "this is not a reference to a secret", "literal_secret")


class Duration(float):
    """Seconds; written `500ms`, `30s`, `10m`, `1h`, `7d`, or a bare number of seconds."""


class Mode(int):
    """Permission bits; written as a string of three or four octal digits."""


_REFERENCE: Final = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+", re.DOTALL)
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_MODE: Final = re.compile(r"0?[0-7]{3,4}")


def parse_duration(text: Any) -> Duration:
    if isinstance(text, bool):
        raise ValueError("a duration is written like `30s` or `10m`")
    if isinstance(text, (int, float)):
        if text < 0:
            raise ValueError("a duration cannot be negative")
        return Duration(text)
    found = _DURATION.fullmatch(str(text).strip())
    if found is None:
        raise ValueError(f"`{text}` is not a duration; write it like `500ms`, `30s`, `10m`, `1h` or `7d`")
    return Duration(float(found[1]) * _UNITS[found[2]])


def parse_mode(text: Any) -> Mode:
    if not isinstance(text, str) or _MODE.fullmatch(text) is None:
        raise ValueError(f'{text!r} is no mode; write octal digits in quotes, like "0644"')
    return Mode(int(text, 8))


def decode(kind: type, value: Any) -> Any:
    """msgspec's hook for the types above."""
    if kind is Duration:
        return parse_duration(value)
    if kind is Mode:
        return parse_mode(value)
    raise NotImplementedError(f"no way to read a {kind.__name__}")
