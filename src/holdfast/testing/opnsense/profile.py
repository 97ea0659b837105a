"""Which version of the appliance is played, and what that changes.

Only versions are compared here; what a version brings is said where it matters, as `profile.since("25.7")`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

PROFILES: Final = ("24.7", "25.1", "25.7", "26.1", "26.7")
OLDEST: Final = (24, 7, 0)


@dataclass(frozen=True, slots=True)
class Profile:
    """One version. A newer one than is known is played as the newest known, so that a client can be refused it."""

    name: str
    version: tuple[int, int, int]

    @classmethod
    def named(cls, name: str) -> Profile:
        version = _version(name)
        if version < OLDEST:
            raise ValueError(f"no profile {name!r}: known are {', '.join(PROFILES)} and their patch versions")
        return cls(name, version)

    def since(self, name: str) -> bool:
        return self.version >= _version(name)

    def has(self, since: str, until: str) -> bool:
        """Whether something that came with `since` and went after `until` is there; an empty bound is none."""
        return (not since or self.since(since)) and (not until or self.version[:2] <= _version(until)[:2])

    @property
    def lists_floating_only(self) -> bool:
        """Whether a rule search that names no interface leaves out the rules of single interfaces."""
        return self.version[:2] == (25, 7) or self.version == (26, 1, 0)


@cache  # versions are compared field by field, with every call
def _version(name: str) -> tuple[int, int, int]:
    found = re.fullmatch(r"(\d+)\.(\d+)(?:\.(\d+))?", name)
    if not found:
        raise ValueError(f"{name!r} is not a version such as 26.1 or 26.1.4")
    major, minor, patch = found.groups(default="0")
    return int(major), int(minor), int(patch)
