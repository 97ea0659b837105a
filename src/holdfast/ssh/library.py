"""asyncssh, loaded without starting a compiler.

It asks where two libraries are, for what OpenSSL does not do. `ctypes` asks compiler and linker for each that is not
there, several times: most of the time that loading takes. What the dynamic loader would find is in one list of its own.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Final

_LIST: Final = ("/sbin/ldconfig", "-p")


@contextmanager
def _asking_the_loader() -> Iterator[None]:
    asked = ctypes.util.find_library
    try:
        _known()
    except OSError:  # another system, where nothing else is asked anyway
        yield
        return
    ctypes.util.find_library = _find
    try:
        yield
    finally:
        ctypes.util.find_library = asked


def _find(name: str) -> str | None:
    for found in re.findall(rf"^\s+(lib{re.escape(name)}\.so\S*)", _known(), re.MULTILINE):
        with suppress(OSError):  # it may be for another machine
            ctypes.CDLL(found)
            return str(found)
    return None


@cache
def _known() -> str:
    return subprocess.run(_LIST, capture_output=True, text=True, errors="replace", check=False).stdout


with _asking_the_loader():
    import asyncssh

__all__ = ["asyncssh"]
