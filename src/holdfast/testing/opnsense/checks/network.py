"""Rules over several fields of VLANs, routes, gateways and their groups."""

from __future__ import annotations

import re
from collections.abc import Iterator

from holdfast.testing.opnsense import addresses
from holdfast.testing.opnsense.resource import Complaint
from holdfast.testing.opnsense.store import Item
from holdfast.testing.opnsense.world import GATEWAY, World

DEFAULTS = {
    "latencylow": 200,
    "latencyhigh": 500,
    "losslow": 10,
    "losshigh": 20,
    "time_period": 60,
    "interval": 1,
    "loss_interval": 4,
}


def vlan(item: Item, uuid: str, world: World) -> Iterator[Complaint]:
    name, parent = item.get("vlanif", ""), item.get("if", "")
    prefix = "qinq" if parent in world_vlans(world) else "vlan"
    if name and not re.fullmatch(rf"{prefix}0[0-9.]{{1,10}}", name) and name != f"{parent}_vlan{item.get('tag', '')}":
        yield "vlanif", f"must be {prefix}0 and a number"


def world_vlans(world: World) -> set[str]:
    return {item.get("vlanif", "") for item in world.listing("interfaces.vlan").values()}


def route(item: Item, uuid: str, world: World) -> Iterator[Complaint]:
    network = addresses.net(item.get("network", ""))
    via = addresses.net(world.gateways.get(item.get("gateway", ""), ""))
    if network and via and network.version == 6 and via.version == 4:
        yield "gateway", "does not fit the address family of the network"


def gateway(item: Item, uuid: str, world: World) -> Iterator[Complaint]:
    family = 6 if item.get("ipprotocol") == "inet6" else 4
    for name in ("gateway", "monitor"):
        value = item.get(name, "")
        literal = addresses.net(value) if "/" not in value else None
        if value and value != "dynamic" and (literal is None or literal.version != family):
            yield name, "must be an address of the family of the gateway"
    if not item.get("gateway") and world.listing("interfaces.assignment").get(item.get("interface", ""), {}).get("ipaddr"):
        yield "gateway", "an interface with a fixed address needs a fixed gateway"
    monitors = {other.get("monitor") for key, other in world.listing(GATEWAY).items() if key != uuid}
    if item.get("monitor") and item["monitor"] in monitors:
        yield "monitor", "is already in use"


def gateway_timing(item: Item, uuid: str, world: World) -> Iterator[Complaint]:
    if any(item.get(name) and not re.fullmatch(r"[+-]?[0-9]+", item[name]) for name in DEFAULTS):
        return
    value = {name: int(item.get(name) or default) for name, default in DEFAULTS.items()}
    for low, high in (("latencylow", "latencyhigh"), ("losslow", "losshigh")):
        if value[low] > value[high]:
            yield low, f"must not be above {high}"
    if value["time_period"] < 2 * (value["interval"] + value["loss_interval"]):
        yield "time_period", "must be twice interval and loss_interval together"


def gateway_group(item: Item, uuid: str, world: World) -> Iterator[Complaint]:
    if item.get("name") in world.gateways:
        yield "name", "is the name of a gateway"
    if not any(item.get(tier) for tier in ("item", "item2", "item3", "item4", "item5")):
        yield "item", "at least one tier needs a gateway"
