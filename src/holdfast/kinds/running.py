"""What `command` and `script` have in common: how a program is named, what surrounds it, what asks and what undoes.

An effect of a program is not a state anybody can read, so a step is one change from not done to done. `check` makes
it readable after all: the question is a claim whose key holds everything there is to ask, and the driver answers it.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import ClassVar, Final

import msgspec

from holdfast.core.change import Change, Claim, Effect, Guarantee
from holdfast.core.predict import Unfit, View
from holdfast.kinds.contract import Flaw, Kind, Secret
from holdfast.kinds.file import SECRET

Words = str | tuple[str, ...]  # a program with its arguments: as a list, or as one string still to be split
SHELL: Final = "/bin/sh"
CHECK: Final = "check:"  # what follows is an invocation; the process driver answers with an Effect
DONE: Final = Effect(True)
NOT_DONE: Final = Effect(False)
_UNFIT: Final = re.compile("[\0\ud800-\udfff]")  # what no program can be given: NUL, and halves of characters
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\-]*")


class Invocation(msgspec.Struct, frozen=True, omit_defaults=True):
    """One program to be run, as data. Secrets in it are still references."""

    argv: tuple[str, ...]
    env: dict[str, str | Secret] = {}
    cwd: str | None = None
    sudo: bool | str = False
    stdin: str | Secret | None = None
    ok_codes: tuple[int, ...] = (0,)

    @property
    def question(self) -> str:
        """The key of a look that asks this."""
        return CHECK + msgspec.json.encode(self, order="sorted").decode()

    @classmethod
    def asked(cls, key: str) -> Invocation:
        return msgspec.json.decode(key.removeprefix(CHECK), type=cls)


class Running(Kind, frozen=True, kw_only=True):
    family: ClassVar[str] = "process"
    batched: ClassVar[bool] = False
    there: ClassVar[tuple[str, ...]] = ("cwd",)

    shell: bool = False
    env: dict[str, str | Secret] = msgspec.field(default_factory=dict)
    cwd: str | None = None
    stdin: str | Secret | None = None
    sudo: bool | str = False
    check: Words | None = None
    undo: Words | None = None
    ok_codes: tuple[int, ...] = (0,)

    def flaws(self) -> Iterator[Flaw]:
        for field, words in (("check", self.check), ("undo", self.undo)):
            if words is not None:
                yield from flaws_of_words(field, words, shell=self.shell)
        yield from flaws_of_env(self.env)
        if isinstance(self.stdin, Secret):
            yield from self.stdin.flaws_at("stdin")
        if isinstance(self.sudo, str) and _USER.fullmatch(self.sudo) is None:
            yield Flaw("sudo", f"`{self.sudo}` is not a user name", hint="write `true` for root, or the name of a user")
        if self.cwd is not None and (not self.cwd or not fit(self.cwd)):
            yield Flaw("cwd", "the path of a working directory is UTF-8 without NUL bytes")
        if not self.ok_codes or not all(0 <= code <= 255 for code in self.ok_codes):
            yield Flaw("ok_codes", "exit codes lie between 0 and 255, and at least one of them must be fine")

    @property
    def asks(self) -> Invocation | None:
        """What tells whether it is already so."""
        return None if self.check is None else self._around(self.check)

    @property
    def undoes(self) -> Invocation | None:
        return None if self.undo is None else self._around(self.undo)

    @property
    def question(self) -> str | None:
        """The key to look at, at plan time and when the step is in doubt; None when nothing can tell."""
        asks = self.asks
        return None if asks is None else asks.question

    def _around(self, words: Words) -> Invocation:
        return Invocation(argv=argv_of(words, shell=self.shell), env=self.env, cwd=self.cwd, sudo=self.sudo)

    @property
    def shown(self) -> str:
        """What is run, as a person would write it."""
        raise NotImplementedError

    def told(self, *, undo: bool = False) -> str:
        if undo:
            return "" if self.undo is None else f"{_prompt(self.sudo)} {shown(self.undo)}\n"
        lines = [f"{_prompt(self.sudo)} {self.shown}"]
        lines += [f"in {self.cwd}"] if self.cwd is not None else []
        lines += [
            f"{word}: {shown(words)}" for word, words in (("check", self.check), ("undo", self.undo)) if words is not None
        ]
        return "".join(f"{line}\n" for line in lines)

    def reads(self) -> Iterator[str]:
        """Paths on the target that must be there first: an earlier step may make them."""
        if self.cwd is not None:
            yield self.cwd
        for words in (self.check, self.undo):
            if words is not None:
                yield from argv_of(words, shell=self.shell)[:1]

    def claims(self) -> Sequence[Claim]:
        paths = dict.fromkeys(posixpath.normpath(path) for path in self.reads() if path.startswith("/") and path != SHELL)
        asked = self.question
        here = [Claim(SECRET + reference, writes=False, target="local") for reference in self.secrets()]
        return [*(Claim(key, writes=False) for key in (*paths, *([asked] if asked else []))), *here]

    def secrets(self) -> list[str]:
        values = (*self.env.values(), self.stdin)
        return list(dict.fromkeys(value.secret for value in values if isinstance(value, Secret)))

    def changes(self, view: View, /) -> Sequence[Change]:
        for reference in self.secrets():
            if not view.seen(SECRET + reference, target="local").exists:
                raise Unfit("not_found", f"the secret `{reference}` cannot be had", "set it, or correct its name")
        asked = self.question
        so = asked is not None and view.seen(asked).same(DONE)
        guarantee = Guarantee.IRREVERSIBLE if self.undo is None else Guarantee.COMPENSABLE
        before = DONE if so else NOT_DONE
        return (Change(f"{self.kind}/{view.step}", before, DONE, guarantee, means=self, runs=not so),)


def shown(words: Words) -> str:
    return words if isinstance(words, str) else shlex.join(words)


def _prompt(sudo: bool | str) -> str:
    return f"{sudo}$" if isinstance(sudo, str) else "#" if sudo else "$"


def argv_of(words: Words, *, shell: bool = False) -> tuple[str, ...]:
    """A string is split like a shell would and run without one; only `shell: true` hands it to a shell."""
    if not isinstance(words, str):
        return words
    return (SHELL, "-c", words) if shell else tuple(shlex.split(words))


def fit(text: str) -> bool:
    return _UNFIT.search(text) is None


def flaws_of_words(field: str, words: Words, *, shell: bool = False) -> Iterator[Flaw]:
    try:
        argv = argv_of(words, shell=shell)
    except ValueError as error:
        yield Flaw(field, f"it cannot be split into words: {str(error).lower()}", hint="close the quotes, or write a list")
        return
    if not argv or not argv[0] or (isinstance(words, str) and not words.strip()):
        yield Flaw(field, "there is no program to run")
    if not all(map(fit, argv)):
        yield Flaw(field, "a NUL byte, or half a character, cannot be passed to a program")


def flaws_of_env(env: dict[str, str | Secret]) -> Iterator[Flaw]:
    for name, value in env.items():
        if not name or "=" in name or not fit(name) or (isinstance(value, str) and not fit(value)):
            yield Flaw("env", f"{name!r} cannot be set: a name is not empty and has no `=`, and neither part has a NUL byte")
        if isinstance(value, Secret):
            yield from value.flaws_at("env")
