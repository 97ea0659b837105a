"""Python's cyclic garbage collector, kept out of the way while a large plan is being prepared, or a large run described.

Both make millions of values that all live on and hold no cycles; each collection would walk them again and find nothing.
Measured on 100,000 steps: three quarters of the time of preparing, a fifth of the time of a run that changes nothing.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed() -> Iterator[None]:
    """No collection inside; as it was afterwards, whatever happens."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
