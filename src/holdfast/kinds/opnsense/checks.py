"""What fields of one object must be like together, by type: the reasons for which the appliance would refuse it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address, ip_interface, ip_network
from typing import Final

from holdfast.kinds.opnsense.values import ALIAS_NAME, is_literal, is_name

Values = Mapping[str, str]
_PORTED: Final = ("TCP", "UDP", "TCP/UDP")
_TCP_ONLY: Final = (
    "statetimeout",
    "max-src-conn",
    "tcpflags1",
    "tcpflags2",
    "max-src-conn-rate",
    "max-src-conn-rates",
    "overload",
)


def complaints(type_: str, values: Values) -> list[str]:
    check = CHECKS.get(type_)
    return list(check(values)) if check else []


def _has(values: Values, *names: str) -> list[str]:
    return [name for name in names if values.get(name)]


def _rule(values: Values) -> Iterator[str]:
    protocol = values.get("protocol", "any")
    yield from _ends(values)
    if values.get("interfacenot") == "1" and len(values.get("interface", "").split(",")) != 1:
        yield "`interfacenot` needs exactly one interface"
    for name, wanted in (("icmptype", "ICMP"), ("icmp6type", "IPV6-ICMP")):
        if values.get(name) and protocol != wanted:
            yield f"`{name}` needs `protocol: {wanted}`"
    if protocol not in ("TCP", "TCP/UDP"):
        yield from (f"`{name}` needs `protocol: TCP`" for name in _has(values, *_TCP_ONLY))
    if values.get("tcpflags_any") == "1" and protocol not in ("TCP", "TCP/UDP"):
        yield "`tcpflags_any` needs `protocol: TCP`"
    if values.get("tcpflags1") and not values.get("tcpflags2"):
        yield "`tcpflags1` needs `tcpflags2`"
    if values.get("tcpflags1") and values.get("tcpflags_any") == "1":
        yield "`tcpflags_any` excludes `tcpflags1`"
    if values.get("statetype") == "none":
        limits = ("statetimeout", "max", "max-src-states", "max-src-nodes", "adaptivestart", "adaptiveend", "max-src-conn")
        yield from (f"`{name}` needs a state, and `statetype` is none" for name in _has(values, *limits))
    for one, other in (
        ("max-src-conn-rate", "max-src-conn-rates"),
        ("max-pkt-rate-number", "max-pkt-rate-seconds"),
        ("adaptivestart", "adaptiveend"),
    ):
        if bool(values.get(one)) != bool(values.get(other)):
            yield f"`{one}` and `{other}` go together"
    if _has(values, "adaptivestart", "adaptiveend") == ["adaptivestart", "adaptiveend"]:
        yield from _adaptive(values)
    if values.get("set-prio-low") and not values.get("set-prio"):
        yield "`set-prio-low` needs `set-prio`"
    if values.get("shaper2") and not values.get("shaper1"):
        yield "`shaper2` needs `shaper1`"
    if values.get("divert-to") and values.get("action") != "pass":
        yield "`divert-to` needs `action: pass`"
    if values.get("gateway") and values.get("replyto"):
        yield "`replyto` excludes `gateway`"


def _adaptive(values: Values) -> Iterator[str]:
    start, end, most = int(values["adaptivestart"]), int(values["adaptiveend"]), int(values.get("max") or 0)
    if end < start:
        yield "`adaptiveend` must not be less than `adaptivestart`"
    if most and end < most:
        yield "`adaptiveend` must not be less than `max`"
    if (start == 0 or end == 0) and not most:
        yield "`max` is needed where `adaptivestart` or `adaptiveend` is 0"


def _ends(values: Values) -> Iterator[str]:
    """Source and destination: ports need a protocol that has them, addresses the right family, lists hold only names."""
    for end in ("source", "destination"):
        if values.get(f"{end}_port") and values.get("protocol") not in _PORTED:
            yield f"`{end}_port` needs `protocol: TCP`, `UDP` or `TCP/UDP`"
        entries = values.get(f"{end}_net", "").split(",")
        if len(entries) > 1:
            if "any" in entries:
                yield f"`{end}_net`: a list must not hold `any`"
            if any(is_literal(entry) for entry in entries):
                yield f"`{end}_net`: a list holds names only; put the addresses into an alias"
            if values.get(f"{end}_not") == "1":
                yield f"`{end}_not` needs a single source or destination"
        elif is_literal(entries[0]):
            yield from _family(f"{end}_net", entries[0], values.get("ipprotocol", "inet"))


def _family(name: str, entry: str, family: str) -> Iterator[str]:
    version = ip_network(entry, strict=False).version
    if family != ("inet" if version == 4 else "inet6"):
        yield f"`{name}`: `{entry}` needs `ipprotocol: {'inet' if version == 4 else 'inet6'}`"


def _source_nat(values: Values) -> Iterator[str]:
    yield from _ends(values)
    target = values.get("target", "")
    if target == "any":
        yield "`target` must not be any"
    elif target and is_literal(target):
        yield from _family("target", target, values.get("ipprotocol", "inet"))
    if values.get("target_port") and values.get("protocol") not in _PORTED:
        yield "`target_port` needs `protocol: TCP`, `UDP` or `TCP/UDP`"
    if values.get("endpoint-independent") == "1" and values.get("protocol") != "UDP":
        yield "`endpoint-independent` needs `protocol: UDP`"


def _one_to_one(values: Values) -> Iterator[str]:
    given = {name: values.get(name, "") for name in ("source_net", "destination_net", "external")}
    networks = {name: ip_network(entry, strict=False) for name, entry in given.items() if is_literal(entry)}
    if len({network.version for network in networks.values()}) > 1:
        yield f"{', '.join(f'`{name}`' for name in networks)} must be of one address family"
    if values.get("type") == "binat" and values.get("enabled") == "1":
        if "source_net" not in networks:
            yield "`source_net` must be an address or a network"
        elif "external" in networks and networks["external"].prefixlen != networks["source_net"].prefixlen:
            yield "`external` needs the same mask as `source_net`"


def _alias(values: Values) -> Iterator[str]:
    if values.get("type") == "dynipv6host" and not values.get("interface"):
        yield "`interface` is needed for the type dynipv6host"
    authtype = values.get("authtype", "")
    if authtype in ("Basic", "Header") and not values.get("username"):
        yield f"`username` is needed for `authtype: {authtype}`"
    if authtype and not values.get("password"):
        yield f"`password` is needed for `authtype: {authtype}`"
    check = _CONTENT.get(values.get("type", ""))
    for entry in values.get("content", "").split("\n") if check else ():
        if entry and check and (wrong := check(entry)):
            yield f"`content`: {wrong}"


def _content_host(entry: str) -> str:
    return _content_address(entry, networks=False)


def _content_network(entry: str) -> str:
    return _content_address(entry, networks=True)


def _content_address(entry: str, *, networks: bool) -> str:
    bare = entry.removeprefix("!")
    first, dash, last = bare.partition("-")
    if is_literal(bare):
        return "" if networks or "/" not in bare else f"`{entry}` is a network; use the type network"
    if dash and is_literal(first) and is_literal(last):
        low, high = ip_address(first), ip_address(last)
        sound = low.version == high.version and int(low) <= int(high)
        return "" if sound else f"`{entry}` is a range the wrong way round"
    if networks and "/" in bare and all(is_literal(part) for part in bare.split("/", 1)):
        return ""  # a wildcard mask
    named = ALIAS_NAME.fullmatch(bare) if networks else _names_host(bare)
    return "" if named and bare == entry else f"`{entry}` is no address and no name"


def _names_host(entry: str) -> bool:
    """What has digits and dots only is an address that somebody mistyped."""
    return is_name(entry) and not entry.startswith("-") and re.search("[A-Za-z]", entry) is not None


def _content_port(entry: str) -> str:
    if "-" in entry and entry.replace("-", "").isdecimal():
        return f"`{entry}`: a range of ports in an alias is written with a colon, like {entry.replace('-', ':')}"
    parts = entry.split(":")
    if all(part.isdecimal() for part in parts):
        numbers = [int(part) for part in parts]
        sound = len(numbers) <= 2 and all(1 <= number <= 65535 for number in numbers) and numbers == sorted(numbers)
        return "" if sound else f"`{entry}` is no port and no range of ports like 8000:8010"
    return "" if len(parts) == 1 and entry.replace("_", "").replace("-", "").isalnum() else f"`{entry}` is no port"


def _content_country(entry: str) -> str:
    return "" if len(entry) == 2 and entry.isalpha() else f"`{entry}` is no two-letter code of a country"


def _content_asn(entry: str) -> str:
    return "" if entry.isdecimal() and 1 <= int(entry) <= 4294967296 else f"`{entry}` is no number of an autonomous system"


def _content_alias(entry: str) -> str:
    return "" if ALIAS_NAME.fullmatch(entry) else f"`{entry}` is not the name of an alias"


def _content_group(entry: str) -> str:
    return "" if entry.isdecimal() else f"`{entry}` is not the number of a group of users"


def _content_suffix(entry: str) -> str:
    return "" if entry.startswith("::") and is_literal(entry) else f"`{entry}` is not the end of an address, like ::1000"


def _content_mac(entry: str) -> str:
    pairs = entry.split(":")
    sound = 2 <= len(pairs) <= 6 and all(len(pair) == 2 and all(c in "0123456789abcdefABCDEF" for c in pair) for pair in pairs)
    return "" if sound else f"`{entry}` is not the beginning of a MAC address"


_CONTENT: Final[Mapping[str, Callable[[str], str]]] = {
    "host": _content_host,
    "network": _content_network,
    "port": _content_port,
    "geoip": _content_country,
    "asn": _content_asn,
    "mac": _content_mac,
    "authgroup": _content_group,
    "networkgroup": _content_alias,
    "dynipv6host": _content_suffix,
}


def _gateway(values: Values) -> Iterator[str]:
    for name in ("gateway", "monitor"):
        entry = values.get(name, "")
        if entry and entry != "dynamic":
            if is_literal(entry) and "/" not in entry:
                yield from _family(name, entry, values.get("ipprotocol", "inet"))
            else:
                yield f"`{name}`: `{entry}` is not an address"
    numbers = {name: int(values.get(name) or default) for name, default in _GATEWAY_DEFAULTS.items()}
    for low, high in (("latencylow", "latencyhigh"), ("losslow", "losshigh")):
        if numbers[low] > numbers[high]:
            yield f"`{low}` must not be more than `{high}`"
    if numbers["time_period"] < 2 * (numbers["interval"] + numbers["loss_interval"]):
        yield "`time_period` must be at least twice `interval` and `loss_interval` together"


_GATEWAY_DEFAULTS: Final = {
    "latencylow": 200, "latencyhigh": 500, "losslow": 10, "losshigh": 20, "time_period": 60, "interval": 1, "loss_interval": 4,
}  # fmt: skip


def _unbound_host(values: Values) -> Iterator[str]:
    record = values.get("rr", "A")
    needed = {"A": ("server",), "AAAA": ("server",), "MX": ("mx", "mxprio"), "TXT": ("txtdata",)}
    yield from (f"`{name}` is needed for {record}" for name in needed.get(record, ()) if not values.get(name))
    if values.get("hostname", "").endswith("."):
        yield "`hostname` must not end with a dot"


def _kea_reservation(values: Values) -> Iterator[str]:
    if bool(values.get("hw_address")) == bool(values.get("client_id")):
        yield "exactly one of `hw_address` and `client_id` is needed"


def _kea_subnet(values: Values) -> Iterator[str]:
    subnet = values.get("subnet", "")
    if is_literal(subnet) and str(ip_interface(subnet).network) != subnet:
        yield f"`subnet`: `{subnet}` has host bits; write {ip_interface(subnet).network}"
    for one, other in (("ddns_forward_zone", "ddns_dns_server"), ("ddns_domain_key_name", "ddns_domain_key_secret")):
        if bool(values.get(one)) != bool(values.get(other)):
            yield f"`{one}` and `{other}` go together"
    if values.get("ddns_domain_key_secret") and not values.get("ddns_domain_key_algorithm"):
        yield "`ddns_domain_key_algorithm` is needed with `ddns_domain_key_secret`"


def _dnsmasq_host(values: Values) -> Iterator[str]:
    if values.get("hwaddr") or values.get("client_id"):
        if not (values.get("host") or values.get("ip")):
            yield "`host` or `ip` is needed"
    elif not (values.get("host") and values.get("ip")):
        yield "`host` and `ip` are needed where no `hwaddr` or `client_id` is given"


CHECKS: Final[Mapping[str, Callable[[Values], Iterator[str]]]] = {
    "firewall.rule": _rule,
    "firewall.alias": _alias,
    "routing.gateway": _gateway,
    "unbound.host": _unbound_host,
    "kea.subnet": _kea_subnet,
    "kea.reservation": _kea_reservation,
    "dnsmasq.host": _dnsmasq_host,
    "nat.source": _source_nat,
    "nat.one_to_one": _one_to_one,
}
