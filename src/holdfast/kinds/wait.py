"""`wait`: let time pass before the next steps."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.core.change import Change, Claim
from holdfast.core.predict import View
from holdfast.kinds.contract import Duration, Kind
from holdfast.kinds.running import DONE, NOT_DONE


class Wait(Kind, frozen=True, kw_only=True):
    kind = "wait"
    main = "duration"
    family = "probe"
    batched = False

    duration: Duration

    def told(self, *, undo: bool = False) -> str:
        return "" if undo else f"wait {self.duration:g} s\n"

    def claims(self) -> Sequence[Claim]:
        return ()

    def changes(self, view: View, /) -> Sequence[Change]:
        return (Change(f"{self.kind}/{view.step}", NOT_DONE, DONE, means=self, runs=True),)
