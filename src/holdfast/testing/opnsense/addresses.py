"""Reading of addresses, ports and names in the appliance's own spelling. Pure."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Final

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LABEL: Final = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
_RELAXED: Final = r"[A-Za-z0-9_-]{1,63}"
_MAC: Final = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}|([0-9a-f]{2}-){5}[0-9a-f]{2}|([0-9a-f]{4}\.){2}[0-9a-f]{4}", re.I)


@lru_cache(maxsize=4096)  # every connection and every answer asks for the same few
def net(text: str) -> Network | None:
    """An address, or a network with a numeric mask; host bits may be set."""
    address, slash, mask = text.partition("/")
    if slash and not mask.isdecimal():
        return None
    try:
        return ipaddress.ip_network(text, strict=False) if "%" not in address else None
    except ValueError:
        return None


def in_order(low: Network | None, high: Network | None) -> bool:
    both = low is not None and high is not None and low.version == high.version
    return both and int(low.network_address) <= int(high.network_address)  # type: ignore[union-attr]


def port(text: str) -> bool:
    return bool(re.fullmatch(r"[1-9][0-9]{0,4}", text)) and int(text) <= 65535


def port_range(text: str, dash: str) -> bool:
    low, found, high = text.partition(dash)
    return bool(found) and port(low) and port(high) and int(low) < int(high)


def host(text: str, *, relaxed: bool = False) -> bool:
    label = _RELAXED if relaxed else _LABEL
    return len(text) <= 253 and bool(re.fullmatch(rf"{label}(\.{label})*\.?", text))


def mac(text: str) -> bool:
    return bool(_MAC.fullmatch(text))
