"""Whether answers find their way back to the clients: over the device of the management interface, by the routes that run.

What fails here cuts connections that are open as well, which a packet filter lets go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Final

from holdfast.testing.opnsense import addresses
from holdfast.testing.opnsense.store import Item, Listing
from holdfast.testing.opnsense.world import GATEWAY, INTERFACE, VLAN

ROUTE: Final = "routes.route"


def leads_back(loaded: Mapping[str, Listing], management: str, clients: Iterable[str], tag: str) -> bool:
    vlans = {item["vlanif"]: item["tag"] for item in loaded[VLAN].values()}
    device = loaded[INTERFACE][management]["if"]
    if device.startswith(("vlan", "qinq")) and (device not in vlans or tag not in ("", vlans[device])):
        return False
    return any(_is_routed(loaded, client) for client in clients)


def _is_routed(loaded: Mapping[str, Listing], client: str) -> bool:
    """The narrowest network decides: one that an interface is in, or one that a gateway leads to."""
    ways = [(item["subnet"], True) for item in loaded[INTERFACE].values()]
    ways += [(route["network"], _is_up(loaded, route["gateway"])) for route in loaded[ROUTE].values() if _counts(route)]
    here = ip_address(client)
    fitting = [(network, open_) for net, open_ in ways if (network := addresses.net(net)) is not None and here in network]
    default = any(item.get("defaultgw") == "1" and item["disabled"] == "0" for item in loaded[GATEWAY].values())
    return max(fitting, key=lambda way: way[0].prefixlen)[1] if fitting else default


def _counts(route: Item) -> bool:
    return route.get("enabled", "1") == "1" and route.get("disabled", "0") != "1"


def _is_up(loaded: Mapping[str, Listing], gateway: str) -> bool:
    """Null4 and Null6 swallow what they are given."""
    return any(item["name"] == gateway and item["disabled"] == "0" for item in loaded[GATEWAY].values())
