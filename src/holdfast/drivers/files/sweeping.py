"""Emptying what is left in the stashes of runs that need it no more: after a crash between an ending and its settling."""

from __future__ import annotations

import os
from collections.abc import Callable
from urllib.parse import unquote

from holdfast.drivers.files.calls import Calls
from holdfast.drivers.files.stash import Stashes, drop


def sweep(home: str, is_litter: Callable[[str], bool]) -> int:
    """Drop the slots of every run that is litter; what could not be put back (`.ID.kept`) stays. Returns how many went.

    A stash on another mount may serve several state directories, so whoever is asked says no for a run they do not know.
    """
    if not os.path.isdir(home):
        return 0
    calls = Calls()
    stashes = Stashes(home, calls)
    answers: dict[str, bool] = {}
    dropped = 0
    try:
        for stash in stashes.all():
            for slot in stash.slots():
                run = unquote(slot).partition("/")[0]
                if run not in answers:
                    answers[run] = is_litter(run)
                if answers[run]:
                    drop(calls, stash, slot)
                    dropped += 1
    finally:
        stashes.close()
    return dropped
