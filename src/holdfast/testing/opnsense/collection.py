"""What every list of items answers: search, get, add, set, del, toggle. What differs is in the modules beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from holdfast.testing.opnsense.call import Call, Refused
from holdfast.testing.opnsense.fields import AutoNumber, Sequence, ServerId
from holdfast.testing.opnsense.profile import Profile
from holdfast.testing.opnsense.resource import Resource, nested
from holdfast.testing.opnsense.store import Config, Item, replaced
from holdfast.testing.opnsense.wire import Response
from holdfast.testing.opnsense.world import World

Answer = Mapping[str, Any] | list[Any] | Response
Handler = Callable[[Call], Answer]
Row = dict[str, Any]

FAILED: Final[Mapping[str, Any]] = {"result": "failed"}
UUID4: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class Collection:
    """The generic behaviour. `in_use` says what refuses a deletion; the default is nothing."""

    rows_per_page = -1
    toggle_locks = True

    def __init__(self, resource: Resource, new_uuid: Callable[[], str]) -> None:
        self.resource = resource
        self.new_uuid = new_uuid

    def actions(self, profile: Profile) -> dict[str, tuple[Handler, int]]:
        """Its actions by name, each with how many path parameters it cannot do without."""
        suffix = self.resource.suffix
        return {
            self.resource.searches or joined("search", suffix): (self.search, 0),
            joined("get", suffix): (self.get, 0),
            joined("add", suffix): (self.add, 0),
            joined("set", suffix): (self.set, 1),
            joined("del", suffix): (self.delete, 1),
            joined("toggle", suffix): (self.toggle, 1),
        }

    # Reading.

    def search(self, call: Call) -> Answer:
        rows = [self.row(uuid, item, call.world) for uuid, item in self.rows(call)]
        asked = call.asked
        rows = [*self.extra_rows(call), *rows]
        order = call.body.get("sort") if call.is_post else None
        rows = _sorted([row for row in rows if _matches(row, str(asked.get("searchPhrase", "")))], order)
        count, page = _number(asked.get("rowCount"), self.rows_per_page), max(1, _number(asked.get("current"), 1))
        shown = rows if count < 0 else rows[(page - 1) * count : page * count]
        return {"rows": shown, "rowCount": len(shown), "total": len(rows), "current": page}

    def rows(self, call: Call) -> Iterable[tuple[str, Item]]:
        return call.world.listing(self.resource.path).items()

    def extra_rows(self, call: Call) -> list[Row]:
        return []

    def row(self, uuid: str, item: Item, world: World) -> Row:
        fields = self.resource.fields_of(world.profile)
        if not world.profile.since("25.7"):
            columns = {name: fields[name] for name in self.resource.columns if name in fields}
            return {"uuid": uuid, **{name: field.display(item.get(name, ""), world) for name, field in columns.items()}}
        row: Row = {"uuid": uuid}
        for name, field in fields.items():
            value = self.volatile(name, uuid, item, world) if field.volatile else item.get(name, "")
            row[name] = value
            if value and (label := field.display(value, world)) != value:
                row[f"%{name}"] = label
        return row

    def get(self, call: Call) -> Answer:
        world = call.world
        item = world.listing(self.resource.path).get(call.first) if call.first else self.fresh(world)
        return {self.resource.wrapper: self.shown(call.first, item, world)} if item is not None else []

    def shown(self, uuid: str, item: Item, world: World) -> Row:
        fields = self.resource.fields_of(world.profile)
        return nested(
            {name: field.shown(item.get(name, self.volatile(name, uuid, item, world)), world) for name, field in fields.items()}
        )

    def all_shown(self, world: World) -> Row:
        return {uuid: self.shown(uuid, item, world) for uuid, item in world.listing(self.resource.path).items()}

    def volatile(self, name: str, uuid: str, item: Item, world: World) -> str:
        """The value of a field that is worked out and never stored."""
        return ""

    def fresh(self, world: World) -> dict[str, str]:
        return self.resource.defaults(world.profile)

    # Writing.

    def reads_early(self, verb: str, payload: Mapping[str, Any], profile: Profile) -> tuple[str, ...]:
        """The lists that this writer read before it had the lock."""
        return ()

    def add(self, call: Call) -> Answer:
        payload = call.body.get(self.resource.wrapper)
        if not call.is_post or not isinstance(payload, Mapping):
            return FAILED
        with call.writing(early=self.reads_early("add", payload, call.profile)) as world:
            uuid = self.new_uuid()
            failed = self.put(call, uuid, self.numbered(world), payload, world)
        return failed or {"result": "saved", "uuid": uuid}

    def set(self, call: Call) -> Answer:
        payload = call.body.get(self.resource.wrapper)
        if not call.is_post or not isinstance(payload, Mapping):
            return FAILED
        with call.writing(early=self.reads_early("set", payload, call.profile)) as world:
            item = world.listing(self.resource.path).get(call.first)
            if item is None and not UUID4.fullmatch(call.first):
                return FAILED
            base = self.numbered(world) if item is None else item
            return self.put(call, call.first, base, payload, world) or {"result": "saved"}

    def put(self, call: Call, uuid: str, base: Item, payload: Mapping[str, Any], world: World) -> Answer | None:
        """Save the item with what the payload says; an answer where there is something wrong with it."""
        item = self.resource.taken_in(base, self.prepared(payload, base, world), call.profile)
        above = f"{self.resource.wrapper}."
        made_up = {name.removeprefix(above): [text] for name, text in call.complaints.items()}
        complaints = self.complaints(item, uuid, world) | made_up
        if complaints:
            return {"result": "failed", "validations": {above + name: _one(texts) for name, texts in complaints.items()}}
        call.save(self.after_put(call, uuid, base, self.stored(world.config, uuid, item), payload))
        return None

    def prepared(self, payload: Mapping[str, Any], base: Item, world: World) -> Mapping[str, Any]:
        return payload

    def complaints(self, item: Item, uuid: str, world: World) -> dict[str, list[str]]:
        return self.resource.problems(item, uuid, world)

    def stored(self, config: Config, uuid: str, item: Item) -> Config:
        return replaced(config, self.resource.path, {**config.get(self.resource.path, {}), uuid: item})

    def after_put(self, call: Call, uuid: str, before: Item, config: Config, payload: Mapping[str, Any]) -> Config:
        """What else changes with an item."""
        return config

    def numbered(self, world: World) -> dict[str, str]:
        """A new item: the defaults, and what the server numbers itself."""
        fields = self.resource.fields_of(world.profile).items()
        item = self.fresh(world) | {name: "" for name, field in fields if isinstance(field, AutoNumber | Sequence)}
        ids = {name: self.new_uuid().replace("-", "")[:13] for name, field in fields if isinstance(field, ServerId)}
        return self.resource.numbered(item, world) | ids

    def delete(self, call: Call) -> Answer:
        if not call.is_post:
            return FAILED
        several = call.profile.since("26.1.4")
        uuids = call.first.split(",") if several else [call.first]
        with call.writing(early=self.reads_early("del", {}, call.profile)) as world:
            config = world.config
            found = False
            for uuid in uuids:
                found = uuid in config.get(self.resource.path, {})
                config = self.removed(call, config, uuid) if found else config
            if config is not world.config:
                call.save(config)
        return {"result": "deleted" if found else "not found"}

    def removed(self, call: Call, config: Config, uuid: str) -> Config:
        listing = config[self.resource.path]
        if used := self.in_use(uuid, listing[uuid], call.seeing(config)):
            raise Refused(f"in use by {used}")
        return replaced(config, self.resource.path, {key: item for key, item in listing.items() if key != uuid})

    def in_use(self, uuid: str, item: Item, world: World) -> str:
        """Who refers to the item, in words; empty when it can go."""
        return ""

    def toggle(self, call: Call) -> Answer:
        if not call.is_post:
            return FAILED
        with call.writing(locked=self.toggle_locks and call.profile.since("25.7")) as world:
            if call.first not in world.listing(self.resource.path) and not call.profile.since("26.7"):
                return FAILED
            item = world.listing(self.resource.path)[call.first]
            field = self.resource.toggles
            value = self.toggled(item.get(field, ""), call.second)
            changed = value != item.get(field, "")
            if changed:
                call.save(self.stored(world.config, call.first, {**item, field: value}))
        return {"result": "Enabled" if value == "1" else "Disabled", "changed": changed}

    def toggled(self, now: str, wanted: str) -> str:
        return wanted if wanted in ("0", "1") else "0" if now == "1" else "1"


def joined(verb: str, suffix: str) -> str:
    return f"{verb}_{suffix}" if suffix else verb


def _one(texts: list[str]) -> str | list[str]:
    return texts[0] if len(texts) == 1 else texts


def _number(value: object, default: int) -> int:
    try:
        return int(str(value))
    except ValueError:
        return default


def _matches(row: Row, phrase: str) -> bool:
    said = " ".join(str(value) for value in row.values()).lower()
    return all(word.lower() in said for word in phrase.split())


def _sorted(rows: list[Row], sort: object) -> list[Row]:
    if isinstance(sort, Mapping):
        for name, way in reversed(list(sort.items())):
            rows = sorted(rows, key=lambda row: str(row.get(name, "")), reverse=way == "desc")
    return rows
