"""Rules over several fields of the translation rules."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.testing.opnsense import addresses
from holdfast.testing.opnsense.checks.firewall import PORTED
from holdfast.testing.opnsense.resource import Complaint
from holdfast.testing.opnsense.store import Item
from holdfast.testing.opnsense.world import CATEGORY, World


def source_nat(item: Item, uuid: str, world: World) -> Iterator[Complaint]:
    if item.get("target") == "any":
        yield "target", "cannot be any"
    if item.get("endpoint-independent") == "1" and item.get("protocol") != "UDP":
        yield "endpoint-independent", "needs the protocol UDP"


def one_to_one(item: Item, uuid: str, world: World) -> Iterator[Complaint]:
    external, source = addresses.net(item.get("external", "")), addresses.net(item.get("source_net", ""))
    for name in ("source_net", "destination_net"):
        literal = addresses.net(item.get(name, ""))
        if literal and external and literal.version != external.version:
            yield name, "does not fit the address family of the external network"
    if item.get("type") == "binat" and item.get("enabled") == "1":
        if source is None:
            yield "source_net", "must be an address or network"
        elif external and external.prefixlen != source.prefixlen:
            yield "external", "must be as large as the internal network"


def prefix(item: Item, uuid: str, world: World) -> Iterator[Complaint]:
    inside, outside = addresses.net(item.get("source_net", "")), addresses.net(item.get("destination_net", ""))
    if inside and outside and inside.prefixlen != outside.prefixlen:
        yield "destination_net", "must be as large as the internal prefix"
    if not item.get("trackif") and not item.get("destination_net"):
        yield "destination_net", "a value is required"
    if item.get("trackif"):
        yield "destination_net" if item.get("destination_net") else "trackif", "needs an interface that gets a prefix"


def destination_nat(item: Item, uuid: str, world: World) -> Iterator[Complaint]:
    for name in ("source.port", "destination.port", "local-port"):
        if item.get(name) and item.get("protocol", "").upper() not in PORTED:
            yield name, "needs the protocol TCP or UDP"
    wanted = {"inet": 4, "inet6": 6}.get(item.get("ipprotocol", ""), 0)
    for name in ("source.network", "destination.network", "target"):
        literal = addresses.net(item.get(name, ""))
        if wanted and literal is not None and literal.version != wanted:
            yield name, "does not fit the address family of the rule"
    if item.get("nordr") == "1":
        yield from ((name, "must be empty without a redirection") for name in ("target", "local-port") if item.get(name))
    known = {category["name"] for category in world.listing(CATEGORY).values()}
    if not set(filter(None, item.get("category", "").split(","))) <= known:
        yield "category", "is not a category"
