"""What the appliance remembers of each request, for whoever wants to know what a client did."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request as it was answered, and how its connection ended where a fault ended it."""

    number: int
    at: float
    method: str
    uri: str
    user: str
    body: bytes
    status: int
    answer: bytes
    bytes_sent: int
    ended: str

    @property
    def action(self) -> str:
        return self.uri.partition("?")[0].split("/")[4] if self.uri.count("/") >= 4 else ""

    @property
    def writes(self) -> bool:
        return self.method == "POST" and self.action.startswith(("add", "set", "del", "toggle", "move", "import"))

    @property
    def activates(self) -> bool:
        return self.method == "POST" and self.action in ("apply", "reconfigure")
