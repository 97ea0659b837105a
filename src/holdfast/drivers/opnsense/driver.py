"""The driver: looks by searches, writes one object after the other, activates once per batch, and checks both."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Final, NamedTuple

from holdfast.core.change import FACTS, Change, Effect, Look, State
from holdfast.core.errors import Failure, WorldError
from holdfast.drivers.contract import DONE, SKIPPED, UNCHANGED, Batch, Ending, Move, Outcome
from holdfast.drivers.opnsense.activating import activate, calls_of
from holdfast.drivers.opnsense.answers import Meaning, Reply
from holdfast.drivers.opnsense.client import Client
from holdfast.drivers.opnsense.naming import item_called
from holdfast.drivers.opnsense.writing import Delete, Nothing, Set, Values, Write, as_item, decide
from holdfast.kinds.opnsense.item import Item, Listing, Options, Privileges, alike
from holdfast.kinds.opnsense.privileges import MAY
from holdfast.kinds.opnsense.resources import MATCHES, OPTIONS, TYPES, Type, name_in, type_of
from holdfast.kinds.opnsense.values import nested

READ_BACK_TRIES: Final = 3
INTERRUPTED: Final = Failure(code="cancelled", message="it was interrupted while it was written", doubtful=True)
Every = dict[str, dict[str, str]]


class Marks(NamedTuple):
    """Runs that this process has begun, those of which something may have reached the appliance, and groups of theirs
    that may have been made effective."""

    begun: set[str]
    wrote: set[str]
    effective: set[tuple[str, str]]

    def is_untouched(self, run: str) -> bool:
        return run in self.begun and run not in self.wrote

    def was_never_effective(self, run: str, group: str) -> bool:
        return run in self.begun and (run, group) not in self.effective


class ApplianceDriver:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._made: dict[str, Values] = {}  # by uuid: an object right after this process made it
        self._marks = Marks(set(), set(), set())
        self._lane = asyncio.Lock()

    # -- looking

    async def inspect(self, looks: Sequence[Look]) -> Mapping[str, State]:
        found: dict[str, State] = {}
        shelves: dict[str, Every] = {}
        for look in looks:
            found[look.key] = await self._state(look.key, shelves)
        return found

    async def _state(self, key: str, shelves: dict[str, Every]) -> State:
        if key == FACTS:
            await self._client.check_writable()
            return await self._client.appliance()
        if key.startswith(OPTIONS):
            return Options(await self._client.options(TYPES[key.removeprefix(OPTIONS)]))
        if key.startswith(MAY):
            return Privileges(
                await self._client.forbidden(calls_of(TYPES[key.removeprefix(MAY)], await self._client.version()))
            )
        if key.startswith(MATCHES):
            return await self._match(json.loads(key.removeprefix(MATCHES)), shelves)
        if key in TYPES:
            return await self._listing(TYPES[key], shelves)
        type_ = type_of(key)
        if type_ is None:
            raise WorldError(f"`{key}` is nothing that an OPNsense appliance has", code="unsupported")
        item = item_called(type_, name_in(key), await self._every(type_, shelves))
        return item if item.exists else Item(item.uuid, await self._client.unlisted(type_, item.uuid))

    async def _every(self, type_: Type, shelves: dict[str, Every]) -> Every:
        """All objects of a type, looked for once."""
        if type_.name not in shelves:
            shelves[type_.name] = await self._client.every(type_)
        return shelves[type_.name]

    async def _listing(self, type_: Type, shelves: dict[str, Every]) -> Listing:
        """All objects of a type; none where the key may not see them: then only the appliance knows what is in use."""
        try:
            objects = await self._every(type_, shelves)
        except WorldError as error:
            if error.code not in ("permission_denied", "unsupported"):
                raise
            return Listing({})
        return Listing(objects, self._client.tied if type_.name == "interfaces.vlan" else {})

    async def _match(self, asked: Sequence[str], shelves: dict[str, Every]) -> State:
        key, name, reference = asked
        item = await self._state(key, shelves)
        return Effect(isinstance(item, Item) and self._client.veil.holds(item.uuid, name, reference))

    # -- moving

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        async with self._lane:
            return await _Turn(self._client, batch, self._made, self._marks).make()

    async def confirm(self, changes: Sequence[Change]) -> None:
        """What was found to be configured after a crash may never have been made effective. Raises WorldError."""
        async with self._lane:
            failed = await activate(self._client, changes)
        for failure in failed.values():
            raise WorldError(failure.message, code=failure.code, hint=failure.hint)

    async def settle(self, moves: Sequence[Move]) -> None:
        """Nothing is kept beside the journal."""

    async def close(self) -> None:
        await self._client.close()


class _Turn:
    """One batch on its way: writes in their order, one look at what became of them, one activation per group."""

    def __init__(self, client: Client, batch: Batch, made: dict[str, Values], marks: Marks) -> None:
        self._client = client
        self._batch = batch
        self._made = made
        self._marks = marks
        self._shelves: dict[str, Every] = {}
        self._outcomes: list[Outcome] = []
        self._sent: dict[int, Values | None] = {}  # by place: what was written; None: deleted

    async def make(self) -> Sequence[Outcome]:
        self._marks.begun.update(_run(move) for move in self._batch.moves if not move.undo)
        try:
            await self._look()
            await self._write_all()
            await self._read_back()
            await self._activate()
        except asyncio.CancelledError:
            self._fill(Outcome(Ending.IN_DOUBT, INTERRUPTED))
        except WorldError as error:
            self._fill(Outcome(Ending.FAILED, error.as_failure()))
        return self._outcomes

    def _fill(self, outcome: Outcome) -> None:
        """The rest was never begun; of what was written nobody has looked whether it holds."""
        for place in self._sent:
            if place < len(self._outcomes):
                self._outcomes[place] = outcome
        missing = len(self._batch.moves) - len(self._outcomes)
        if missing:
            self._outcomes += [SKIPPED if self._outcomes else outcome] * missing

    async def _look(self) -> None:
        for move in self._batch.moves:
            type_ = _type(move)
            if type_.name not in self._shelves:
                self._shelves[type_.name] = await self._client.every(type_)

    async def _write_all(self) -> None:
        lost: set[int] = set()
        for place, move in enumerate(self._batch.moves):
            blocked = lost.intersection(move.needs) if self._batch.keep_going else lost
            started = perf_counter()
            outcome = SKIPPED if blocked else await self._write(place, move)
            self._outcomes.append(replace(outcome, duration_s=perf_counter() - started))
            if outcome.ending not in (Ending.DONE, Ending.UNCHANGED):
                lost.add(place)

    async def _write(self, place: int, move: Move) -> Outcome:
        type_ = _type(move)
        shelf = self._shelves[type_.name]
        uuid = _uuid(move)
        shown = shelf.get(uuid) or await self._client.unlisted(type_, uuid)
        live = self._client.veil.compared(uuid, shown, as_item(move.change.after), as_item(move.change.before))
        if live is not None:
            shelf[uuid] = live
        write = decide(type_, move, shelf, self._made.get(uuid) if move.undo else None)
        if isinstance(write, Nothing):
            return UNCHANGED
        if isinstance(write, Failure):
            return Outcome(Ending.FAILED, write)
        untouched = self._marks.is_untouched(_run(move))
        self._marks.wrote.add(_run(move))
        reply = await self._send(type_, write, move)
        meaning = reply.meaning
        if meaning is Meaning.UNKNOWN:
            meaning = await self._found_out(type_, write, move)
        if meaning is Meaning.REFUSED and untouched:
            self._marks.wrote.discard(_run(move))
        if meaning is Meaning.UNKNOWN:
            return Outcome(Ending.IN_DOUBT, self._client.veil.hidden_in(reply.failure or INTERRUPTED))
        if meaning is Meaning.REFUSED:
            failure = reply.failure or Failure(code="api_rejected", message="the appliance did not do it")
            return Outcome(Ending.FAILED, self._client.veil.hidden_in(replace(failure, doubtful=False)))
        self._enter(place, shelf, write)
        return DONE

    async def _send(self, type_: Type, write: Delete | Set, move: Move) -> Reply:
        verb, body = "del", {}
        if isinstance(write, Set):
            verb, body = "set", {type_.wrapper: nested(self._client.veil.lifted(write.values))}
        path = f"{type_.action(verb, await self._client.version())}/{write.uuid}"
        return await self._client.write(path, body, tag=move.id, timeout_s=move.timeout)

    async def _found_out(self, type_: Type, write: Delete | Set, move: Move) -> Meaning:
        """Nobody knows whether it was done: look, and be sure."""
        for attempt in range(1, READ_BACK_TRIES + 1):
            try:
                return await self._seen_after(type_, write, move)
            except WorldError:
                await self._client.sleep(0.2 * attempt)
        return Meaning.UNKNOWN

    async def _seen_after(self, type_: Type, write: Delete | Set, move: Move) -> Meaning:
        """What is there decides; where it is neither old nor new, whether the history knows this very write."""
        found = await self._client.one(type_, write.uuid)
        if isinstance(write, Delete):
            return Meaning.DONE if found is None else Meaning.REFUSED
        if found is None:
            return Meaning.REFUSED
        if not self._missed(write.uuid, write.values, found):
            return Meaning.DONE
        before = as_item(move.change.before)
        if before.exists and Item(write.uuid, found).same(before):
            return Meaning.REFUSED
        return Meaning.UNKNOWN if await self._client.remembers(move.id) else Meaning.REFUSED

    def _missed(self, uuid: str, sent: Values, found: Values) -> list[str]:
        """The fields that the appliance did not take as they were sent."""
        now = self._client.veil.compared(uuid, found, Item(uuid, sent)) or {}
        return [name for name, value in sent.items() if not alike(now.get(name, ""), value)]

    def _enter(self, place: int, shelf: Every, write: Write) -> None:
        """What the next move of the batch will find."""
        if isinstance(write, Delete):
            shelf.pop(write.uuid, None)
            self._sent[place] = None
        elif isinstance(write, Set):
            shelf[write.uuid] = {**shelf.get(write.uuid, {}), **write.values}
            self._sent[place] = write.values

    # -- what became of it

    async def _read_back(self) -> None:
        """The appliance ignores what it does not know and says "saved": so everything is read again, once per type."""
        if not self._sent:
            return
        for name in {_type(self._batch.moves[place]).name for place in self._sent}:
            self._shelves[name] = await self._client.every(TYPES[name])
        last = {_uuid(self._batch.moves[place]): place for place in self._sent}  # later moves write over earlier ones
        for place in last.values():
            await self._check(place, self._batch.moves[place])

    async def _check(self, place: int, move: Move) -> None:
        uuid, sent = _uuid(move), self._sent[place]
        found = self._shelves[_type(move).name].get(uuid) or await self._client.unlisted(_type(move), uuid)
        missed = [] if sent is None or found is None else self._missed(uuid, sent, found)
        if sent is None and found is not None:
            self._fail(place, "the appliance says that it deleted the object, but it is still there")
        elif sent is not None and found is None:
            self._fail(place, "the appliance says that it saved the object, but it is not there")
        elif found is not None and not _is_named_as(move, found):
            told = "was deleted by somebody else while it was changed; what stands in its place holds only the change"
            self._fail(place, f"the object {uuid} {told}", "foreign_change")
        elif missed:
            self._fail(place, f"the appliance did not take {', '.join(f'`{name}`' for name in missed)}")
        elif found is not None and (uuid in self._made or not move.change.before.exists):
            self._made[uuid] = found

    def _fail(self, place: int, message: str, code: str = "api_rejected") -> None:
        self._outcomes[place] = Outcome(Ending.FAILED, Failure(code=code, message=message))

    async def _activate(self) -> None:
        """Once per group. Going forward, a batch that failed is left inactive: it is about to be taken back."""
        moves = self._batch.moves
        undoing = any(move.undo for move in moves)
        failed = any(outcome.ending in (Ending.FAILED, Ending.IN_DOUBT) for outcome in self._outcomes)
        if failed and not (self._batch.keep_going or self._batch.keeps):
            return
        active = [
            place
            for place, outcome in enumerate(self._outcomes)
            if outcome.ending is Ending.DONE
            or (outcome.ending is Ending.UNCHANGED and undoing and not self._marks.is_untouched(_run(moves[place])))
        ]
        failures = await self._made_effective([moves[place] for place in active], undoing)
        for place in active:
            failure = failures.get(_type(moves[place]).group or "")
            if failure is not None or (failures and self._outcomes[place].ending is Ending.DONE and _type(moves[place]).group):
                why = failure or next(iter(failures.values()))
                self._outcomes[place] = Outcome(Ending.FAILED, why, self._outcomes[place].duration_s)

    async def _made_effective(self, active: Sequence[Move], undoing: bool) -> dict[str, Failure]:
        """What a key may not make effective, and never did, is as it was all along: taking it back does not fail by that."""
        groups = {(_run(move), _type(move).group or "") for move in active}
        fresh = set() if undoing else groups - self._marks.effective
        self._marks.effective.update(fresh)
        failures = await activate(self._client, [move.change for move in active])
        forbidden = {name for name, failure in failures.items() if failure.code == "permission_denied"}
        self._marks.effective.difference_update(group for group in fresh if group[1] in forbidden)
        never = {
            name for name in forbidden if all(self._marks.was_never_effective(*group) for group in groups if group[1] == name)
        }
        return {name: failure for name, failure in failures.items() if not (undoing and name in never)}


def _run(move: Move) -> str:
    return move.id.rpartition("/")[0]


def _type(move: Move) -> Type:
    found = type_of(move.change.key)
    assert found is not None
    return found


def _is_named_as(move: Move, found: Values) -> bool:
    """A `set` makes what is not there: out of a few fields, without a name, and a rule of those lets everything pass."""
    type_, goals = _type(move), as_item(move.change.after).values or {}
    return type_.key_of(found) == type_.key_of(goals)


def _uuid(move: Move) -> str:
    return as_item(move.change.after).uuid or as_item(move.change.before).uuid
