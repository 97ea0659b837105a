"""When what is due next: a heap of times. Whoever is put again counts only with the newest time."""

from __future__ import annotations

from heapq import heappop, heappush


class Agenda:
    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []
        self._at: dict[str, float] = {}

    def put(self, name: str, at: float | None) -> None:
        """None: never, until it is put again."""
        if at is None:
            self._at.pop(name, None)
        elif self._at.get(name) != at:
            self._at[name] = at
            heappush(self._heap, (at, name))

    def at(self, name: str) -> float | None:
        return self._at.get(name)

    def take_due(self, now: float) -> list[str]:
        """Names whose time has come, the earliest first; they are not on the agenda any more."""
        due = []
        while self.next_at is not None and self._heap[0][0] <= now:
            _, name = heappop(self._heap)
            del self._at[name]
            due.append(name)
        return due

    @property
    def next_at(self) -> float | None:
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None
