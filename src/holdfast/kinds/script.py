"""`script`: run a text with an interpreter on the target. The text is read where Holdfast runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import msgspec

from holdfast.core.change import Change, Claim, Depth
from holdfast.core.predict import Unfit, View
from holdfast.kinds.contract import Flaw
from holdfast.kinds.file import source_node
from holdfast.kinds.ground import noun
from holdfast.kinds.running import SHELL, Invocation, Running, Words, argv_of, fit, flaws_of_words, shown


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: str


class Script(Running, frozen=True, kw_only=True):
    kind = "script"
    main = "text"
    here: ClassVar[tuple[str, ...]] = ("text.source",)

    text: str | Source
    interpreter: Words | None = None
    args: tuple[str, ...] = ()

    def flaws(self) -> Iterator[Flaw]:
        if self.source is None and (not self.text or not fit(str(self.text))):
            yield Flaw("text", "a script is a text without NUL bytes")
        if self.source is not None and (not self.source or not fit(self.source)):
            yield Flaw("text", "the path of a script is UTF-8 without NUL bytes")
        if self.interpreter is not None:
            yield from flaws_of_words("interpreter", self.interpreter)
        if not all(map(fit, self.args)):
            yield Flaw("args", "a NUL byte, or half a character, cannot be passed to a program")
        yield from super().flaws()

    @property
    def source(self) -> str | None:
        return self.text.source if isinstance(self.text, Source) else None

    def sources(self) -> Sequence[str]:
        return () if self.source is None else (self.source,)

    def claims(self) -> Sequence[Claim]:
        sources = [Claim(path, writes=False, depth=Depth.CONTENT, target="local") for path in self.sources()]
        return [*sources, *super().claims()]

    def changes(self, view: View, /) -> Sequence[Change]:
        for path in self.sources():
            _expect_file(path, view)
        return super().changes(view)

    @property
    def shown(self) -> str:
        if self.source is not None:
            words = () if self.interpreter is None else argv_of(self.interpreter)
            return shown((*words, self.source, *self.args))
        text = str(self.text)
        return "\n".join([shown((*self.run_by(text), *self.args)), *(f"| {line}" for line in text.splitlines())])

    def run_by(self, text: str) -> tuple[str, ...]:
        """The program that runs this text, with what its first line or the step says."""
        return _shebang(text) if self.interpreter is None else argv_of(self.interpreter)

    def does(self, argv: tuple[str, ...]) -> Invocation:
        """How the program is run that was found for the text."""
        return Invocation(argv=argv, env=self.env, cwd=self.cwd, sudo=self.sudo, stdin=self.stdin, ok_codes=self.ok_codes)


def _expect_file(path: str, view: View) -> None:
    _, node = source_node(view, path, Depth.CONTENT, "local")
    if node.type != "file":
        raise Unfit("source_not_found", f"`{path}` is not a script: it is a {noun(node)}")


def _shebang(text: str) -> tuple[str, ...]:
    """As the kernel reads it: the program, and everything after it as one argument."""
    words = text[2:].partition("\n")[0].strip().split(None, 1) if text.startswith("#!") else []
    return tuple(words) or (SHELL,)
