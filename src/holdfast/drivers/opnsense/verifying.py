"""What runs after an activation, as far as the appliance tells: it says "ok" also when it kept what it had.

What the packet filter runs is told rule by rule; of aliases one witness is asked for: they are loaded as a whole.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Final
from urllib.parse import quote

from holdfast.core.errors import Failure
from holdfast.drivers.opnsense.client import Client
from holdfast.drivers.opnsense.network import gateways, routes, vlans
from holdfast.drivers.opnsense.services import service
from holdfast.drivers.opnsense.wanted import Changes, enabled, of_type, patiently, rejected
from holdfast.kinds.opnsense.item import Item
from holdfast.kinds.opnsense.values import is_literal

SERVICES: Final = ("unbound", "kea", "dnsmasq", "haproxy")


async def dismiss_notice(client: Client) -> None:
    """So that a notice afterwards is a new one."""
    await client.told("core/system/dismiss_status", body={"subject": "firewall"})


async def flaw_of(client: Client, group: str, changes: Changes) -> Failure | None:
    """What is wrong with what runs now; None also where nobody can tell."""
    return await CHECKS[group](client, changes) if group in CHECKS else None


async def _filter(client: Client, changes: Changes) -> Failure | None:
    """When the packet filter cannot load what is configured, it silently goes on with the rules it had."""
    if (flaw := await _notice(client)) is not None:
        return flaw
    rules = {after.uuid or before.uuid: after for before, after in of_type(changes, "firewall.rule")}

    async def look() -> Failure | None:
        answer = await client.told("firewall/filter_util/rule_stats")
        stats = answer.get("stats") if isinstance(answer, dict) else None
        if stats is None:
            return None
        running = set(stats) if isinstance(stats, dict) else set()
        wrong = [uuid for uuid, item in rules.items() if (uuid in running) is not enabled(item)]
        return rejected(f"the packet filter does not run what is configured: rule {wrong[0]}") if wrong else None

    return await patiently(client, look)


async def _notice(client: Client) -> Failure | None:
    status = await client.told("core/system/status")
    systems = status.get("subsystems") if isinstance(status, dict) else None
    firewall = systems.get("firewall") if isinstance(systems, dict) else None
    if isinstance(firewall, dict) and str(firewall.get("statusCode")) == "-1":
        return rejected("the packet filter did not load the rules and goes on with those it had")
    return None


async def _aliases(client: Client, changes: Changes) -> Failure | None:
    """The reload of aliases is one of the packet filter as well."""
    if (flaw := await _notice(client)) is not None:
        return flaw
    witness = next((news for before, after in of_type(changes, "firewall.alias") for news in _news(before, after)), None)
    if witness is None:
        return None
    name, address, wanted = witness
    what = "is not loaded" if wanted else "is still loaded"

    async def look() -> Failure | None:
        loaded = await _table(client, name)
        if loaded is None or (address in loaded) is wanted:
            return None
        return rejected(f"the alias `{name}` was activated, but {address} {what}")

    return await patiently(client, look)


async def _table(client: Client, name: str) -> set[str] | None:
    """What an alias holds in the packet filter; None where nobody can tell."""
    answer = await client.told(f"firewall/alias_util/list/{quote(name, safe='')}")
    rows = answer.get("rows") if isinstance(answer, dict) else None
    if not isinstance(rows, list):
        return None
    return {str(value) for row in rows for value in (row.values() if isinstance(row, dict) else (row,))}


def _news(before: Item, after: Item) -> Iterator[tuple[str, str, bool]]:
    """A host address that an alias gains or loses: its name, the address, and whether it is to be there."""
    values = after.values or {}
    if not enabled(after) or values.get("type") != "host":
        return
    old, new = _addresses(before), _addresses(after)
    yield from ((values["name"], address, True) for address in sorted(new - old))
    if before.exists and (before.values or {}).get("type") == "host":
        yield from ((values["name"], address, False) for address in sorted(old - new))


def _addresses(item: Item) -> set[str]:
    content = (item.values or {}).get("content", "").split("\n")
    return {entry for entry in content if "/" not in entry and is_literal(entry)}


CHECKS: Final[Mapping[str, Callable[[Client, Changes], Awaitable[Failure | None]]]] = {
    "alias": _aliases,
    "vlan": vlans,
    "gateway": gateways,
    "route": routes,
    "filter": _filter,
    **{name: service(name) for name in SERVICES},
}
