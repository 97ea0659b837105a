"""`broadcast`: tell listeners that something changed. They are told again when that is taken back.

Being told twice must do no harm, so whatever became of a message, it is sent again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import msgspec

from holdfast.core.change import Change, Claim, Guarantee
from holdfast.core.predict import View
from holdfast.kinds.addresses import flaws_of_headers, flaws_of_method, flaws_of_url
from holdfast.kinds.contract import Flaw, Kind, Secret
from holdfast.kinds.running import DONE, NOT_DONE


class Broadcast(Kind, frozen=True, kw_only=True):
    kind: ClassVar[str] = "broadcast"
    main: ClassVar[str] = "to"
    family: ClassVar[str] = "service"
    batched: ClassVar[bool] = False

    to: str | tuple[str, ...]
    message: Any = None
    method: str = "POST"
    headers: dict[str, str | Secret] = msgspec.field(default_factory=dict)

    @property
    def last_back(self) -> bool:
        """Taken back after everything else of its task: listeners are told of what is there again."""
        return True

    @property
    def listeners(self) -> tuple[str, ...]:
        return (self.to,) if isinstance(self.to, str) else self.to

    def flaws(self) -> Iterator[Flaw]:
        if not self.listeners:
            yield Flaw("to", "there is nobody to tell")
        for url in self.listeners:
            yield from flaws_of_url("to", url)
        yield from flaws_of_method("method", self.method)
        yield from flaws_of_headers(self.headers)

    def told(self, *, undo: bool = False) -> str:
        again = "tell again" if undo else "tell"
        return "".join(f"{again}: {self.method} {url}\n" for url in self.listeners)

    def claims(self) -> Sequence[Claim]:
        return ()

    def changes(self, view: View, /) -> Sequence[Change]:
        return (Change(f"{self.kind}/{view.step}", NOT_DONE, DONE, Guarantee.COMPENSABLE, means=self, runs=True),)
