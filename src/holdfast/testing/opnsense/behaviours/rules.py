"""Ordered rules: filter, source NAT, one-to-one NAT, prefix translation, destination NAT."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from holdfast.testing.opnsense.behaviours.sheets import sheet
from holdfast.testing.opnsense.call import Call
from holdfast.testing.opnsense.collection import UUID4, Answer, Collection, Handler, Row
from holdfast.testing.opnsense.fixture import GENERAL, LEGACY_RULES, settings
from holdfast.testing.opnsense.profile import Profile
from holdfast.testing.opnsense.store import Config, Item, replaced
from holdfast.testing.opnsense.tables import firewall, nat
from holdfast.testing.opnsense.world import GROUP, World

AUTOMATIC: Final = (
    ("b1946ac92492d2347c6235b4d2611184", "block", "Default deny / state violation rule"),
    ("591785b794601e212b260e25925636fd", "pass", "IPv6 requirements (ICMP)"),
    ("e7df7cd2ca07f4f1ab415d457a6e1c13", "pass", "let out anything from firewall host itself"),
)
LISTED: Final = {"rules": firewall.RULE, "snatrules": nat.SOURCE, "onetoone": nat.ONE_TO_ONE, "npt": nat.PREFIX}


def priority(item: Item, world: World) -> int:
    """The evaluation group of a rule: floating, interface group, single interface, or one nobody knows."""
    interfaces = [name for name in item.get("interface", "").split(",") if name]
    if len(interfaces) != 1 or item.get("interfacenot") == "1":
        return 200_000
    groups = {group["ifname"]: int(group.get("sequence") or 0) for group in world.listing(GROUP).values()}
    if interfaces[0] in groups:
        return 300_000 + groups[interfaces[0]]
    return 400_000 if interfaces[0] in world.interfaces else 600_000


def place(item: Item, world: World) -> tuple[int, int]:
    return priority(item, world), int(item.get("sequence") or 0)


class Rules(Collection):
    """Rules that have a place. Moving and the log switch take no lock."""

    rows_per_page = 9999

    def actions(self, profile: Profile) -> dict[str, tuple[Handler, int]]:
        own: dict[str, tuple[Handler, int]] = {
            "move_rule_before": (self.move_before, 2),
            "toggle_rule_log": (self.toggle_log, 2),
        }
        return super().actions(profile) | own

    def rows(self, call: Call) -> Iterable[tuple[str, Item]]:
        world = call.world
        return sorted(super().rows(call), key=lambda row: place(row[1], world))

    def volatile(self, name: str, uuid: str, item: Item, world: World) -> str:
        group, sequence = place(item, world)
        return {"prio_group": str(group), "sort_order": f"{group}.{sequence:07}"}.get(name, "")

    def move_before(self, call: Call) -> Answer:
        """Give the rule the other's place, and move what follows one on: other rules change as well."""
        if not call.is_post:
            return {"status": "error"}
        with call.writing(locked=False) as world:
            rules = dict(world.listing(self.resource.path))
            moved, target = rules[call.first], rules[call.second]
            if priority(moved, world) != priority(target, world):
                return {"status": "error", "message": "rules of different groups"}
            call.save(replaced(world.config, self.resource.path, {**rules, **_moved(rules, call.first, call.second, world)}))
        return {"status": "ok"}

    def toggle_log(self, call: Call) -> Answer:
        if not call.is_post:
            return {"status": "error"}
        with call.writing(locked=False) as world:
            item = world.listing(self.resource.path)[call.first]
            call.save(self.stored(world.config, call.first, {**item, "log": call.second}))
        return {"status": "ok"}


def _moved(rules: Mapping[str, Item], uuid: str, target: str, world: World) -> dict[str, Item]:
    group = priority(rules[uuid], world)
    start = int(rules[target]["sequence"])
    later = sorted(
        (int(item["sequence"]), key) for key, item in rules.items() if priority(item, world) == group and key != uuid
    )
    changed: dict[str, Item] = {uuid: {**rules[uuid], "sequence": str(start)}}
    free = start + 1
    for sequence, key in later:
        if sequence < start:
            continue
        if sequence >= free:
            break
        changed[key] = {**rules[key], "sequence": str(free)}
        free += 1
    return changed


class FilterRules(Rules):
    """Filter rules: a search also shows what the API does not manage, and one call shows everything at once."""

    def actions(self, profile: Profile) -> dict[str, tuple[Handler, int]]:
        own: dict[str, tuple[Handler, int]] = {
            "get": (self.everything, 0),
            "get_interface_list": (self.interfaces, 0),
            "list_network_select_options": (self.networks, 0),
            "list_port_select_options": (self.ports, 0),
        }
        return super().actions(profile) | own | sheet(self, "rules")

    def rows(self, call: Call) -> Iterable[tuple[str, Item]]:
        world = call.world
        categories = call.chosen("category")
        shown = [row for row in super().rows(call) if _listed(row[1], call, world)]
        return [row for row in shown if not categories or categories & set(row[1].get("categories", "").split(","))]

    def extra_rows(self, call: Call) -> list[Row]:
        if not call.profile.since("25.7"):
            return []
        world = call.world
        legacy = [(uuid, item) for uuid, item in world.listing(LEGACY_RULES).items() if _listed(item, call, world)]
        automatic = [{"uuid": uuid, "action": action, "description": text} for uuid, action, text in AUTOMATIC]
        return [
            *(row | {"enabled": "1", "legacy": True} for row in automatic if _listed({}, call, world)),
            *({"uuid": uuid, "legacy": True, **item} for uuid, item in legacy),
        ]

    def everything(self, call: Call) -> Answer:
        world = call.world
        shown = {name: Collection(resource, self.new_uuid).all_shown(world) for name, resource in LISTED.items()}
        return {"filter": {name: {"rule": rules} for name, rules in shown.items()}}

    def interfaces(self, call: Call) -> Answer:
        items = [{"value": key, "label": label} for key, label in call.world.interfaces.items() if key != "lo0"]
        return {"interfaces": {"label": "Interfaces", "items": items}}

    def networks(self, call: Call) -> Answer:
        names = {**call.world.interfaces, **{name: name for name in call.world.aliases(ports=False)}}
        return {"single": {"label": "Single host or network"}, "networks": {"items": {"any": "any", **names}}}

    def ports(self, call: Call) -> Answer:
        return {"single": {"label": "Single port"}, "ports": {"items": {name: name for name in call.world.aliases(ports=True)}}}


def _listed(item: Item, call: Call, world: World) -> bool:
    """Whether a search shows the rule: an interface shows its own rules, an empty one the floating rules."""
    asked = call.asked.get("interface")
    if asked is None:
        return not call.profile.lists_floating_only or priority(item, world) == 200_000
    wanted = str(asked).split(",")
    floating = priority(item, world) == 200_000
    return (floating and ("" in wanted or call.asked.get("show_all") in ("1", 1, True))) or item.get("interface", "") in wanted


class SourceNat(Rules):
    """Outbound rules, which count and from 26.7 on are only listed where the mode lets them."""

    def actions(self, profile: Profile) -> dict[str, tuple[Handler, int]]:
        modes: dict[str, tuple[Handler, int]] = {"get": (self.settings, 0), "set": (self.set_mode, 0)}
        return super().actions(profile) | (modes if profile.since("26.7") else {"get": (self.listed, 0)})

    def rows(self, call: Call) -> Iterable[tuple[str, Item]]:
        hidden = call.profile.since("26.7") and _mode(call.config) in ("automatic", "disabled")
        return [] if hidden else super().rows(call)

    def extra_rows(self, call: Call) -> list[Row]:
        automatic = call.profile.since("26.7") and _mode(call.config) in ("automatic", "hybrid")
        return [{"uuid": "automatic_wan", "enabled": "1", "interface": "wan", "description": "automatic"}] if automatic else []

    def listed(self, call: Call) -> Answer:
        return {"filter": {"snatrules": {"rule": self.all_shown(call.world)}}}

    def settings(self, call: Call) -> Answer:
        mode = _mode(call.config)
        modes = {key: {"value": key, "selected": int(key == mode)} for key in MODES}
        return {"filter": {"general": {"snat_mode": modes}}}

    def set_mode(self, call: Call) -> Answer:
        mode = call.body.get("filter", {}).get("general", {}).get("snat_mode")
        if not call.is_post or mode is None:
            return {"result": "failed"}
        if mode not in MODES:
            return {"result": "failed", "validations": {"filter.general.snat_mode": "is not one of the options"}}
        with call.writing() as world:
            call.save(replaced(world.config, settings("firewall"), {GENERAL: {"snat_mode": mode}}))
        return {"result": "saved"}


MODES: Final = ("automatic", "hybrid", "advanced", "disabled")


def _mode(config: Config) -> str:
    return config[settings("firewall")][GENERAL]["snat_mode"]


class DestinationNat(Rules):
    """Port forwards: stamped at every write, switched by a flag the other way round, and not to be asked without a body."""

    def add(self, call: Call) -> Answer:
        _ = call.body[self.resource.wrapper]  # the appliance fails where it is missing
        return super().add(call)

    def set(self, call: Call) -> Answer:
        _ = call.body[self.resource.wrapper]
        return super().set(call)

    def after_put(self, call: Call, uuid: str, before: Item, config: Config, payload: Mapping[str, Any]) -> Config:
        stamp = dict(_stamp("updated", call))
        if not before.get("created.time"):
            stamp |= dict(_stamp("created", call))
        return self.stored(config, uuid, {**config[self.resource.path][uuid], **stamp})

    def extra_rows(self, call: Call) -> list[Row]:
        row = {"uuid": "automatic_lockout", "descr": "Anti-Lockout Rule", "interface": "lan", "destination.port": "443"}
        return [row] if not UUID4.fullmatch(str(call.asked.get("searchPhrase", ""))) else []


def _stamp(when: str, call: Call) -> Iterator[tuple[str, str]]:
    yield f"{when}.username", f"{call.user.name}@{call.request.peer}"
    yield f"{when}.time", f"{call.store.clock.now:.4f}"
    yield f"{when}.description", f"{call.request.uri} made changes"
