"""Where what came from a host gets its name on this machine. Blocking.

It is complete and durable under a temporary name before; each name changes by one rename.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from holdfast.core.errors import WorldError
from holdfast.ssh.values import OnConflict


def place_for(to: str, base: str, policy: OnConflict) -> str | None:
    """The path it will have: in a directory that is there, or the one that was said. None: it is to be left alone."""
    if os.path.isdir(to) and base:
        to = os.path.join(to, base)
    elif to.endswith("/") and base:
        raise _refused("parent_not_found", f"there is no directory {to}")
    if not os.path.isdir(parent_of(to)):
        raise _refused("parent_not_found", f"there is no directory {parent_of(to)}")
    if os.path.lexists(to):
        if policy == "skip":
            return None
        if policy == "fail":
            raise _refused("conflict", f"something else stands at {to}")
    return to


def parent_of(path: str) -> str:
    return os.path.dirname(path.rstrip("/")) or "."


def put(new: str, to: str, policy: OnConflict, stamp: str, *, tree: bool) -> bool:
    """Give it its name. False: something came meanwhile, and is to be left alone."""
    if os.path.lexists(to) and policy == "skip":
        return False
    if os.path.lexists(to) and policy == "backup":
        os.rename(to, f"{to}.{stamp}.bak")
    if policy == "fail":
        _put_new(new, to, tree=tree)
    elif tree and os.path.lexists(to):
        _put_into(new, to)
    else:
        os.replace(new, to)
    sync(parent_of(to))
    return True


def sync(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def own(root: str, owner: str, group: str) -> None:
    """The directory and everything in it, never what a link points to."""
    if not owner and not group:
        return
    for path in [root, *(str(found) for found in Path(root).rglob("*"))]:
        if not os.path.islink(path):
            bits = stat.S_IMODE(os.lstat(path).st_mode)
            shutil.chown(path, owner or None, group or None)  # type: ignore[arg-type]
            os.chmod(path, bits)  # chown clears bits of it


def _put_new(new: str, to: str, *, tree: bool) -> None:
    """Never over anything: a link fails where something stands; a directory replaces at most an empty one."""
    if tree:
        if os.path.lexists(to):
            raise _refused("conflict", f"something else stands at {to}")
        os.rename(new, to)
    else:
        os.link(new, to)
        os.unlink(new)


def _put_into(new: str, to: str) -> None:
    """Entry by entry, after a look whether all of it can be done."""
    if os.path.islink(to) or not os.path.isdir(to):
        raise _refused("conflict", f"{to} is not a directory")
    for path, directories, names in os.walk(new):
        there = os.path.join(to, os.path.relpath(path, new))
        for name in (*directories, *names):
            one, other = os.path.join(path, name), os.path.join(there, name)
            if os.path.lexists(other) and _is_directory(one) != _is_directory(other):
                raise _refused("conflict", f"{other} is of another type")
    _merge(new, to)


def _merge(new: str, to: str) -> None:
    for entry in list(os.scandir(new)):
        there = os.path.join(to, entry.name)
        if entry.is_dir(follow_symlinks=False) and _is_directory(there):
            _merge(entry.path, there)
        else:
            os.replace(entry.path, there)
    os.rmdir(new)
    sync(to)


def _is_directory(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _refused(code: str, message: str) -> WorldError:
    return WorldError(f"here: {message}", code=code)
