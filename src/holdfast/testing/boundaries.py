"""The boundaries between the system calls of the file engine: to count them, to fail there, or to die there.

A crash matrix runs a plan once with `counted`, and then once per boundary with `failing` or `dying`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from holdfast.drivers.files.calls import Calls

# Made of other calls, whose boundaries count; or not a call that changes anything.
_COMPOSED = frozenset({"rename_noreplace", "rename_exchange", "mend"})

Act = Callable[[int, str], None]  # number of the call, from 1, and its name


def wired(act: Act, base: type[Calls] = Calls) -> Calls:
    """Calls that ask `act` before each one; whatever it raises, the call raises."""
    names = [name for name in dir(base) if not name.startswith("_") and name not in _COMPOSED]
    number = 0

    def ask(name: str) -> None:
        nonlocal number
        number += 1
        act(number, name)

    def wire(name: str) -> Callable[..., Any]:
        real = getattr(base, name)

        def call(self: Calls, *args: Any, **named: Any) -> Any:
            ask(name)
            return real(self, *args, **named)

        return call

    wired_class = type("Wired", (base,), {name: wire(name) for name in names})
    made: Calls = wired_class()
    return made


def counted(seen: list[str], base: type[Calls] = Calls) -> Calls:
    """Calls that leave their names in a list."""
    return wired(lambda number, name: seen.append(name), base)


def failing(at: int, error: int, base: type[Calls] = Calls, *, ever_after: bool = False) -> Calls:
    """Calls of which the n-th fails, or the n-th and all that follow."""

    def act(number: int, name: str) -> None:
        if number == at or (ever_after and number > at):
            raise OSError(error, os.strerror(error))

    return wired(act, base)


def dying(at: int, base: type[Calls] = Calls) -> Calls:
    """Calls of which the n-th is never made: the process is gone."""

    def act(number: int, name: str) -> None:
        if number == at:
            os.kill(os.getpid(), signal.SIGKILL)

    return wired(act, base)


class ShortWrites(Calls):
    """Every write takes a few bytes only."""

    def write(self, fd: int, data: bytes | memoryview) -> int:
        return super().write(fd, bytes(data[:7]))


class WithoutExchange(Calls):
    """As on a file system that knows no flags for rename."""

    def renameat2(self, name: str, dir_fd: int, new: str, new_fd: int, flags: int) -> None:
        import errno

        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
