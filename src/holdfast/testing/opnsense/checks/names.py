"""Rules over several fields of host overrides, subnets, reservations, hosts and ranges."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.testing.opnsense import addresses
from holdfast.testing.opnsense.resource import Complaint
from holdfast.testing.opnsense.store import Item
from holdfast.testing.opnsense.world import World

_NEEDS = {"A": ("server",), "AAAA": ("server",), "MX": ("mx", "mxprio"), "TXT": ("txtdata",)}
_DDNS = (
    ("ddns_forward_zone", ("ddns_dns_server",)),
    ("ddns_dns_server", ("ddns_forward_zone",)),
    ("ddns_domain_key_name", ("ddns_domain_key_secret",)),
    ("ddns_domain_key_secret", ("ddns_domain_key_name",)),
    ("ddns_domain_key_algorithm", ("ddns_domain_key_secret",)),
)
_RA_MODES = (
    {"ra-names", "slaac"},
    {"ra-names", "ra-stateless"},
    {"slaac", "ra-stateless"},
    {"ra-names", "slaac", "ra-stateless"},
)


def unbound_host(item: Item, uuid: str, world: World) -> Iterator[Complaint]:
    if item.get("hostname", "").endswith("."):
        yield "hostname", "must not end with a dot"
    for name in _NEEDS.get(item.get("rr", ""), ()):
        if not item.get(name):
            yield name, f"is needed for {item['rr']}"


def unbound_alias(item: Item, uuid: str, world: World) -> Iterator[Complaint]:
    if not item.get("hostname") and not item.get("domain"):
        yield from ((name, "hostname or domain is needed") for name in ("hostname", "domain"))


def kea_subnet(item: Item, uuid: str, world: World) -> Iterator[Complaint]:
    for entry in filter(None, item.get("pools", "").split("\n")):
        low, dash, high = entry.replace(" ", "").partition("-")
        ends = [addresses.net(low), addresses.net(high)] if dash else [addresses.net(low)]
        if None in ends or (not dash and "/" not in low):
            yield "pools", f"{entry} is neither a range nor a network"
        elif dash and not addresses.in_order(*ends):
            yield "pools", f"{entry} is the wrong way round"
    for name, triggers in _DDNS:
        if not item.get(name) and any(item.get(trigger) for trigger in triggers):
            yield name, "is needed here"


def kea_options(item: Item, uuid: str, world: World) -> Iterator[Complaint]:
    plain = [entry.strip() for entry in item.get("option_data.static_routes", "").split(",") if entry]
    if len(plain) % 2 or any(_literal(entry) != 4 for entry in plain):
        yield "option_data.static_routes", "must be pairs of destination and router"
    for entry in filter(None, item.get("option_data.classless_static_route", "").split(",")):
        network, _, router = (part.strip() for part in entry.partition("-"))
        parsed = addresses.net(network)
        if parsed is None or "/" not in network or str(parsed) != network or _literal(router) != 4:
            yield "option_data.classless_static_route", f"{entry} is not NETWORK - ROUTER"


def kea_reservation(item: Item, uuid: str, world: World) -> Iterator[Complaint]:
    if bool(item.get("hw_address")) == bool(item.get("client_id")):
        yield "hw_address", "exactly one of hw_address and client_id is needed"
    subnet = addresses.net(world.listing("kea.subnet").get(item.get("subnet", ""), {}).get("subnet", ""))
    address = addresses.net(item.get("ip_address", ""))
    if subnet and address and (subnet.version != address.version or address.network_address not in subnet):
        yield "ip_address", "is not in the subnet"
    mine = _plain(item)
    others = [other for key, other in world.listing("kea.reservation").items() if key != uuid]
    if mine[0] and any(_plain(other) == mine and other["hw_address"] != item["hw_address"] for other in others):
        yield "hw_address", "is already in use"


def _plain(item: Item) -> tuple[str, str]:
    return item.get("hw_address", "").lower(), item.get("subnet", "")


def dnsmasq_host(item: Item, uuid: str, world: World) -> Iterator[Complaint]:
    ips = [ip for ip in item.get("ip", "").split(",") if ip]
    if item.get("hwaddr") or item.get("client_id"):
        yield from _dhcp_host(item, uuid, ips, world)
    else:
        yield from ((name, "is needed") for name in ("host", "ip") if not item.get(name))
    others = [other for key, other in world.listing("dnsmasq.host").items() if key != uuid]
    taken = {name for other in others for name in (*other.get("cnames", "").split(","), _full(other)) if name}
    if {name for name in item.get("cnames", "").split(",") if name} & (taken | {_full(item)}):
        yield "cnames", "is already in use"


def _dhcp_host(item: Item, uuid: str, ips: list[str], world: World) -> Iterator[Complaint]:
    if not item.get("host") and not ips:
        yield "host", "host or ip is needed"
    if item.get("host") == "*":
        yield "host", "cannot be * for a DHCP host"
    if len([ip for ip in ips if _literal(ip) == 4]) > 1:
        yield "ip", "at most one IPv4 address"
    others = [other for key, other in world.listing("dnsmasq.host").items() if key != uuid and _is_dhcp(other)]
    taken = {ip for other in others for ip in other.get("ip", "").split(",") if ip and not ip.startswith("::")}
    if taken & set(ips):
        yield "ip", "is already in use"


def dnsmasq_range(item: Item, uuid: str, world: World) -> Iterator[Complaint]:
    start, end = item.get("start_addr", ""), item.get("end_addr", "")
    static, six = item.get("mode") == "static", _literal(start) == 6
    if end and _literal(start) != _literal(end):
        yield "end_addr", "does not fit the address family of start_addr"
    if not six and not static and not end:
        yield "end_addr", "is needed for IPv4"
    if static:
        yield from ((name, "must be empty for a static range") for name in ("end_addr", "subnet_mask") if item.get(name))
    if item.get("constructor") and not (six and start.startswith("::")):
        yield "constructor", "needs an IPv6 address that starts with ::"
    if item.get("prefix_len") and not six:
        yield "prefix_len", "is for IPv6"
    if item.get("domain") and not item.get("interface" if item.get("domain_type") == "interface" else "end_addr"):
        yield "domain_type", "needs an interface or an end of the range"
    yield from _router_advertisement(item)


def _router_advertisement(item: Item) -> Iterator[Complaint]:
    modes = set(filter(None, item.get("ra_mode", "").split(",")))
    if modes and not item.get("interface"):
        yield "ra_mode", "needs an interface"
    length = item.get("prefix_len", "")
    if modes and length.isdecimal() and int(length) < 64:
        yield "prefix_len", "must be at least 64 with router advertisements"
    if len(modes) > 1 and modes not in _RA_MODES:
        yield "ra_mode", "cannot be combined like this"


def _full(item: Item) -> str:
    return ".".join(filter(None, (item.get("host", ""), item.get("domain", ""))))


def _is_dhcp(item: Item) -> bool:
    return bool(item.get("hwaddr") or item.get("client_id"))


def _literal(text: str) -> int:
    parsed = addresses.net(text) if "/" not in text else None
    return parsed.version if parsed else 0
