"""Aliases, categories and interface groups: renaming them rewrites others, and those in use cannot go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from holdfast.testing.opnsense import references
from holdfast.testing.opnsense.behaviours.sheets import sheet
from holdfast.testing.opnsense.call import Call
from holdfast.testing.opnsense.collection import Answer, Collection, Handler, Row
from holdfast.testing.opnsense.profile import Profile
from holdfast.testing.opnsense.references import ALIAS_FIELDS, INTERFACE_FIELDS, RULES
from holdfast.testing.opnsense.store import Config, Item, replaced
from holdfast.testing.opnsense.world import ALIAS, World


class Aliases(Collection):
    def actions(self, profile: Profile) -> dict[str, tuple[Handler, int]]:
        own: dict[str, tuple[Handler, int]] = {
            "get_alias_uuid": (self.uuid_of, 1),
            "export": (self.export, 0),
            "import": (self.import_all, 0),
            "list_network_aliases": (self.network_aliases, 0),
        }
        return super().actions(profile) | own

    def rows(self, call: Call) -> Iterable[tuple[str, Item]]:
        types, categories = call.chosen("type"), call.chosen("category")
        return [
            (uuid, item)
            for uuid, item in super().rows(call)
            if (not types or item["type"] in types)
            and (not categories or categories & set(item.get("categories", "").split(",")))
        ]

    def get(self, call: Call) -> Answer:
        """One that is not there is still answered, with contents that could be chosen and nothing else."""
        if call.first and call.first not in call.world.listing(ALIAS):
            return {"alias": {"content": _content("", "", call.world)}}
        return super().get(call)

    def shown(self, uuid: str, item: Item, world: World) -> Row:
        return {**super().shown(uuid, item, world), "content": _content(item.get("content", ""), item.get("name", ""), world)}

    def after_put(self, call: Call, uuid: str, before: Item, config: Config, payload: Mapping[str, Any]) -> Config:
        old, new = before.get("name", ""), config[ALIAS][uuid]["name"]
        return references.alias_renamed(config, old, new) if old and old != new else config

    def in_use(self, uuid: str, item: Item, world: World) -> str:
        name = item["name"]
        return references.by_name(world.config, name, RULES, ALIAS_FIELDS) or references.in_content(world.config, name)

    def uuid_of(self, call: Call) -> Answer:
        return next(({"uuid": uuid} for uuid, item in call.world.listing(ALIAS).items() if item["name"] == call.first), [])

    def network_aliases(self, call: Call) -> Answer:
        return {name: {"name": name} for name in call.world.aliases(ports=False)}

    def export(self, call: Call) -> Answer:
        wanted = call.body.get("ids")
        listing = call.world.listing(ALIAS)
        return {"aliases": {"alias": {uuid: item for uuid, item in listing.items() if not wanted or uuid in wanted}}}

    def import_all(self, call: Call) -> Answer:
        """Many at once, matched by name, in one revision: all of them or none."""
        given = call.body.get("data", {}).get("aliases", {}).get("alias", {}) if call.is_post else {}
        if not given:
            return {"status": "failed"}
        with call.writing() as world:
            ours = {item["name"]: uuid for uuid, item in world.listing(ALIAS).items()}
            config, wrong, existing = world.config, [], 0
            for number, (_, payload) in enumerate(given.items()):
                uuid = ours.get(payload.get("name", "")) or self.new_uuid()
                existing += uuid in world.listing(ALIAS)
                seen = call.seeing(config)
                item = self.resource.taken_in(world.listing(ALIAS).get(uuid) or self.numbered(seen), payload, call.profile)
                wrong += [f"{number}.{name}: {texts[0]}" for name, texts in self.complaints(item, uuid, seen).items()]
                config = self.stored(config, uuid, item)
            if not wrong:
                call.save(config)
        return {"existing": existing, "new": len(given) - existing, "status": "failed" if wrong else "ok", "validations": wrong}


def _content(content: str, name: str, world: World) -> Row:
    own = {entry: {"value": entry, "selected": 1} for entry in content.split("\n") if entry}
    others = [item for item in world.listing(ALIAS).values() if item["name"] != name and item["name"] not in own]
    offered = {
        item["name"]: {"value": item["name"], "selected": 0, "description": item.get("description", "")} for item in others
    }
    return {**own, **offered}


class Categories(Collection):
    def in_use(self, uuid: str, item: Item, world: World) -> str:
        named = references.by_name(world.config, item["name"], RULES, ("category",))
        return references.by_uuid(world.config, uuid) or named

    def after_put(self, call: Call, uuid: str, before: Item, config: Config, payload: Mapping[str, Any]) -> Config:
        old, new = before.get("name", ""), config[self.resource.path][uuid]["name"]
        return references.renamed(config, old, new, RULES, ("category",)) if old and old != new else config


class Groups(Collection):
    def set(self, call: Call) -> Answer:
        if call.is_post:
            _ = call.body[self.resource.wrapper]["ifname"]  # the appliance fails where it is missing
        return super().set(call)

    def in_use(self, uuid: str, item: Item, world: World) -> str:
        return references.by_name(world.config, item["ifname"], RULES, INTERFACE_FIELDS)

    def after_put(self, call: Call, uuid: str, before: Item, config: Config, payload: Mapping[str, Any]) -> Config:
        old, new = before.get("ifname", ""), config[self.resource.path][uuid]["ifname"]
        return references.renamed(config, old, new, RULES, INTERFACE_FIELDS) if old and old != new else config


class Referred(Collection):
    """Items that others name by uuid."""

    def in_use(self, uuid: str, item: Item, world: World) -> str:
        return references.by_uuid(world.config, uuid)


class Reservations(Collection):
    def actions(self, profile: Profile) -> dict[str, tuple[Handler, int]]:
        return super().actions(profile) | sheet(self, "reservations", "hw_address", "subnet")


class HaproxyItems(Referred):
    """The switch flips, whatever it is told."""

    def toggled(self, now: str, wanted: str) -> str:
        return "0" if now == "1" else "1"


class UnboundHosts(Collection):
    """Host overrides with their aliases: one way to say them is on the host, and they go with it."""

    def row(self, uuid: str, item: Item, world: World) -> Row:
        children = [{"uuid": key, **alias} for key, alias in _aliases_of(uuid, world.config).items()]
        return {**super().row(uuid, item, world), "_children": children}

    def volatile(self, name: str, uuid: str, item: Item, world: World) -> str:
        return ",".join(_full_name(alias) for alias in _aliases_of(uuid, world.config).values()) if name == "aliases" else ""

    def after_put(self, call: Call, uuid: str, before: Item, config: Config, payload: Mapping[str, Any]) -> Config:
        if not isinstance(payload.get("aliases"), str):
            return config
        wanted = [name for name in payload["aliases"].split(",") if name]
        ours = {_full_name(alias): key for key, alias in _aliases_of(uuid, config).items()}
        kept = {key: alias for key, alias in config.get(UNBOUND_ALIAS, {}).items() if alias.get("host") != uuid}
        for name in wanted:
            host, _, domain = name.partition(".")
            made = {"enabled": "1", "host": uuid, "hostname": host, "domain": domain, "description": ""}
            kept[ours.get(name) or self.new_uuid()] = config.get(UNBOUND_ALIAS, {}).get(ours.get(name, ""), made)
        return replaced(config, UNBOUND_ALIAS, kept)

    def removed(self, call: Call, config: Config, uuid: str) -> Config:
        """The aliases go first, each with a save of its own."""
        for key in _aliases_of(uuid, config):
            left = {other: alias for other, alias in config[UNBOUND_ALIAS].items() if other != key}
            config = replaced(config, UNBOUND_ALIAS, left)
            call.save(config)
        return super().removed(call, config, uuid)


UNBOUND_ALIAS = "unbound.alias"


def _aliases_of(uuid: str, config: Config) -> dict[str, Item]:
    return {key: alias for key, alias in config.get(UNBOUND_ALIAS, {}).items() if alias.get("host") == uuid}


def _full_name(alias: Item) -> str:
    return ".".join(filter(None, (alias.get("hostname", ""), alias.get("domain", ""))))
