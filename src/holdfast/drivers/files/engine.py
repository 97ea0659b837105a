"""A whole batch of orders on a real file system: synchronous, on plain values, standard library only.

What has content is built in the stash first; one barrier makes all of it durable; then the switches follow in the
order given, each a rename; one more barrier over the touched directories, and the batch is done. An order that reads
what an earlier one of the batch writes waits until that one was switched.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from holdfast.drivers.files.barrier import Barrier
from holdfast.drivers.files.calls import Calls
from holdfast.drivers.files.forms import CREATE, MOVE, REPLACE, form_of
from holdfast.drivers.files.grip import Grip, Part
from holdfast.drivers.files.inspecting import Inspection, account, facts, umask
from holdfast.drivers.files.moving import build_copy
from holdfast.drivers.files.places import Memory, Place, Places
from holdfast.drivers.files.stash import Stashes, drop, slot_name
from holdfast.drivers.files.switching import Switcher
from holdfast.drivers.files.values import DONE, FAILED, SKIPPED, UNCHANGED, Order, Report, Trouble, trouble_of
from holdfast.kinds.content import Content

FACTS = "@facts"

_REPORTS = {DONE: Report(DONE), UNCHANGED: Report(UNCHANGED), SKIPPED: Report(SKIPPED)}
_GOOD = (DONE, UNCHANGED)

# What an errno means when it comes in the middle of a switch: the look before it saw no such thing.
_SURPRISES = {"ENOENT": "foreign_change", "ENOTDIR": "foreign_change", "EEXIST": "foreign_change"}


class FileEngine:
    """Inspects and moves paths; keeps old objects in `home` and in a hidden stash on every other mount."""

    def __init__(self, home: str, roots: Sequence[str] = (), calls: Calls | None = None) -> None:
        self._calls = calls or Calls()
        self._roots = tuple(roots)
        self._stashes = Stashes(home, self._calls)
        self._memory = Memory()

    def inspect(self, looks: Iterable[tuple[str, int]]) -> dict[str, Any]:
        """The state of every key. A path that vanished or is forbidden is a state as well, never an error."""
        looks = list(looks)
        found: dict[str, Any] = {key: facts() if key == FACTS else account(key) for key, _ in looks if key[:1] == "@"}
        inspection = Inspection(self._calls, self._roots)
        found.update(inspection.look([look for look in looks if look[0] not in found] if found else looks))
        self._memory.saw(inspection.identities)
        return found

    def apply(self, orders: Sequence[Order], keep_going: bool = False) -> list[Report]:
        """One report per order. Raises NotDurable when a sync fails, and nothing else."""
        places = Places(self._calls, self._roots, self._memory)
        try:
            return _Batch(self._calls, places, self._stashes, orders, keep_going).run()
        finally:
            places.close()

    def settle(self, ids: Iterable[str]) -> None:
        """Drop what only undo needed."""
        slots = {slot_name(one) for one in ids}
        for stash in self._stashes.all():
            for slot in slots.intersection(stash.slots()):
                drop(self._calls, stash, slot)

    def held(self, order: str) -> str:
        """Where the old object of an order is kept; empty when nothing is."""
        slot = slot_name(order)
        return next((stash.path_of(slot) for stash in self._stashes.all() if slot in stash.slots()), "")

    def slots(self) -> set[str]:
        """The slots in which anything is kept."""
        return {slot for stash in self._stashes.all() for slot in stash.slots()}

    def close(self) -> None:
        self._stashes.close()


class _Pending(NamedTuple):
    """An order whose new object is complete, or could not be completed."""

    position: int
    order: Order
    form: str
    part: Part | None
    trouble: Trouble | None


class _Batch:
    def __init__(self, calls: Calls, places: Places, stashes: Stashes, orders: Sequence[Order], keep_going: bool) -> None:
        self._orders = orders
        self._keep_going = keep_going
        self._places = places
        self._barrier = Barrier(calls)
        self._grip = Grip(calls, places, stashes, self._barrier)
        self._switcher = Switcher(self._grip, umask())
        self._reports: list[Report] = [_REPORTS[SKIPPED]] * len(orders)
        self._pending: list[_Pending] = []
        self._written: dict[str, bool] = {}  # keys of pending orders; True: a directory is made there, and it is empty
        self._halted = False
        self._lost: set[int] = set()  # positions that failed, or were skipped for that

    def run(self) -> list[Report]:
        started = time.perf_counter()
        for position, order in enumerate(self._orders):
            form = form_of(order.before, order.after, order.origin, order.means)
            if self._reads_pending(order, form):
                self._flush()
            if self._skips(position, order):
                continue
            self._pending.append(self._prepare(position, order, form))
            self._written[order.key] = form == CREATE and order.after.type == "dir" and not order.after.entries
            if order.origin is not None:
                self._written[order.origin] = False
        self._flush()
        self._barrier.sync_touched()
        return self._timed((time.perf_counter() - started) / max(len(self._orders), 1))

    def _timed(self, duration_s: float) -> list[Report]:
        """Orders share their barriers, so each gets its part of the time."""
        shared = {ending: report._replace(duration_s=duration_s) for ending, report in _REPORTS.items()}
        shared[SKIPPED] = _REPORTS[SKIPPED]
        return [shared.get(report.ending) or report._replace(duration_s=duration_s) for report in self._reports]

    # -- before the barrier

    def _prepare(self, position: int, order: Order, form: str) -> _Pending:
        try:
            part = None if order.undo else self._build(order, form)
        except Trouble as trouble:
            return _Pending(position, order, form, None, trouble)
        except OSError as error:
            return _Pending(position, order, form, None, trouble_of(error, order.key))
        except ValueError as error:
            return _Pending(position, order, form, None, Trouble("invalid_value", f"{order.key!r}: {error}"))
        return _Pending(position, order, form, part, None)

    def _build(self, order: Order, form: str) -> Part | None:
        """Whatever has content is built early, so that all of it shares one barrier; the rest costs nothing at its time."""
        after, grip = order.after, self._grip
        if form == MOVE:
            return build_copy(grip, order, self._nearest(order.key))
        if form not in (CREATE, REPLACE) or not (after.type == "file" or after.entries):
            return None
        replaced = grip.spot(order.key) if form == REPLACE and order.before.type == after.type else None
        return grip.build(order, self._nearest(order.key), after, replaced)

    def _nearest(self, key: str) -> Place:
        """The parent directory, or where it will be made by a pending order."""
        parent = key.rpartition("/")[0]
        while self._written.get(parent):
            parent = parent.rpartition("/")[0]
        return self._places.of(parent)

    def _reads_pending(self, order: Order, form: str) -> bool:
        """Must an earlier order have been switched before this one can be prepared?"""
        if not self._written or order.undo:
            return False
        if order.key in self._written and form != CREATE:
            return True
        if form != MOVE and not (order.after.type == "file" or order.after.entries):
            return False
        whole = order.after.type == "dir"
        return self._is_moving(order.key) or any(self._is_pending(source, whole) for source in _sources(order))

    def _is_moving(self, path: str) -> bool:
        """Is a directory above the path pending, other than as one that is simply made?"""
        written = self._written
        path = path.rpartition("/")[0]
        while path:
            if not written.get(path, True):
                return True
            path = path.rpartition("/")[0]
        return False

    def _is_pending(self, source: str, whole: bool) -> bool:
        """Is anything at or above the path pending, or below it when all of it is read?"""
        path = source
        while path:
            if path in self._written:
                return True
            path = path.rpartition("/")[0]
        below = f"{source}/"
        return whole and any(key.startswith(below) for key in self._written)

    # -- after the barrier

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        self._written.clear()
        self._barrier.sync_built()
        for one in pending:
            if self._skips(one.position, one.order):
                self._grip.discard(one.part)
                continue
            report = self._reports[one.position] = self._switch(one)
            if report.ending not in _GOOD:
                self._lost.add(one.position)
                self._halted = not self._keep_going

    def _skips(self, position: int, order: Order) -> bool:
        if not self._halted and (not self._lost or self._lost.isdisjoint(order.needs)):
            return False
        self._lost.add(position)
        return True

    def _switch(self, one: _Pending) -> Report:
        try:
            if one.trouble is not None:
                raise one.trouble
            return _REPORTS[self._switcher.switch(one.order, one.form, one.part)]
        except Trouble as trouble:
            return self._failed(one, trouble)
        except OSError as error:
            missing = {"ENOENT": "parent_not_found"} if one.form == CREATE else {}
            return self._failed(one, trouble_of(error, one.order.key, **{**_SURPRISES, **missing}))
        except ValueError as error:
            return self._failed(one, Trouble("invalid_value", f"{one.order.key!r}: {error}"))

    def _failed(self, one: _Pending, trouble: Trouble) -> Report:
        self._grip.discard(one.part)
        return Report(trouble.ending or FAILED, trouble.code, trouble.message, trouble.kept)


def _sources(order: Order) -> list[str]:
    """The paths that are read to build what the order makes."""
    if order.origin is not None:
        return [order.origin]
    means = [order.means] if isinstance(order.means, Content) else list((order.means or {}).values())
    return [path for content in means for path in (content.origin, content.path) if path is not None]
