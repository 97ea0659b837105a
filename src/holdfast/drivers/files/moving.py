"""The same object under another name: one rename, or between file systems a complete copy and then the original away."""

from __future__ import annotations

from holdfast.drivers.files.forms import as_copy
from holdfast.drivers.files.grip import Grip, Part, Spot, foreign
from holdfast.drivers.files.looking import TREE, deepen, fresh_limit, glance, look_for
from holdfast.drivers.files.places import Place
from holdfast.drivers.files.stash import slot_name
from holdfast.drivers.files.values import IN_DOUBT, UNCHANGED, Order, Trouble
from holdfast.kinds.content import Content
from holdfast.kinds.node import ABSENT, Node


def move(grip: Grip, order: Order, part: Part | None) -> str:
    here, there = grip.spot(order.key), grip.reach(str(order.origin))
    came, stays = _look(here, order, order.after, copy=True), _look(there, order, order.after)
    if not came.exists and not stays.exists:
        raise Trouble("source_not_found", f"{order.origin} is not there any more")
    if there is None or not stays.exists:
        grip.discard(part)
        return _settled(grip, order, here, there)
    grip.barrier.touch(there.place)
    if here.place.mount == there.place.mount:
        if came.exists and not _are_one(came, stays):
            raise foreign(order, came)
        _rename(grip, there, here, stays, order.after)
    else:
        _carry_over(grip, order, here, there, came, stays, part)
    grip.places.forget(there.key)
    return grip.done(here)


def move_back(grip: Grip, order: Order) -> str:
    here, there = grip.reach(order.key), grip.spot(str(order.origin))
    came, stays = _look(here, order, order.before, copy=True), _look(there, order, order.before)
    if not came.exists and not stays.exists:
        raise foreign(order, ABSENT)
    if here is None or not came.exists:
        return _settled(grip, order, here, there)
    grip.barrier.touch(there.place)
    if here.place.mount == there.place.mount:
        if stays.exists and not _are_one(came, stays):
            raise foreign(order, stays, key=there.key)
        _rename(grip, here, there, came, order.before)
    else:
        _carry_back(grip, order, here, there, came, stays)
    grip.places.forget(order.key)
    grip.barrier.put_back_time(there.place, order.before.around_ns)
    return grip.undone(here, order.after.around_ns)


def _look(spot: Spot | None, order: Order, wanted: Node, copy: bool = False) -> Node:
    """What stands at one end of the move: the object itself, perhaps as a copy of it, or nothing."""
    if spot is None:
        return ABSENT
    found = look_for(spot.name, spot.place.fd, wanted)
    if not found.exists or found.same(wanted) or (copy and as_copy(found, wanted).same(wanted)):
        return found
    raise foreign(order, found, key=spot.key)


def _are_one(came: Node, stays: Node) -> bool:
    """Two names of one object: where a rename takes two calls, we may have been killed between them."""
    return (came.dev, came.ino) == (stays.dev, stays.ino)


def _settled(grip: Grip, order: Order, here: Spot | None, there: Spot | None) -> str:
    """It was moved before: by us, perhaps, who were killed before the last barrier."""
    if there is not None:
        grip.barrier.touch(there.place)
        grip.barrier.put_back_time(there.place, order.before.around_ns if order.undo else 0)
    return grip.unchanged(order, here) if here is not None else UNCHANGED


def build_copy(grip: Grip, order: Order, place: Place) -> Part | None:
    """Everything of the source, with all its metadata, next to where it shall be; None when it is not there (any more)."""
    source = grip.reach(str(order.origin))
    if source is None or source.place.mount == place.mount:
        return None
    node = deepen(glance(source.name, source.place.fd, fresh_limit()), source.name, source.place.fd, TREE)
    if not node.exists:
        return None
    return grip.build(order._replace(means=Content(origin=order.origin)), place, node)


def _rename(grip: Grip, source: Spot, goal: Spot, found: Node, wanted: Node) -> None:
    grip.calls.rename_noreplace(source.name, source.place.fd, goal.name, goal.place.fd)
    if grip.arrived(goal.name, goal.place.fd, found, wanted):
        return
    message = f"{source.key} was replaced while it was moved"
    try:
        grip.calls.rename_noreplace(goal.name, goal.place.fd, source.name, source.place.fd)
    except OSError:
        raise Trouble("foreign_change", f"{message}; it is at {goal.key} now", goal.key, IN_DOUBT) from None
    raise Trouble("foreign_change", message)


def _carry_over(grip: Grip, order: Order, here: Spot, there: Spot, came: Node, stays: Node, part: Part | None) -> None:
    if not came.exists:
        if part is None:
            part = build_copy(grip, order, here.place)
            grip.barrier.sync_built()
        if part is None:
            raise Trouble("source_not_found", f"{order.origin} is not there any more")
        grip.calls.rename_noreplace(part.name, part.stash.fd, here.name, here.place.fd)
        grip.barrier.touch(here.place)
    stash, slot = grip.stashes.near(there.place), slot_name(order.id)
    grip.take(there, stash, slot)
    if not grip.arrived(slot, stash.fd, stays, order.after):
        grip.put_back(order, there, stash, slot)


def _carry_back(grip: Grip, order: Order, here: Spot, there: Spot, came: Node, stays: Node) -> None:
    slot = slot_name(order.id)
    if not stays.exists:
        stash = grip.stashes.holding(slot, there.place)
        if stash is None:
            raise Trouble("before_image_lost", f"nothing holds the original of {order.origin} any more")
        grip.check_held(stash, slot, order.before)
        grip.calls.rename_noreplace(slot, stash.fd, there.name, there.place.fd)
        grip.barrier.touch(stash.place)
    stash = grip.stashes.near(here.place)
    grip.take_again(here, stash, slot)
    if not grip.arrived(slot, stash.fd, came, came):
        grip.put_back(order, here, stash, slot)
