"""`health`: go on only when something answers as it should. Asked from where Holdfast runs.

What is asked is an address (`http://`, `https://`, `tcp://HOST:PORT`) or a command, or a list of those. A list of
words whose first is neither an address nor holds a space is one command, because that is how commands are written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from holdfast.core.change import Change, Claim
from holdfast.core.predict import View
from holdfast.kinds.contract import Duration, Flaw, Kind
from holdfast.kinds.running import DONE, NOT_DONE, Words, argv_of, flaws_of_words, shown

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SCHEMES: Final = ("http", "https", "tcp")


class Expect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an answer must be like. Of a command the exit code is the status, and what it printed the body."""

    status: int | tuple[int, ...] | None = None  # default: 200 to 299, or exit code 0
    json: dict[str, Any] | None = None  # dotted path -> value; numbers index lists
    body: str | None = None  # a part of it, or between slashes a regular expression: /ready|standby/

    def wants(self, status: int) -> bool:
        """Is it one that was asked for by its number?"""
        return status == self.status if self.status is None or isinstance(self.status, int) else status in self.status

    @property
    def pattern(self) -> str | None:
        """The regular expression that `body` is, if it is one."""
        text = self.body or ""
        return text[1:-1] if len(text) > 2 and text.startswith("/") and text.endswith("/") else None


class Health(Kind, frozen=True, kw_only=True):
    kind = "health"
    main = "probe"
    family = "probe"
    batched = False

    probe: str | tuple[str | tuple[str, ...], ...]
    interval: Duration = Duration(3)
    attempts: int = 10
    expect: Expect = Expect()

    @property
    def probes(self) -> tuple[Words, ...]:
        """One entry for each thing that is asked in an attempt, in their order."""
        if isinstance(self.probe, str):
            return (self.probe,)
        words = tuple(word for word in self.probe if isinstance(word, str))
        one = len(words) == len(self.probe) and not is_address(words[0]) and " " not in words[0]
        return (words,) if one else self.probe

    def flaws(self) -> Iterator[Flaw]:
        if not self.probe:
            yield Flaw("probe", "there is nothing to ask")
        for probe in self.probes if self.probe else ():
            yield from _flaws_of_address(probe) if is_address(probe) else flaws_of_words("probe", probe)
        if self.attempts < 1:
            yield Flaw("attempts", "at least one attempt is needed")
        if self.expect.pattern is not None:
            yield from _flaws_of_pattern(self.expect.pattern)

    def told(self, *, undo: bool = False) -> str:
        tries = f"up to {self.attempts} times, every {self.interval:g} s"
        return "" if undo else "".join(f"ask {shown(probe)} {tries}\n" for probe in self.probes)

    def claims(self) -> Sequence[Claim]:
        programs = (argv_of(probe)[0] for probe in self.probes if not is_address(probe))
        return [Claim(program, writes=False, target="local") for program in programs if program.startswith("/")]

    def changes(self, view: View, /) -> Sequence[Change]:
        return (Change(f"{self.kind}/{view.step}", NOT_DONE, DONE, means=self, runs=True),)


def is_address(probe: Words) -> bool:
    return isinstance(probe, str) and _SCHEME.match(probe) is not None


def _flaws_of_address(probe: Words) -> Iterator[Flaw]:
    try:
        address = urlsplit(str(probe))
        yield from _flaws_of_parts(address, address.port)
    except ValueError as error:
        yield Flaw("probe", f"this is not an address: {error}")


def _flaws_of_parts(address: SplitResult, port: int | None) -> Iterator[Flaw]:
    if address.scheme not in _SCHEMES:
        yield Flaw("probe", f"`{address.scheme}://` cannot be asked", hint="use http://, https:// or tcp://HOST:PORT")
    elif not address.hostname or (address.scheme == "tcp" and port is None):
        yield Flaw("probe", "the address has no host, or no port", hint="write it like http://127.0.0.1:8080/health")
    if address.username is not None or address.password is not None:
        yield Flaw("probe", "an address must not hold a user or a password", "literal_secret", "use a command that reads it")


def _flaws_of_pattern(pattern: str) -> Iterator[Flaw]:
    try:
        re.compile(pattern)
    except re.error as error:
        yield Flaw("expect", f"`body` is not a regular expression: {error}")
