"""The moment at which one order takes effect: a single rename, out of the stash or into it.

Create is NOREPLACE, replace is EXCHANGE, remove is a rename into the slot; so the slot holds the old object with all
its metadata, and an undo takes the same step the other way round. Crashes between any two calls leave the old or the
new object at the path, and the slot tells which one the other is.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from holdfast.drivers.files.attributes import set_attributes
from holdfast.drivers.files.forms import ATTRIBUTES, CREATE, DELETE, MOVE, NOTHING, REPLACE
from holdfast.drivers.files.grip import Grip, Part, Spot, foreign, names_in
from holdfast.drivers.files.looking import look_for
from holdfast.drivers.files.moving import move, move_back
from holdfast.drivers.files.stash import remove, slot_name
from holdfast.drivers.files.values import UNCHANGED, Order, Trouble
from holdfast.kinds.node import Node


class Switcher:
    def __init__(self, grip: Grip, umask: int) -> None:
        self._grip = grip
        self._calls = grip.calls
        self._umask = umask
        self._uid = os.geteuid()
        self._gid = os.getegid()
        self._steps: dict[tuple[str, bool], Callable[[Order, Part | None], str]] = {
            (CREATE, False): self._create,
            (CREATE, True): self._restore,
            (REPLACE, False): self._replace,
            (REPLACE, True): self._replace_back,
            (DELETE, False): self._delete,
            (DELETE, True): self._unmake,
            (ATTRIBUTES, False): lambda order, _: set_attributes(grip, order),
            (ATTRIBUTES, True): lambda order, _: set_attributes(grip, order),
            (MOVE, False): lambda order, part: move(grip, order, part),
            (MOVE, True): lambda order, _: move_back(grip, order),
        }

    def switch(self, order: Order, form: str, part: Part | None) -> str:
        """Make it so; returns how it ended, raises Trouble or OSError when it did not."""
        try:
            return self._steps.get((form, order.undo), self._expect)(order, part)
        except Trouble as trouble:
            if trouble.code == "parent_not_found" and form in (DELETE, NOTHING):
                return UNCHANGED  # where there is no directory, there is nothing in it
            raise

    def _expect(self, order: Order, part: Part | None) -> str:
        """There is nothing to be done, if that is true."""
        self._grip.find(order, self._grip.spot(order.key))
        return UNCHANGED

    # -- there was nothing, there shall be something

    def _create(self, order: Order, part: Part | None) -> str:
        grip = self._grip
        spot = grip.spot(order.key)
        try:
            if part is None and self._make_in_place(order.after, spot):
                return grip.done(spot)
            part = part or grip.build_late(order, spot)
            self._calls.rename_noreplace(part.name, part.stash.fd, spot.name, spot.place.fd)
        except FileExistsError:
            grip.discard(part)
            found = look_for(spot.name, spot.place.fd, order.after)
            if found.same(order.after):
                return grip.unchanged(order, spot)
            raise foreign(order, found) from None
        return grip.done(spot)

    def _make_in_place(self, node: Node, spot: Spot) -> bool:
        """One call is enough where the kernel gives the new object just the owner and mode that are wanted."""
        place = spot.place
        group = place.found.st_gid if place.hands_on_group else self._gid
        if node.mtime_ns or node.uid != self._uid or node.gid != group:
            return False
        if node.type == "link":
            self._calls.symlink(node.target, spot.name, place.fd)
            return True
        if node.type != "dir" or node.entries or node.xattrs or place.hands_on_acl:
            return False
        if (node.mode & 0o6000) != (0o2000 if place.hands_on_group else 0) or node.mode & self._umask:
            return False
        self._calls.mkdir(spot.name, node.mode & 0o1777, dir_fd=place.fd)
        self._grip.places.made(spot.key, spot.name, place)
        return True

    def _restore(self, order: Order, part: Part | None) -> str:
        """Undo a removal: out of the slot, or built again where nothing is lost by that."""
        grip, slot = self._grip, slot_name(order.id)
        spot = grip.spot(order.key)
        stash = grip.stashes.holding(slot, spot.place)
        found = look_for(spot.name, spot.place.fd, order.after)
        if found.same(order.after):
            return grip.unchanged(order, spot)
        if found.exists:
            raise foreign(order, found, stash.path_of(slot) if stash else "")
        if stash is None:
            part = grip.build_late(order, spot)
            self._calls.rename_noreplace(part.name, part.stash.fd, spot.name, spot.place.fd)
        else:
            grip.check_held(stash, slot, order.after)
            self._calls.rename_noreplace(slot, stash.fd, spot.name, spot.place.fd)
            grip.barrier.touch(stash.place)
        return grip.undone(spot, order.after.around_ns)

    # -- there was something, there shall be something else

    def _replace(self, order: Order, part: Part | None) -> str:
        grip, slot = self._grip, slot_name(order.id)
        spot = grip.spot(order.key)
        found = self._find_mended(order, spot)
        if found is None:
            grip.discard(part)
            return grip.unchanged(order, spot)
        if found.type == order.after.type == "dir" and order.after.entries is None:
            raise Trouble("unsupported", f"{order.key}: attributes of a directory cannot be replaced without its entries")
        part = part or grip.build_late(order, spot)
        self._into_slot(part, slot)
        grip.exchange(order, spot, part.stash, slot, found)
        return grip.done(spot)

    def _replace_back(self, order: Order, part: Part | None) -> str:
        grip, slot = self._grip, slot_name(order.id)
        spot = grip.spot(order.key)
        try:
            found = self._find_mended(order, spot)
        except Trouble as trouble:
            held = grip.stashes.holding(slot, spot.place)
            trouble.kept = held.path_of(slot) if held else ""
            raise
        if found is None:
            return grip.unchanged(order, spot)
        stash = grip.stashes.holding(slot, spot.place)
        if stash is None:
            part = grip.build_late(order, spot)
            self._into_slot(part, slot)
            stash = part.stash
        else:
            grip.check_held(stash, slot, order.after)
        grip.exchange(order, spot, stash, slot, found)
        return grip.undone(spot, order.after.around_ns)

    def _find_mended(self, order: Order, spot: Spot) -> Node | None:
        """Where names cannot be exchanged, a crash may have left the trade half done."""
        slot, stash = slot_name(order.id), self._grip.stashes.near(spot.place)
        self._calls.mend(slot, stash.fd, spot.name, spot.place.fd)
        return self._grip.find(order, spot)

    def _into_slot(self, part: Part, slot: str) -> None:
        """Completed: from here on the slot is worth something."""
        try:
            self._calls.rename_noreplace(part.name, part.stash.fd, slot, part.stash.fd)
        except FileExistsError:
            remove(self._calls, slot, part.stash.fd)  # of an earlier try: what it replaced stands at the path again
            self._calls.rename_noreplace(part.name, part.stash.fd, slot, part.stash.fd)

    # -- there was something, there shall be nothing

    def _delete(self, order: Order, part: Part | None) -> str:
        grip, slot = self._grip, slot_name(order.id)
        spot = grip.spot(order.key)
        found = grip.find(order, spot)
        if found is None:
            return grip.unchanged(order, spot)
        stash = grip.stashes.near(spot.place)
        try:
            grip.take(spot, stash, slot)
        except FileExistsError:
            raise foreign(order, found, stash.path_of(slot)) from None
        grip.left(order)
        filled = order.before.empty is True and names_in(slot, stash.fd) != ""
        if filled or not grip.arrived(slot, stash.fd, found, order.before):
            grip.put_back(order, spot, stash, slot, filled)
        return grip.done(spot)

    def _unmake(self, order: Order, part: Part | None) -> str:
        """Undo a creation. A directory goes only when it is empty; a tree only when nothing foreign is in it."""
        grip, slot = self._grip, slot_name(order.id)
        spot = grip.spot(order.key)
        found = grip.find(order, spot)
        if found is None:
            return grip.unchanged(order, spot)
        if found.type == "dir" and not order.before.entries:
            self._remove_directory(spot)
            grip.left(order)
            return grip.undone(spot, order.after.around_ns)
        stash = grip.stashes.near(spot.place)
        grip.take_again(spot, stash, slot)
        grip.left(order)
        if not grip.arrived(slot, stash.fd, found, order.before):
            grip.put_back(order, spot, stash, slot)
        return grip.undone(spot, order.after.around_ns)

    def _remove_directory(self, spot: Spot) -> None:
        try:
            self._calls.rmdir(spot.name, dir_fd=spot.place.fd)
        except OSError:
            keeps = names_in(spot.name, spot.place.fd)
            if not keeps:
                raise
            raise Trouble("not_empty", f"{spot.key} is kept by what is in it: {keeps}") from None
