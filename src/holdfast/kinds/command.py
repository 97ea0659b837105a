"""`command`: run a program on the target."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.kinds.contract import Flaw
from holdfast.kinds.running import Invocation, Running, Words, argv_of, flaws_of_words, shown


class Command(Running, frozen=True, kw_only=True):
    kind = "command"
    main = "argv"

    argv: Words

    def flaws(self) -> Iterator[Flaw]:
        yield from flaws_of_words("argv", self.argv, shell=self.shell)
        if self.shell and not isinstance(self.argv, str):
            yield Flaw("shell", "a shell takes one string, not a list", hint="drop `shell`, or write the command as a string")
        yield from super().flaws()

    @property
    def shown(self) -> str:
        return shown(self.argv)

    @property
    def does(self) -> Invocation:
        return Invocation(
            argv=argv_of(self.argv, shell=self.shell),
            env=self.env,
            cwd=self.cwd,
            sudo=self.sudo,
            stdin=self.stdin,
            ok_codes=self.ok_codes,
        )

    def reads(self) -> Iterator[str]:
        yield argv_of(self.argv, shell=self.shell)[0]
        yield from super().reads()
