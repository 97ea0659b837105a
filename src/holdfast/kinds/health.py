"""`health`: go on only when something answers as it should. Asked from where Holdfast runs.

What is asked is an address (`http://`, `https://`, `tcp://HOST:PORT`) or a command, or a list of those. A list of
words whose first is neither an address nor holds a space is one command, because that is how commands are written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from holdfast.core.change import Change, Claim, State
from holdfast.core.predict import Unfit, View
from holdfast.kinds.contract import Duration, Flaw, Kind
from holdfast.kinds.document import Reported, versions_in
from holdfast.kinds.running import DONE, NOT_DONE, Words, argv_of, flaws_of_words, shown

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
VERSION: Final = "version_of"  # as a value in `expect.json`: where the answer names the version
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
    referring: ClassVar[bool] = True

    probe: str | tuple[str | tuple[str, ...], ...]
    interval: Duration = Duration(3)
    attempts: int = 10
    expect: Expect = Expect()
    version_of: str | None = None  # everybody must report the version that this step wrote

    @property
    def last_back(self) -> bool:
        """Taken back after everything else of its task: then it asks for the version that was there before."""
        return self.version_of is not None

    def refs(self) -> Iterator[str]:
        if self.version_of is not None:
            yield self.version_of

    def renamed(self, names: Mapping[str, tuple[str, ...]], /) -> Health:
        found = names.get(self.version_of or "", ())
        return msgspec.structs.replace(self, version_of=found[0]) if found else self

    def wanting(self, version: Any) -> Health:
        """The same check, of a version: where `json` says nothing of it, every answer names it as `version`."""
        paths = self.expect.json or {}
        at = next((path for path, value in paths.items() if value == VERSION), "version")
        return msgspec.structs.replace(self, expect=msgspec.structs.replace(self.expect, json={**paths, at: version}))

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
        if self.version_of is not None and any(str(probe).lower().startswith("tcp:") for probe in self.probes if self.probe):
            yield Flaw("version_of", "what is only connected to reports no version", hint="ask an http:// address")
        if self.attempts < 1:
            yield Flaw("attempts", "at least one attempt is needed")
        if self.expect.pattern is not None:
            yield from _flaws_of_pattern(self.expect.pattern)

    def told(self, *, undo: bool = False) -> str:
        if undo and self.version_of is not None:
            return "".join(f"ask {shown(probe)} for the version before\n" for probe in self.probes)
        tries = f"up to {self.attempts} times, every {self.interval:g} s"
        return "" if undo else "".join(f"ask {shown(probe)} {tries}\n" for probe in self.probes)

    def claims(self) -> Sequence[Claim]:
        programs = (argv_of(probe)[0] for probe in self.probes if not is_address(probe))
        return [Claim(program, writes=False, target="local") for program in programs if program.startswith("/")]

    def changes(self, view: View, /) -> Sequence[Change]:
        before, after = (NOT_DONE, DONE) if self.version_of is None else self._versions(view)
        return (Change(f"{self.kind}/{view.step}", before, after, means=self, runs=True),)

    def _versions(self, view: View) -> tuple[State, State]:
        found = versions_in(view.notes("local")).get(self.version_of or "")
        if found is None:
            message = f"no `config` step `{self.version_of}` comes before this one"
            raise Unfit("unknown_step", message, "name one of an earlier stage, or one that this step `needs`")
        wanted, previous = found
        if wanted is None:
            raise Unfit("missing_key", f"the step `{self.version_of}` writes no version", "give it a `version`")
        return Reported(False, previous), Reported(True, wanted)


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
