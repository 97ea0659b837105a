"""What is sent to start something on a host, and how it is ended, as a value."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from holdfast.ssh.attending import Attendant
from holdfast.ssh.dialogue import Dialogue, Note
from holdfast.ssh.quoting import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    line: Words
    mark: str = ""  # what our own lines on its error stream begin with; empty: it writes none
    note: Note | None = field(default=None, repr=False)
    feed: Callable[[Dialogue], Awaitable[None]] | None = field(default=None, repr=False)  # says more than an input
    held: bool = False  # its input ends when the channel does
    attendant: Attendant | None = None  # who sees to it that it ends with its client; None: whoever its line names
    killer: Sequence[str] = ()  # words before `kill`
    killer_input: bytes = field(default=b"", repr=False)

    def attended(self) -> AbstractContextManager[None]:
        return nullcontext() if self.attendant is None else self.attendant.attending()
