"""Paths in a plan become absolute: relative ones against the folder of the plan file, `~/` against the home directory.

A component `..` is refused, because what it means depends on symbolic links that nobody has looked at yet.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import NamedTuple

from holdfast.planfile.marks import is_unicode


class Misplaced(NamedTuple):
    """Why a path cannot be used."""

    message: str
    code: str = "invalid_value"
    hint: str = ""


class Anchor(NamedTuple):
    """What paths are relative to; `base` is None for a plan without a file, `roots` is None when nothing is confined."""

    base: str | None = None
    home: str | None = None
    roots: Sequence[str] | None = None

    def secret(self, reference: str) -> str | Misplaced:
        """A reference to a secret; a file that it names is one where Holdfast runs."""
        if not reference.startswith("file:"):
            return reference
        found = self.place(reference.removeprefix("file:"))
        return f"file:{found}" if isinstance(found, str) else found

    def place(self, path: str) -> str | Misplaced:
        """The absolute path on the machine where Holdfast runs."""
        found = self._absolute(path)
        if self.roots is not None and isinstance(found, str) and not any(_beneath(found, root) for root in self.roots):
            roots = ", ".join(f"`{root}`" for root in self.roots)
            return Misplaced(f"`{path}` is outside of what may be touched", "outside_root", f"use a path beneath {roots}")
        return found

    def _absolute(self, path: str) -> str | Misplaced:
        if path[:1] == "/":
            return clean(path)
        if not path:
            return Misplaced("a path cannot be empty", hint="`.` is the folder of the plan file")
        start = self.base
        if path == "~" or path.startswith("~/"):
            start, path = self.home, path[2:]
            if self.base is None or start is None:
                return Misplaced("nobody knows whose home directory `~` means here", hint="write an absolute path")
        if start is None:
            return Misplaced(
                f"`{path}` is relative, and this plan has no file to be relative to", hint="write an absolute path"
            )
        if not is_unicode(start):
            return Misplaced(
                f"`{path}` is beneath a directory whose name is not UTF-8", hint="write an absolute path, or move the plan file"
            )
        return clean(f"{start}/{path}")


def away(path: str) -> str | Misplaced:
    """The path on another machine: nobody knows what a relative one would be relative to."""
    if path[:1] == "/":
        return clean(path)
    return Misplaced(f"`{path}` is relative, and the target is another machine", hint="write an absolute path")


def clean(path: str) -> str | Misplaced:
    """An absolute path without detours."""
    if "\0" in path:
        return Misplaced("a path cannot have a NUL byte in it")
    if "/." not in path and "//" not in path and (path[-1] != "/" or path == "/"):
        return path
    plain = posixpath.normpath(path)
    plain = plain[1:] if plain.startswith("//") else plain
    if "/.." in path and ".." in path.split("/"):
        return Misplaced(f"`{path}` goes up through `..`", "outside_root", f"write `{plain}` if that is meant")
    return plain


def _beneath(path: str, root: str) -> bool:
    return path == root or path.startswith(root if root.endswith("/") else root + "/")
