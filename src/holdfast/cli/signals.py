"""What a signal does while a run is driven: the first asks it to stop and roll back, the second ends this process.

A terminal that is closed (SIGHUP) asks like Ctrl-C does, unless `nohup` had it ignored.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Final

from holdfast.cli.codes import INTERRUPTED

if TYPE_CHECKING:
    from holdfast.app.desk import Desk
    from holdfast.cli.screen import Screen

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FIRST: Final = "stopping: what is under way is finished, then everything is rolled back; once more stops at once"
SECOND: Final = "stopped at once; what it left is finished by: holdfast recover"
CURSOR: Final = "\r\n\x1b[?25h"  # beneath what is drawn, and seen again


class Stop:
    """Was this process asked to stop?"""

    def __init__(self) -> None:
        self.heard = False


@contextmanager
def driving(hf: Desk, screen: Screen) -> Iterator[Stop]:
    stop = Stop()
    before = {number: signal.getsignal(number) for number in SIGNALS}
    handler = _handler(hf, stop, screen)
    for number in SIGNALS:
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, handler)
    try:
        yield stop
    finally:
        for number in SIGNALS:
            signal.signal(number, before[number])


def _handler(hf: Desk, stop: Stop, screen: Screen) -> Callable[[int, FrameType | None], None]:
    def heard(number: int, frame: FrameType | None) -> None:
        if stop.heard:
            _tell(f"{CURSOR}{SECOND}" if screen.lively else SECOND)
            os._exit(INTERRUPTED)
        if not hf.interrupt(by=f"signal:{signal.Signals(number).name}"):
            raise KeyboardInterrupt  # nothing runs yet, or nothing runs any more
        stop.heard = True
        if screen.lively:
            screen.notice = FIRST  # written now, it would be drawn over
        elif not screen.quiet:
            _tell(FIRST)

    return heard


def _tell(words: str) -> None:
    """Straight to the descriptor: a signal may come in the middle of a buffered write."""
    try:
        os.write(2, f"{words}\n".encode())
    except OSError:  # the terminal is gone; the signal still counts
        return
