"""Rules over several fields of filter rules, NAT rules and aliases."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from holdfast.testing.opnsense import addresses, words
from holdfast.testing.opnsense.resource import Complaint
from holdfast.testing.opnsense.store import Item
from holdfast.testing.opnsense.world import ALIAS, World

PORTED: Final = frozenset({"TCP", "UDP", "TCP/UDP"})
TCP: Final = frozenset({"TCP", "TCP/UDP"})
_ONLY_TCP: Final = (
    *("statetimeout", "max-src-conn", "tcpflags1", "tcpflags2", "tcpflags_any"),
    *("max-src-conn-rate", "max-src-conn-rates", "overload"),
)
_ONLY_WITH_STATE: Final = (
    "statetimeout",
    "max",
    "max-src-states",
    "max-src-nodes",
    "adaptivestart",
    "adaptiveend",
    "max-src-conn",
)
_TOGETHER: Final = (("max-src-conn-rate", "max-src-conn-rates"), ("max-pkt-rate-number", "max-pkt-rate-seconds"))


def ports_need_a_protocol(item: Item, uuid: str, world: World) -> Iterator[Complaint]:
    for name in ("source_port", "destination_port", "target_port"):
        if item.get(name) and item.get("protocol", "").upper() not in PORTED:
            yield name, "needs the protocol TCP or UDP"


def families(item: Item, uuid: str, world: World) -> Iterator[Complaint]:
    wanted = {"inet": 4, "inet6": 6}.get(item.get("ipprotocol", ""), 0)
    for name in ("source_net", "destination_net", "target"):
        literal = addresses.net(item.get(name, ""))
        if literal is not None and literal.version != wanted:
            yield name, "does not fit the address family of the rule"


def rule(item: Item, uuid: str, world: World) -> Iterator[Complaint]:
    yield from ports_need_a_protocol(item, uuid, world)
    yield from families(item, uuid, world)
    for name, blamed in (("source", "source_not"), ("destination", "destination_net")):
        listed = item.get(f"{name}_net", "").split(",")
        if len(listed) > 1 and "any" in listed:
            yield f"{name}_net", "a list cannot hold any"
        if len(listed) > 1 and item.get(f"{name}_not") == "1":
            yield blamed, "a list cannot be inverted"
    if item.get("interfacenot") == "1" and len(list(filter(None, item.get("interface", "").split(",")))) != 1:
        yield "interfacenot", "needs exactly one interface"
    for name, protocol in (("icmptype", "ICMP"), ("icmp6type", "IPV6-ICMP")):
        if item.get(name) and item.get("protocol") != protocol:
            yield name, f"needs the protocol {protocol}"


def rule_states(item: Item, uuid: str, world: World) -> Iterator[Complaint]:
    for name in _ONLY_TCP:
        if item.get(name) not in (None, "", "0") and item.get("protocol") not in TCP:
            yield name, "needs the protocol TCP"
    if item.get("statetype") == "none":
        yield from ((name, "needs a state") for name in _ONLY_WITH_STATE if item.get(name))
    for pair in _TOGETHER:
        if len([name for name in pair if item.get(name)]) == 1:
            yield next(name for name in pair if not item.get(name)), f"{' and '.join(pair)} go together"
    yield from _adaptive(item)


def _adaptive(item: Item) -> Iterator[Complaint]:
    start, end, most = (item.get(name, "") for name in ("adaptivestart", "adaptiveend", "max"))
    if bool(start) != bool(end):
        yield "adaptiveend" if start else "adaptivestart", "adaptivestart and adaptiveend go together"
    elif start.isdecimal() and end.isdecimal():
        if int(end) < int(start):
            yield "adaptiveend", "must not be below adaptivestart"
        if most.isdecimal() and int(end) < int(most):
            yield "max", "must not be above adaptiveend"
        if int(end) == 0 and not most:
            yield "max", "is needed when adaptiveend is 0"


def rule_options(item: Item, uuid: str, world: World) -> Iterator[Complaint]:
    flags = [name for name in ("tcpflags1", "tcpflags2") if item.get(name)]
    if flags == ["tcpflags1"]:
        yield "tcpflags2", "is needed with tcpflags1"
    if flags and item.get("tcpflags_any") == "1":
        yield "tcpflags_any", "cannot be combined with tcpflags1 and tcpflags2"
    if item.get("set-prio-low") and not item.get("set-prio"):
        yield "set-prio-low", "needs set-prio"
    if item.get("divert-to") and item.get("action") != "pass":
        yield "divert-to", "needs the action pass"
    if item.get("gateway") and item.get("replyto"):
        yield "replyto", "cannot be combined with gateway"
    first, second = (
        [path for path in ("shaper.pipe", "shaper.queue") if item.get(name) in world.listing(path)]
        for name in ("shaper1", "shaper2")
    )
    if item.get("shaper2") and (not item.get("shaper1") or first != second):
        yield "shaper2", "needs a shaper1 of the same sort"


def alias_name(item: Item, uuid: str, world: World) -> Iterator[Complaint]:
    name = item.get("name", "")
    if not name:
        return
    if not re.fullmatch(r"(?:[a-zA-Z]|_(?!_))[a-zA-Z0-9_]{0,30}", name):
        yield "name", "must start with a letter or one underscore and have at most 31 letters, digits and underscores"
    taken = {*words.PORTS, *(protocol.lower() for protocol in words.PROTOCOLS)} | words.FILTER_WORDS
    if name.lower() in taken:
        yield "name", "is a word of the packet filter, a service or a protocol"
    if name in words.BUILT_IN_ALIASES and world.listing(ALIAS).get(uuid, {}).get("name") != name:
        yield "name", "belongs to an alias of the appliance itself"


def alias_login(item: Item, uuid: str, world: World) -> Iterator[Complaint]:
    kind, user, password = item.get("authtype", ""), item.get("username", ""), item.get("password", "")
    if kind in ("Basic", "Header") and not (user and password):
        yield "authtype", "needs username and password"
    if kind == "Bearer" and not re.fullmatch(r"[A-Za-z0-9\-_.]{1,512}", password):
        yield "authtype", "needs a token as password"
    if kind == "Header" and len(user) > 255:
        yield "authtype", "the name of the header is too long"


def alias_content(item: Item, uuid: str, world: World) -> Iterator[Complaint]:
    kind = item.get("type", "")
    if kind == "dynipv6host" and not item.get("interface"):
        yield "interface", "is needed for this type"
    accepts = _ENTRIES.get(kind)
    entries = [entry for entry in item.get("content", "").split("\n") if entry]
    if accepts is not None:
        yield from (("content", f"{entry} is not valid here") for entry in entries if not accepts(entry, world))


def _host(entry: str, world: World) -> bool:
    bare = entry.removeprefix("!")
    return _address(bare) or (bare == entry and (_range(entry) or _name(entry)))


def _name(text: str) -> bool:
    """What has digits and dots only is an address that somebody mistyped."""
    return addresses.host(text, relaxed=True) and not text.startswith("-") and bool(re.search(r"[A-Za-z]", text))


def _network(entry: str, world: World) -> bool:
    bare = entry.removeprefix("!")
    named = entry in world.aliases(ports=False)
    return named or addresses.net(bare) is not None or _wildcard(bare) or (bare == entry and _range(entry))


def _port(entry: str, world: World) -> bool:
    named = entry in words.PORTS or entry in world.aliases(ports=True)
    return named or addresses.port(entry) or addresses.port_range(entry, ":")


def _address(text: str) -> bool:
    return "/" not in text and addresses.net(text) is not None


def _range(text: str) -> bool:
    low, dash, high = text.partition("-")
    first, last = addresses.net(low), addresses.net(high)
    return bool(dash and first and last) and _address(low) and _address(high) and addresses.in_order(first, last)


def _wildcard(text: str) -> bool:
    net, slash, mask = text.partition("/")
    return bool(slash) and _address(net) and _address(mask)


_ENTRIES: Final[Mapping[str, Callable[[str, World], bool]]] = {
    "host": _host,
    "network": _network,
    "port": _port,
    "networkgroup": lambda entry, world: entry in world.aliases(ports=False),
    "mac": lambda entry, world: bool(re.fullmatch(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){1,5}", entry)),
    "asn": lambda entry, world: entry.isdecimal() and 1 <= int(entry) <= 4_294_967_296,
    "geoip": lambda entry, world: bool(re.fullmatch(r"[A-Z]{2}", entry)),
    "dynipv6host": lambda entry, world: entry.startswith("::") and addresses.net(entry) is not None,
    "authgroup": lambda entry, world: entry.isdecimal(),
}
