"""From an invocation, which is data, to a program that can be started: user, environment, input, secrets."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from contextlib import suppress

from holdfast.core.errors import WorldError
from holdfast.drivers.process.leftovers import MARK
from holdfast.drivers.secrets import Secrets
from holdfast.drivers.spawn import Program
from holdfast.kinds.contract import Secret
from holdfast.kinds.running import Invocation


class Starter:
    def __init__(self, secrets: Secrets, sudo: str) -> None:
        self._secrets = secrets
        self._sudo = sudo

    def program(self, invocation: Invocation, mark: str = "", first: bytes = b"") -> Program:
        """Secrets become values here. `first` is what its standard input begins with."""
        env = {name: self._value(name, value) for name, value in invocation.env.items()}
        stdin = None if invocation.stdin is None else self._secrets.value(invocation.stdin).encode("utf-8", "surrogateescape")
        marked = {MARK: mark} if mark else {}
        return Program(
            argv=(*self.prefix(invocation.sudo, [*env, *marked]), *invocation.argv),
            env={**self._secrets.inherited(), **env, **marked},
            cwd=invocation.cwd,
            stdin=first + (stdin or b"") if first or stdin is not None else None,
        )

    def _value(self, name: str, given: str | Secret) -> str:
        found = self._secrets.value(given)
        if "\0" in found:
            raise WorldError(f"the value of `{name}` has a NUL byte: no environment can hold it", code="invalid_value")
        return found

    def prefix(self, sudo: bool | str, names: list[str]) -> tuple[str, ...]:
        """Names of variables may stand among the arguments, values never."""
        user = other_user(sudo)
        if user is None:
            return ()
        keep = (f"--preserve-env={','.join(names)}",) if names else ()
        return (self._sudo, "-n", *keep, "-u", user, "--")

    def tell(self, sudo: bool | str, group: int, what: int) -> None:
        """Signal a process group; one of another user only that user may signal."""
        try:
            os.killpg(group, what)
        except PermissionError:
            name = signal.Signals(what).name.removeprefix("SIG")
            prefix = self.prefix(sudo, [])
            with suppress(OSError):  # then nobody can; the outcome says that it would not end
                subprocess.run([*prefix, "kill", "-s", name, "--", f"-{group}"], capture_output=True, check=False)


def other_user(sudo: bool | str) -> str | None:
    """Who else is to run it; None when that is who we are."""
    user = "root" if sudo is True else sudo
    if not user:
        return None
    try:
        return None if pwd.getpwnam(user).pw_uid == os.geteuid() else user
    except KeyError:
        return user
