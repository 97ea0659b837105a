"""VLANs, static routes, gateways and their groups: what they need in a body, and which models they read too early."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.testing.opnsense import references
from holdfast.testing.opnsense.call import Call
from holdfast.testing.opnsense.collection import FAILED, UUID4, Answer, Collection, Row
from holdfast.testing.opnsense.profile import Profile
from holdfast.testing.opnsense.references import RULES
from holdfast.testing.opnsense.store import Item
from holdfast.testing.opnsense.tables.network import TIERS
from holdfast.testing.opnsense.world import GATEWAY_GROUP, INTERFACE, VLAN, World


class Vlans(Collection):
    def reads_early(self, verb: str, payload: Mapping[str, Any], profile: Profile) -> tuple[str, ...]:
        nameless_add = verb == "add" and not payload.get("vlanif")
        return (VLAN,) if nameless_add or (verb == "set" and not profile.since("26.7")) else ()

    def add(self, call: Call) -> Answer:
        _ = call.body[self.resource.wrapper]  # the appliance fails where it is missing
        return super().add(call)

    def set(self, call: Call) -> Answer:
        payload = call.body[self.resource.wrapper]
        _ = payload["if"], payload["tag"]
        return super().set(call)

    def prepared(self, payload: Mapping[str, Any], base: Item, world: World) -> Mapping[str, Any]:
        given = payload.get("vlanif") or base.get("vlanif")
        return {**payload, "vlanif": given or _free_name(str(payload.get("if", "")), world)}

    def complaints(self, item: Item, uuid: str, world: World) -> dict[str, list[str]]:
        found = super().complaints(item, uuid, world)
        before = world.listing(VLAN).get(uuid, {}).get("vlanif", "")
        if before and before != item.get("vlanif") and _tied(before, world):
            found.setdefault("vlanif", []).append(f"the device is in use by {_tied(before, world)}")
        return found

    def in_use(self, uuid: str, item: Item, world: World) -> str:
        return _tied(item["vlanif"], world)

    def row(self, uuid: str, item: Item, world: World) -> Row:
        row = super().row(uuid, item, world)
        assigned = [other["descr"] for other in world.listing(INTERFACE).values() if other.get("if") == item.get("vlanif")]
        return {**row, "vlanif": f"{item['vlanif']} [{assigned[0]}]"} if assigned else row


def _free_name(parent: str, world: World) -> str:
    taken = {item.get("vlanif") for item in world.listing(VLAN).values()}
    prefix = "qinq0" if parent in taken else "vlan0"
    return next(name for number in range(1, 5000) if (name := f"{prefix}{number}") not in taken)


def _tied(device: str, world: World) -> str:
    children = any(item.get("if") == device for item in world.listing(VLAN).values())
    assigned = [key for key, item in world.listing(INTERFACE).items() if item.get("if") == device]
    return "VLANs upon it" if children else f"interface {assigned[0]}" if assigned else ""


class Routes(Collection):
    def reads_early(self, verb: str, payload: Mapping[str, Any], profile: Profile) -> tuple[str, ...]:
        return (self.resource.path,) if verb == "set" else ()

    def actions(self, profile: Profile) -> dict[str, Any]:
        """This controller writes its actions in one word."""
        return {name.replace("_", ""): handler for name, handler in super().actions(profile).items()}

    def set(self, call: Call) -> Answer:
        if call.is_post and call.first in call.world.listing(self.resource.path):
            _ = call.body[self.resource.wrapper]["network"]  # the appliance fails where it is missing
        return super().set(call)


class Gateways(Collection):
    toggle_locks = False

    def reads_early(self, verb: str, payload: Mapping[str, Any], profile: Profile) -> tuple[str, ...]:
        return (self.resource.path,) if verb == "del" else ()

    def set(self, call: Call) -> Answer:
        """A word that is no uuid makes a new gateway."""
        if UUID4.fullmatch(call.first):
            return super().set(call)
        answer = self.add(call)
        return {"result": "saved"} if isinstance(answer, Mapping) and answer.get("result") == "saved" else answer

    def complaints(self, item: Item, uuid: str, world: World) -> dict[str, list[str]]:
        found = super().complaints(item, uuid, world)
        before = world.listing(self.resource.path).get(uuid, {}).get("name", "")
        if before and before != item.get("name"):
            found.setdefault("name", []).append("cannot be changed")
        return found

    def extra_rows(self, call: Call) -> list[Row]:
        return [
            {"uuid": name, "name": name, "gateway": address, "disabled": False, "virtual": True, "interface": "lo0"}
            for name, address in (("Null4", "127.0.0.1"), ("Null6", "::1"))
        ]

    def row(self, uuid: str, item: Item, world: World) -> Row:
        row = super().row(uuid, item, world)
        return {**row, "disabled": item.get("disabled") == "1", "virtual": False, "status": "Online"}

    def in_use(self, uuid: str, item: Item, world: World) -> str:
        name = item["name"]
        return (
            references.by_name(world.config, name, (INTERFACE,), ("gateway",))
            or references.by_name(world.config, name, (GATEWAY_GROUP,), TIERS)
            or references.by_name(world.config, name, ("routes.route",), ("gateway",))
        )

    def toggled(self, now: str, wanted: str) -> str:
        """The argument says enabled, the field says disabled."""
        return {"0": "1", "1": "0"}.get(wanted) or super().toggled(now, wanted)


class GatewayGroups(Collection):
    def complaints(self, item: Item, uuid: str, world: World) -> dict[str, list[str]]:
        found = super().complaints(item, uuid, world)
        before = world.listing(self.resource.path).get(uuid, {}).get("name", "")
        if before and before != item.get("name"):
            found.setdefault("name", []).append("cannot be changed")
        return found

    def in_use(self, uuid: str, item: Item, world: World) -> str:
        return references.by_name(world.config, item["name"], (*RULES, "routes.route"), ("gateway",))

    def toggle(self, call: Call) -> Answer:
        return FAILED
