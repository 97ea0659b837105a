"""`approve`: nothing goes on until a person says yes, with `holdfast approve RUN STEP`. No driver takes part.

With `timeout` the step fails when nobody has said so by then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from holdfast.core.change import Change, Claim, Effect
from holdfast.core.predict import View
from holdfast.kinds.contract import Flaw, Kind


class Approve(Kind, frozen=True, kw_only=True):
    kind: ClassVar[str] = "approve"
    main: ClassVar[str] = "text"
    family: ClassVar[str] = "approval"
    batched: ClassVar[bool] = False

    text: str  # the question

    def flaws(self) -> Iterator[Flaw]:
        if not self.text.strip():
            yield Flaw("text", "the question is empty")

    def told(self, *, undo: bool = False) -> str:
        return "" if undo else f"asks: {self.text}\n"

    def claims(self) -> Sequence[Claim]:
        return ()

    def changes(self, view: View, /) -> Sequence[Change]:
        return (Change(f"approve/{view.step}", Effect(False), Effect(True), runs=True, means=self),)
