"""What every switch needs: a spot to work at, a look before and a look after, and a way to take a step back.

Before: found == after means it is done already; found != before means somebody else was here, and nothing is touched.
After: what fell out of the path must be what was seen there; if not, it is put back.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from holdfast.drivers.files.barrier import Barrier
from holdfast.drivers.files.calls import Calls
from holdfast.drivers.files.forms import describe, difference
from holdfast.drivers.files.looking import fresh_limit, glance, look_for, path_of, xattrs_of
from holdfast.drivers.files.making import Maker, Sources
from holdfast.drivers.files.places import Place, Places
from holdfast.drivers.files.stash import Stash, Stashes, kept_name, part_name, remove, slot_name
from holdfast.drivers.files.values import DONE, IN_DOUBT, UNCHANGED, Order, Trouble
from holdfast.kinds.node import Node

_NAMES_SHOWN = 5


class Part(NamedTuple):
    """A complete new object, waiting in the stash for its name."""

    stash: Stash
    name: str


class Spot(NamedTuple):
    """A name in an open directory."""

    place: Place
    name: str
    key: str


class Grip:
    """The hands of one batch."""

    def __init__(self, calls: Calls, places: Places, stashes: Stashes, barrier: Barrier) -> None:
        self.calls = calls
        self.places = places
        self.stashes = stashes
        self.barrier = barrier
        self._maker = Maker(calls, places)

    def spot(self, key: str) -> Spot:
        parent, _, name = key.rpartition("/")
        return Spot(self.places.of(parent), name or ".", key)

    def reach(self, key: str) -> Spot | None:
        """The same, or None where not even the directory is there."""
        try:
            return self.spot(key)
        except Trouble as trouble:
            if trouble.code != "parent_not_found":
                raise
            return None

    # -- building

    def build(self, order: Order, place: Place, node: Node, replaced: Spot | None = None) -> Part:
        """Complete the new object under a name that says that it is worth nothing yet."""
        stash = self.stashes.near(place)
        part = Part(stash, part_name(slot_name(order.id)))
        old = xattrs_of(path_of(replaced.name, replaced.place.fd)) if replaced is not None else None
        sources = Sources(place.heritage, old)
        if order.before.exists and not order.undo and node.mtime_ns == order.before.mtime_ns:
            node = node._replace(mtime_ns=0)  # nobody wants new content with the time of the old
        try:
            try:
                count = self._maker.make(part.name, stash.fd, node, order.means, sources)
            except FileExistsError:
                remove(self.calls, part.name, stash.fd)  # left by a crash
                count = self._maker.make(part.name, stash.fd, node, order.means, sources)
        except BaseException:
            self.discard(part)
            raise
        self.barrier.built(stash, part.name, node.type, count)
        return part

    def build_late(self, order: Order, spot: Spot) -> Part:
        """Build an object at the moment it is switched; what has content is synced at once."""
        replaces = order.before.type == order.after.type
        part = self.build(order, spot.place, order.after, spot if replaces else None)
        if order.after.type == "file" or order.after.entries:
            self.barrier.sync_built()
        return part

    def discard(self, part: Part | None) -> None:
        if part is None:
            return
        try:
            remove(self.calls, part.name, part.stash.fd)
        except OSError:
            return  # its name says that it is worth nothing; `settle` drops it

    # -- looking

    def find(self, order: Order, spot: Spot) -> Node | None:
        """What stands at the path, if it is what was there before; None when the order is fulfilled already."""
        found = look_for(spot.name, spot.place.fd, order.before, order.after)
        if found.same(order.after):
            return None
        if not found.same(order.before):
            raise foreign(order, found)
        return found

    def arrived(self, name: str, dir_fd: int, found: Node, wanted: Node) -> bool:
        """Is the object under its new name what was found under the old one a moment ago?"""
        limit = fresh_limit()
        now = glance(name, dir_fd, limit)
        untouched = now.stamp == found.stamp and now._replace(digest=found.digest, xattrs=found.xattrs).same(found)
        settled = now.type != "file" or now.mtime_ns < limit  # a younger time may hide an edit
        if untouched and settled and found.entries is None:
            return True
        return look_for(name, dir_fd, wanted).same(wanted)

    def check_held(self, stash: Stash, slot: str, wanted: Node) -> None:
        """The stash is private, so an object that is the one we put there is as it was."""
        held = glance(slot, stash.fd, 0)
        if wanted.ino and held.type == wanted.type and held.stamp == wanted.stamp:
            return
        if not look_for(slot, stash.fd, wanted).same(wanted):
            kept = stash.path_of(slot)
            raise Trouble("before_image_lost", f"{kept} should hold {describe(wanted)} and is {describe(held)}", kept)

    # -- taking out of a path, and back

    def take(self, spot: Spot, stash: Stash, slot: str) -> None:
        self.calls.rename_noreplace(spot.name, spot.place.fd, slot, stash.fd)
        self.barrier.touch(stash.place)

    def take_again(self, spot: Spot, stash: Stash, slot: str) -> None:
        """Take what we made. Whatever an earlier try left in the slot was made by us as well, so it is not missed."""
        try:
            self.take(spot, stash, slot)
        except FileExistsError:
            remove(self.calls, slot, stash.fd)
            self.take(spot, stash, slot)

    def exchange(self, order: Order, spot: Spot, stash: Stash, slot: str, found: Node) -> None:
        """Swap what is in the slot with what stands at the path, and make sure that this was what was found."""
        mine = glance(slot, stash.fd, 0)
        self.calls.rename_exchange(slot, stash.fd, spot.name, spot.place.fd)
        self.barrier.touch(stash.place)
        self.left(order)
        if self.arrived(slot, stash.fd, found, order.before):
            return
        self.calls.rename_exchange(slot, stash.fd, spot.name, spot.place.fd)
        if glance(slot, stash.fd, 0).stamp != mine.stamp:
            self._set_aside(order, slot, stash)
        raise foreign(order, look_for(spot.name, spot.place.fd, order.before))

    def put_back(self, order: Order, spot: Spot, stash: Stash, slot: str, not_empty: bool = False) -> None:
        """What was taken is not what was found: give it its name again, and say so."""
        try:
            self.calls.rename_noreplace(slot, stash.fd, spot.name, spot.place.fd)
        except FileExistsError:
            self._set_aside(order, slot, stash)
        self.barrier.touch(spot.place)
        if not_empty:
            raise Trouble("not_empty", f"{spot.key} is kept by what is in it: {names_in(spot.name, spot.place.fd)}")
        raise foreign(order, look_for(spot.name, spot.place.fd, order.before), key=spot.key)

    def _set_aside(self, order: Order, slot: str, stash: Stash) -> None:
        """Two foreign changes in a row: keep what we hold, for good, and let a person decide."""
        kept = kept_name(slot)
        self.calls.rename_noreplace(slot, stash.fd, kept, stash.fd)
        where = stash.path_of(kept)
        raise Trouble("foreign_change", f"{order.key} changed again and again; what stood there is {where}", where, IN_DOUBT)

    # -- what a switch leaves to be done

    def left(self, order: Order) -> None:
        """Whatever was reached through this path may be elsewhere now."""
        if order.before.type in ("dir", "link"):
            self.places.forget(order.key)

    def done(self, spot: Spot) -> str:
        self.barrier.touch(spot.place)
        return DONE

    def unchanged(self, order: Order, spot: Spot) -> str:
        """Whoever made it so may not have finished: perhaps we did, and were killed before the last barrier."""
        self.barrier.touch(spot.place)
        if order.undo:
            self.barrier.put_back_time(spot.place, order.after.around_ns)
        return UNCHANGED

    def undone(self, spot: Spot, around_ns: int) -> str:
        self.barrier.touch(spot.place)
        self.barrier.put_back_time(spot.place, around_ns)
        return DONE


def foreign(order: Order, found: Node, kept: str = "", key: str = "") -> Trouble:
    return Trouble("foreign_change", f"{key or order.key} {difference(found, order.before)}", kept)


def names_in(name: str, dir_fd: int) -> str:
    """The first entries of a directory, for a person to read; empty when there are none."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
    except OSError:
        return ""
    try:
        names = sorted(os.listdir(fd))
    finally:
        os.close(fd)
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more
