"""One thing that the doctor looked at, and what it found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    ok: bool
    message: str
    hint: str = ""

    def plain(self) -> dict[str, Any]:
        return {**asdict(self), "hint": "" if self.ok else self.hint}
