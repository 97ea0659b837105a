"""Another owner or mode for the same object: changed where it stands, so that hard links and open files stay what they are."""

from __future__ import annotations

import os

from holdfast.drivers.files.grip import Grip, Spot, foreign
from holdfast.drivers.files.looking import look_for, path_of, xattrs_of
from holdfast.drivers.files.stash import remove, slot_name
from holdfast.drivers.files.values import DONE, UNCHANGED, Order, Trouble
from holdfast.kinds.node import Node

_SPECIAL_BITS = 0o6000  # chown clears them
_POWERS = "security.capability"  # and takes this away


def set_attributes(grip: Grip, order: Order) -> str:
    """Owner and mode take two calls, so while we are between them a mark in the slot says so."""
    spot, slot, before, after = grip.spot(order.key), slot_name(order.id), order.before, order.after
    found = look_for(spot.name, spot.place.fd, before, after)
    grip.barrier.changed(spot.place, spot.name)
    marked = grip.stashes.holding(slot, spot.place)
    if found.same(after):
        ending = UNCHANGED
    elif found.same(before) or (marked and _lies_between(found, before, after)):
        owner, mode = _what_differs(found, after)
        if owner and mode and marked is None:
            marked = grip.stashes.near(spot.place)
            grip.calls.symlink("between owner and mode", slot, marked.fd)
        _change(grip, spot, found, after, owner, mode)
        ending = DONE
    else:
        raise foreign(order, found)
    if marked is not None:
        remove(grip.calls, slot, marked.fd)
    return ending


def _what_differs(found: Node, after: Node) -> tuple[bool, bool]:
    owner = (found.uid, found.gid) != (after.uid, after.gid)
    mode = found.mode != after.mode or (owner and after.mode & _SPECIAL_BITS != 0)
    return owner, mode and after.type != "link"


def _change(grip: Grip, spot: Spot, found: Node, after: Node, owner: bool, mode: bool) -> None:
    fd = grip.calls.open(spot.name, os.O_PATH | os.O_NOFOLLOW, dir_fd=spot.place.fd)
    try:
        seen = os.fstat(fd)
        if (seen.st_dev, seen.st_ino) != (found.dev, found.ino):
            raise Trouble("foreign_change", f"{spot.key} was replaced a moment ago")
        if owner:
            where = path_of(spot.name, spot.place.fd)
            powers = xattrs_of(where).get(_POWERS) if found.type == "file" else None
            grip.calls.chown_open(fd, after.uid, after.gid)
            if powers is not None:
                grip.calls.setxattr(where, _POWERS, powers)
        if mode:
            grip.calls.chmod(fd, after.mode)
    finally:
        os.close(fd)


def _lies_between(found: Node, before: Node, after: Node) -> bool:
    modes = {before.mode, after.mode, before.mode & ~_SPECIAL_BITS, after.mode & ~_SPECIAL_BITS}
    if found.uid not in (before.uid, after.uid) or found.gid not in (before.gid, after.gid) or found.mode not in modes:
        return False
    return found._replace(uid=after.uid, gid=after.gid, mode=after.mode).same(after)
