"""The value of a field: brought into the one form in which it is sent and compared, and checked on the way.

Everything is a text on the wire. Entries of a list whose order does not count are sorted, so that two lists with the
same entries are the same value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any, Final

from holdfast.kinds.opnsense.field import Field, words

Check = Callable[[Field, str], str]  # what is wrong with one entry, in words; empty when nothing is

SERVICES: Final = frozenset(
    words(
        "any cvsup domain ftp hbci http https aol auth imap imaps ipsec-msft isakmp l2f ldap ms-ds ms-wbt-server "
        "microsoft-ds msn mysql nntp ntp netbios-dgm netbios-ns netbios-ssn openvpn pop3 pop3s pptp radius radius- "
        "acct avt-profile-1 rfb sip smtp snmp snmptrap ssh stun submission teredo telnet tftp urd wins"
    )
)
UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
ALIAS_NAME: Final = re.compile(r"(?!__)[A-Za-z_][A-Za-z0-9_]{0,30}")
RESERVED_NAMES: Final = frozenset(
    words(
        "all allow-opts any block drop divert-to dup-to from hfsc icmp-type icmp6-type in inet inet6 keep label log "
        "match modulate no nat no-route on out parent pass port priority pool quick rdr reply-to return rtable self "
        "set table tag tagged tcp tos to udp user"
    )
)
BUILT_IN_ALIASES: Final = frozenset({"bogons", "bogonsv6", "virusprot", "sshlockout"})
_INT: Final = re.compile(r"[+-]?(0|[1-9][0-9]*)")
_NUMBER: Final = re.compile(r"[0-9]+([.,][0-9]+)?")
_MAC: Final = re.compile(r"([0-9a-f]{2}([:-][0-9a-f]{2}){5}|([0-9a-f]{4}\.){2}[0-9a-f]{4})", re.I)
_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_HOST_LABEL: Final = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
_DNS_LABEL: Final = re.compile(r"[A-Za-z0-9_-]{1,63}")
_TOS: Final = re.compile(
    r"lowdelay|critical|inetcontrol|netcontrol|throughput|reliability|ef|af[1-4][1-3]|cs[0-7]|0x[0-9a-f]{1,2}"
)


def written(field: Field, value: Any) -> str:
    """A value of a plan as the API takes it; raises ValueError where it cannot be a value at all."""
    if isinstance(value, (list, tuple)):
        if not field.many:
            raise ValueError("it holds one value, not a list")
        return normal(field, field.separator.join(_text(field, entry) for entry in value))
    return normal(field, _text(field, value))


def _text(field: Field, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        if field.type != "bool":
            raise ValueError("it is not a yes or no")
        return "1" if value else "0"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise ValueError("it is a text, a number or a list of them")


def normal(field: Field, text: str) -> str:
    """The same value, in the one form that is compared."""
    if not text:  # as most fields of most objects
        return field.default if field.type == "bool" else ""
    if not field.many:
        return _entry(field, text.strip() if field.type != "text" else text)
    entries = [_entry(field, entry.strip()) for entry in text.replace("\r", "").split(field.separator)]
    entries = [entry for entry in entries if entry]
    return field.separator.join(entries if field.many == "ordered" else sorted(set(entries)))


def _entry(field: Field, text: str) -> str:
    if field.type == "bool":
        return text or ("" if field.default == "" else field.default)
    if field.type in ("net", "port", "tos") or field.lower:
        return text.lower() if field.type != "port" or text.lower() in SERVICES else text
    return text.upper() if field.type == "proto" and text.lower() != "any" else text


def entries_of(field: Field, value: str) -> list[str]:
    return [entry for entry in value.split(field.separator) if entry] if field.many else [value] if value else []


def complaint(field: Field, value: str) -> str:
    """What is wrong with a normal value, as far as it can be told without the appliance; empty when nothing is."""
    if field.pattern and value and not re.fullmatch(_anchored(field.pattern), value, re.IGNORECASE if field.ignore_case else 0):
        return f"`{value}` is not of the form that it takes ({field.pattern})"
    if not value:
        return "it must not be empty" if field.required or "numbered" in field.flags else ""
    check = CHECKS.get(field.type)
    wrong = (check(field, entry) for entry in entries_of(field, value)) if check else ()
    return next(filter(None, wrong), "")


def _anchored(pattern: str) -> str:
    return pattern.removeprefix("^").removesuffix("$")


def _bool(field: Field, entry: str) -> str:
    return "" if entry in ("0", "1") else f"it is `0` or `1` (or true, false); this is `{entry}`"


def _enum(field: Field, entry: str) -> str:
    return "" if not field.choices or entry in field.choices else f"`{entry}` is none of {', '.join(field.choices)}"


def _int(field: Field, entry: str) -> str:
    if not _INT.fullmatch(entry):
        return f"`{entry}` is not a whole number"
    low, high = field.low, field.high
    if (low is None or int(entry) >= low) and (high is None or int(entry) <= high):
        return ""
    return f"{entry} is not between {low} and {high}" if high is not None else f"{entry} is less than {low}"


def _number(field: Field, entry: str) -> str:
    return "" if _NUMBER.fullmatch(entry) else f"`{entry}` is not a number"


def _description(field: Field, entry: str) -> str:
    if len(entry.encode()) > 255:
        return "it is longer than 255 bytes"
    return "it must not hold a line break" if any(char in entry for char in "\n\0\v\f") else ""


def _word(field: Field, entry: str) -> str:
    return "it must not hold blanks or line breaks" if any(char.isspace() or char == "\0" for char in entry) else ""


def _alias_name(field: Field, entry: str) -> str:
    if not ALIAS_NAME.fullmatch(entry):
        return f"`{entry}` is no name: up to 31 letters, digits and underscores, not beginning with a digit"
    if entry.lower() in RESERVED_NAMES or entry.lower() in SERVICES:
        return f"`{entry}` is a word of the packet filter and cannot name an alias"
    if entry in BUILT_IN_ALIASES:
        return f"`{entry}` is an alias of the appliance itself"
    return ""


def _net(field: Field, entry: str) -> str:
    if entry == "any" and "no-any" not in field.flags and not {"mask", "no-mask"} & set(field.flags):
        return ""
    masked = "/" in entry
    try:
        if "%" in entry or (masked and not entry.partition("/")[2].isdecimal()):
            raise ValueError
        version = (ip_interface(entry) if masked else ip_address(entry)).version
    except ValueError:
        return f"`{entry}` is not an address" + ("" if "no-mask" in field.flags else " or a network")
    if masked and "no-mask" in field.flags:
        return f"`{entry}` must be an address without a mask"
    if not masked and "mask" in field.flags:
        return f"`{entry}` needs a mask, like {entry}/{32 if version == 4 else 128}"
    wanted = 4 if "v4" in field.flags else 6 if "v6" in field.flags else version
    return "" if version == wanted else f"`{entry}` must be an IPv{wanted} address"


def _netalias(field: Field, entry: str) -> str:
    if is_literal(entry):
        return ""
    if re.fullmatch(r"\(self\)|[A-Za-z_][A-Za-z0-9_]*", entry):
        return ""
    return f"`{entry}` is neither an address, a network, nor the name of an alias or interface"


def is_literal(entry: str) -> bool:
    """An address or a network, not a name."""
    try:
        ip_network(entry, strict=False)
    except ValueError:
        return False
    return "%" not in entry and entry.partition("/")[2].isdecimal() is ("/" in entry)


def _port(field: Field, entry: str) -> str:
    first, dash, last = entry.partition("-")
    if _INT.fullmatch(first) and dash and _INT.fullmatch(last) and "range" in field.flags:
        return _range(first, last)
    if entry.isdecimal():
        sound = 1 <= int(entry) <= 65535 and not entry.startswith("0")
        return "" if sound else f"{entry} is not a port: 1 to 65535"
    if ":" in entry and "range" in field.flags:
        return f"`{entry}`: a range of ports is written with a dash, like {entry.replace(':', '-')}"
    if "names" in field.flags and entry.lower() in SERVICES:
        return ""
    if "alias" in field.flags and ALIAS_NAME.fullmatch(entry):
        return ""
    return f"`{entry}` is not a port" + (", a range like 8000-8010" if "range" in field.flags else "")


def _range(first: str, last: str) -> str:
    low, high = int(first), int(last)
    if 1 <= low < high <= 65535:
        return ""
    return (
        f"`{first}-{last}` is the wrong way round: write {last}-{first}"
        if high < low
        else f"`{first}-{last}` is no range of ports"
    )


def _mac(field: Field, entry: str) -> str:
    return "" if _MAC.fullmatch(entry) else f"`{entry}` is not a MAC address like 00:11:22:aa:bb:cc"


def _host(field: Field, entry: str) -> str:
    """A name, or where `no-ip` does not say otherwise an address; `dnsname` allows what only DNS itself allows."""
    if entry == "*" and "star" in field.flags:
        return ""
    if is_literal(entry) and "/" not in entry:
        return f"`{entry}` is an address, and a name is wanted" if "no-ip" in field.flags else ""
    sound = is_name(entry, _DNS_LABEL if "dnsname" in field.flags else _HOST_LABEL)
    return "" if sound else f"`{entry}` is not the name of a host"


def is_name(entry: str, label: re.Pattern[str] = _DNS_LABEL) -> bool:
    return len(entry) <= 253 and all(label.fullmatch(part) for part in entry.removesuffix(".").split("."))


def _label(field: Field, entry: str) -> str:
    if entry == "*" and "star" in field.flags:
        return ""
    parts = entry.split(".") if "domain" in field.flags else [entry]
    return "" if all(_LABEL.fullmatch(part) for part in parts) else f"`{entry}` is not a name of letters, digits, `-` and `_`"


def _uuid(field: Field, entry: str) -> str:
    return "" if UUID.fullmatch(entry) else f"`{entry}` is not a uuid; write `{{ref: STEP}}` for the object of a step"


def _tos(field: Field, entry: str) -> str:
    return "" if _TOS.fullmatch(entry) else f"`{entry}` is not a type of service"


def _pool(field: Field, entry: str) -> str:
    first, dash, last = entry.partition("-")
    try:
        low, high = ip_address(first.strip()), ip_address(last.strip() or first.strip())
        sound = bool(dash) and low <= high  # type: ignore[operator]
    except (ValueError, TypeError):
        sound = False
    sound = sound or (is_literal(entry) and "/" in entry)
    return "" if sound else f"`{entry}` is not a pool: write FIRST-LAST or a network"


def _plain_v4(entry: str) -> bool:
    return is_literal(entry) and "/" not in entry and ":" not in entry


def _static_routes(field: Field, entry: str) -> str:
    parts = [part.strip() for part in entry.split(",")]
    sound = len(parts) % 2 == 0 and all(map(_plain_v4, parts))
    return "" if sound else f"`{entry}` is not pairs of a destination and its router"


def _classless_routes(field: Field, entry: str) -> str:
    for route in entry.split(","):
        network, _, router = (part.strip() for part in route.partition("-"))
        sound = is_literal(network) and "/" in network and str(ip_interface(network).network) == network
        if not sound or not _plain_v4(router):
            return f"`{route}` is not NETWORK - ROUTER"
    return ""


def _device_name(field: Field, entry: str) -> str:
    if re.fullmatch(r"(vlan|qinq)0[0-9.]{1,10}|[a-z0-9]+_vlan[0-9]+", entry):
        return ""
    return f"`{entry}` is not the name of such a device, like vlan01"


CHECKS: Final[Mapping[str, Check]] = {
    "bool": _bool,
    "enum": _enum,
    "int": _int,
    "num": _number,
    "description": _description,
    "word": _word,
    "alias-name": _alias_name,
    "net": _net,
    "netalias": _netalias,
    "port": _port,
    "mac": _mac,
    "host": _host,
    "label": _label,
    "ref": _uuid,
    "tos": _tos,
    "pools": _pool,
    "static-routes": _static_routes,
    "classless-routes": _classless_routes,
    "vlan-device": _device_name,
}


def flat(values: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, Any]]:
    """Nested mappings by their dotted names; a reference to a step or to a secret is a value."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value.keys() != {"ref"} and not is_secret(value):
            yield from flat(value, f"{above}{name}.")
        else:
            yield above + name, value


def is_secret(value: Any) -> bool:
    return isinstance(value, Mapping) and value.keys() == {"secret"}


def nested(values: Mapping[str, str]) -> dict[str, Any]:
    """The inverse, as the API takes it."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        *above, last = name.split(".")
        inner = found
        for part in above:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return found
