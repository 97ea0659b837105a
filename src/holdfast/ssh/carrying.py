"""What uploads and downloads have in common: what they are given, and how they say that it is done."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

from holdfast.ssh.far_side import FarSide
from holdfast.ssh.values import Progress, Transfer, Transferred


class Carrying(ABC):
    """One transfer to or from one host. Raises WorldError with what stood in the way. `stamp` names a backup."""

    def __init__(self, side: FarSide, asked: Transfer, progress: Progress, stamp: str) -> None:
        self._side = side
        self._asked = asked
        self._progress = progress
        self._stamp = stamp
        self._nothing = Transferred(host=str(side.host), skipped=True)

    @abstractmethod
    async def carry(self) -> Transferred: ...

    def _done(self, files: int, size: int, checksum: str, resumed_at: int = 0) -> Transferred:
        return replace(self._nothing, skipped=False, files=files, bytes=size, checksum=checksum, resumed_at=resumed_at)

    def _mode(self, found: int) -> int:
        return found & 0o777 if self._asked.mode is None else self._asked.mode

    def _mode_of_tree(self, found: int) -> int:
        """Whoever may read the files may enter the directories."""
        mode = self._mode(found)
        return mode if self._asked.mode is None else mode | (mode & 0o444) >> 2
