"""Python's cyclic garbage collector, kept out of the way where millions of values are made that all live on.

Reading a large plan, preparing it, describing a large run, folding a long journal: there are no cycles in any of them,
and each collection would walk all of it again and find nothing. Measured on 100,000 steps: three quarters of the time of
preparing, a fifth of the time of a run that changes nothing.
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
