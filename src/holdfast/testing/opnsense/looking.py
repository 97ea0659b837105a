"""What the appliance tells of what runs: devices, routes, records of the name server, parts of the proxy.

Taken from the runtime alone, so that it shows what an activation has really done.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any, Final

from holdfast.testing.opnsense.runtime import Runtime
from holdfast.testing.opnsense.store import Item
from holdfast.testing.opnsense.world import DEVICE

Rows = list[dict[str, Any]]
NULL: Final = {"Null4": "127.0.0.1", "Null6": "::1"}


def devices(runtime: Runtime) -> Rows:
    """Assigned interfaces, then the devices that are none."""
    vlans = {item["vlanif"]: _vlan(item) for item in runtime.loaded["interfaces.vlan"].values()}
    assigned = {item["if"]: (key, item["descr"]) for key, item in runtime.loaded["interfaces.assignment"].items()}
    shown = {
        device: assigned.get(device, ("", "Unassigned Interface")) for device in (*assigned, *runtime.loaded[DEVICE], *vlans)
    }
    return [
        {"device": device, "identifier": key, "description": told, **({"vlan": vlans[device]} if device in vlans else {})}
        for device, (key, told) in shown.items()
    ]


def _vlan(item: Item) -> dict[str, str]:
    return {"tag": item["tag"], "proto": item.get("proto") or "802.1q", "pcp": item.get("pcp", "0"), "parent": item["if"]}


def routes(runtime: Runtime) -> Rows:
    connected = [(item["subnet"], "link", item["if"]) for item in runtime.loaded["interfaces.assignment"].values()]
    gateways = {**NULL, **{item["name"]: item.get("gateway", "") for item in runtime.loaded["routing.gateway"].values()}}
    static = [
        (item["network"], gateways.get(item["gateway"], ""), "")
        for item in runtime.loaded["routes.route"].values()
        if item.get("enabled", "1") == "1" and item.get("disabled", "0") != "1"
    ]
    return [
        {"proto": _family(net), "destination": _destination(net), "gateway": gateway, "flags": "US", "netif": device}
        for net, gateway, device in (*connected, *static)
    ]


def _family(network: str) -> str:
    return f"ipv{ip_network(network, strict=False).version}"


def _destination(network: str) -> str:
    """As a routing table spells it: a single host without its mask."""
    found = ip_network(network, strict=False)
    return str(found.network_address) if found.num_addresses == 1 else "default" if not found.prefixlen else str(found)


def local_data(runtime: Runtime) -> dict[str, Any]:
    """The records that the name server answers from; nothing while it does not run."""
    if runtime.status["unbound"] != "running":
        return {"status": "failed"}
    hosts = {uuid: host for uuid, host in runtime.loaded["unbound.host"].items() if host["enabled"] == "1"}
    named = [(host, host) for host in hosts.values()]
    aliases = [alias for alias in runtime.loaded["unbound.alias"].values() if alias["enabled"] == "1"]
    named += [(alias, hosts[alias["host"]]) for alias in aliases if alias["host"] in hosts]
    records = [record for name, host in named for record in _records(name, host)]
    return {"status": "ok", "data": records}


def _records(name: Item, host: Item) -> Iterator[dict[str, str]]:
    if host["rr"] in ("A", "AAAA"):
        told = ".".join(part for part in (name.get("hostname", ""), name.get("domain") or host["domain"]) if part)
        yield {"name": f"{told}.", "ttl": host["ttl"] or "3600", "type": "IN", "rrtype": host["rr"], "value": host["server"]}


def proxy_parts(runtime: Runtime) -> Rows:
    """One row for each frontend, and for each backend that something leads to, with its servers."""
    frontends = [item for item in runtime.loaded["haproxy.frontend"].values() if item["enabled"] == "1"]
    backends = [runtime.loaded["haproxy.backend"].get(item.get("defaultBackend", "")) for item in frontends]
    servers = runtime.loaded["haproxy.server"]
    parts = [(item["name"], "FRONTEND") for item in frontends]
    for backend in backends:
        if backend is not None and backend["enabled"] == "1":
            linked = [servers[uuid]["name"] for uuid in backend["linkedServers"].split(",") if uuid in servers]
            parts += [(backend["name"], name) for name in (*linked, "BACKEND")]
    return [{"pxname": proxy, "svname": name, "id": f"{proxy}/{name}"} for proxy, name in parts]


def staged_difference(runtime: Runtime) -> str:
    """What the proxy was given and did not take, in the manner of a comparison of files."""
    differing = [path for path, listing in runtime.staged.items() if listing != runtime.loaded[path]]
    return "\n".join(f"+ {path} differs" for path in differing)
