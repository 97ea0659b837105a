"""Whether VLANs, routes and gateways that were activated are really there: the appliance shows its devices and its routes."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any, Final

from holdfast.core.errors import Failure
from holdfast.drivers.opnsense.client import Client
from holdfast.drivers.opnsense.wanted import Changes, enabled, of_type, patiently, rejected, rows_at
from holdfast.kinds.opnsense.item import Item
from holdfast.kinds.opnsense.resources import TYPES

Route = tuple[str, str]  # network and the address of its gateway, where that is known
NULL: Final[Mapping[str, str]] = {"Null4": "127.0.0.1", "Null6": "::1"}  # gateways that every appliance has


async def gateways(client: Client, changes: Changes) -> Failure | None:
    wanted = [after.values["name"] for _, after in of_type(changes, "routing.gateway") if _is_up(after) and after.values]

    async def look() -> Failure | None:
        known = {item.get("name") for item in await rows_at(client, "routes/gateway/status", "items") or ()}
        missing = [name for name in wanted if name not in known]
        return rejected(f"the gateway `{missing[0]}` was activated, but does not run") if known and missing else None

    return await patiently(client, look)


def _is_up(item: Item) -> bool:
    return item.values is not None and item.values.get("disabled", "0") == "0"


async def vlans(client: Client, changes: Changes) -> Failure | None:
    """Each has a device, with its tag; what was deleted has none any more. The names of devices are the appliance's own."""
    live = await client.every(TYPES["interfaces.vlan"])

    async def look() -> Failure | None:
        shown = await rows_at(client, "interfaces/overview/interfaces_info")
        if shown is None:
            return None
        devices = {str(row["device"]): row.get("vlan") for row in shown if row.get("device")}
        if all(row.get("identifier") for row in shown if row.get("device")):
            return None  # it shows interfaces, and a device is none before it is assigned
        flaws = (_vlan_flaw(before, live.get(after.uuid or before.uuid), live, devices) for before, after in _vlans(changes))
        return next((flaw for flaw in flaws if flaw is not None), None)

    return await patiently(client, look)


def _vlans(changes: Changes) -> list[tuple[Item, Item]]:
    return list(of_type(changes, "interfaces.vlan"))


def _vlan_flaw(
    before: Item, now: Mapping[str, str] | None, live: Mapping[str, Mapping[str, str]], devices: Mapping[str, Any]
) -> Failure | None:
    if now is None:
        kept = {other.get("vlanif") for other in live.values()}
        stays = [name for name, shown in devices.items() if name not in kept and _carries(name, shown, before.values or {})]
        return rejected(f"the VLAN was deleted, but its device {stays[0]} is still there") if stays else None
    name = now.get("vlanif", "")
    if name not in devices:
        return rejected(f"the VLAN was activated, but has no device {name}")
    shown = devices[name]
    tag = str(shown.get("tag", "")) if isinstance(shown, dict) else ""
    return rejected(f"the device {name} has the tag {tag} and not {now['tag']}") if tag not in ("", now["tag"]) else None


def _carries(name: str, shown: Any, values: Mapping[str, str]) -> bool:
    """Is this the device of such a VLAN? What a plan made has no name of a device in the plan."""
    if values.get("vlanif"):
        return name == values["vlanif"]
    return isinstance(shown, dict) and (str(shown.get("parent")), str(shown.get("tag"))) == (
        values.get("if"),
        values.get("tag"),
    )


async def routes(client: Client, changes: Changes) -> Failure | None:
    """What goes where, in the table that the system routes by; the address of a gateway is known from its state."""
    shown = await rows_at(client, "routes/gateway/status", "items")
    addresses = {**NULL, **{str(row.get("name", "")): str(row.get("address", "")) for row in shown or ()}}
    pairs = list(of_type(changes, "routes.route"))
    wanted = {route for _, after in pairs for route in _route(after, addresses)}
    unwanted = {route for before, _ in pairs for route in _route(before, addresses)} - wanted

    async def look() -> Failure | None:
        table = await rows_at(client, "diagnostics/interface/get_routes")
        if not table:
            return None
        running = {(_network(row.get("destination")), _address(row.get("gateway"))) for row in table}
        missing = [route for route in sorted(wanted) if not _in(route, running)]
        if missing:
            return rejected(f"the route to {missing[0][0]} was activated, but is not in the routing table")
        stale = [route for route in sorted(unwanted) if route[1] and _in(route, running)]
        return rejected(f"the route to {stale[0][0]} is still in the routing table") if stale else None

    return await patiently(client, look)


def _in(route: Route, running: set[Route]) -> bool:
    network, address = route
    return route in running if address else any(network == known for known, _ in running)


def _route(item: Item, addresses: Mapping[str, str]) -> list[Route]:
    values = item.values or {}
    on = enabled(item) and values.get("disabled", "0") != "1"
    network = _network(values.get("network"))
    return [(network, _address(addresses.get(values.get("gateway", ""))))] if on and network else []


def _network(shown: Any) -> str:
    text = {"default": "0.0.0.0/0"}.get(str(shown), str(shown))
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        return ""


def _address(shown: Any) -> str:
    """A link or a gateway that has none is no address."""
    try:
        return str(ip_address(str(shown)))
    except ValueError:
        return ""
