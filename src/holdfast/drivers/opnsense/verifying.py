"""What runs after an activation, as far as the appliance tells: it says "ok" also when it kept what it had.

What the packet filter runs is told rule by rule, of aliases and gateways one witness is asked for: a group is loaded as
a whole. What a name server, a DHCP server or a proxy runs cannot be read; of those only that they run at all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from holdfast.core.change import Change
from holdfast.core.errors import Failure
from holdfast.drivers.opnsense.client import Client
from holdfast.drivers.opnsense.writing import as_item
from holdfast.kinds.opnsense.item import Item
from holdfast.kinds.opnsense.resources import name_in, type_of
from holdfast.kinds.opnsense.values import is_literal

Changes = Sequence[Change]
SERVICES: Final = ("unbound", "kea", "dnsmasq", "haproxy")
STATUS_TRIES: Final = 5
STATUS_PAUSE_S: Final = 0.5


async def dismiss_notice(client: Client) -> None:
    """So that a notice afterwards is a new one."""
    await client.read("core/system/dismiss_status", body={"subject": "firewall"}, missing_ok=True)


async def flaw_of(client: Client, group: str, changes: Changes) -> Failure | None:
    """What is wrong with what runs now; None also where nobody can tell."""
    return await CHECKS[group](client, changes) if group in CHECKS else None


async def _filter(client: Client, changes: Changes) -> Failure | None:
    """When the packet filter cannot load what is configured, it silently goes on with the rules it had."""
    if (flaw := await _notice(client)) is not None:
        return flaw
    answer = await client.read("firewall/filter_util/rule_stats", missing_ok=True)
    stats = answer.get("stats") if isinstance(answer, dict) else None
    if stats is None:
        return None
    running = set(stats) if isinstance(stats, dict) else set()
    rules = {item.uuid or as_item(change.before).uuid: item for change, item in _of(changes, "firewall.rule")}
    wrong = [uuid for uuid, item in rules.items() if (uuid in running) is not _runs(item)]
    return _rejected(f"the packet filter does not run what is configured: rule {wrong[0]}") if wrong else None


async def _notice(client: Client) -> Failure | None:
    status = await client.read("core/system/status", missing_ok=True)
    systems = status.get("subsystems") if isinstance(status, dict) else None
    firewall = systems.get("firewall") if isinstance(systems, dict) else None
    if isinstance(firewall, dict) and str(firewall.get("statusCode")) == "-1":
        return _rejected("the packet filter did not load the rules and goes on with those it had")
    return None


async def _aliases(client: Client, changes: Changes) -> Failure | None:
    """The reload of aliases is one of the packet filter as well."""
    if (flaw := await _notice(client)) is not None:
        return flaw
    witness = next((found for change, item in _of(changes, "firewall.alias") for found in _news(change, item)), None)
    if witness is None:
        return None
    name, address, wanted = witness
    path = f"firewall/alias_util/list/{quote(name, safe='')}"
    answer = await client.read(path, body={"current": 1, "rowCount": -1, "searchPhrase": address}, missing_ok=True)
    rows = answer.get("rows") if isinstance(answer, dict) else None
    if not isinstance(rows, list):
        return None
    loaded = any(isinstance(row, dict) and row.get("ip") == address for row in rows)
    what = "is not loaded" if wanted else "is still loaded"
    return None if loaded is wanted else _rejected(f"the alias `{name}` was activated, but {address} {what}")


def _news(change: Change, after: Item) -> Iterator[tuple[str, str, bool]]:
    """A host address that an alias gains or loses: its name, the address, and whether it is to be there."""
    before = as_item(change.before)
    if not _runs(after) or (after.values or {}).get("type") != "host":
        return
    old, new = _addresses(before), _addresses(after)
    yield from ((name_in(change.key), address, True) for address in sorted(new - old))
    if before.exists and (before.values or {}).get("type") == "host":
        yield from ((name_in(change.key), address, False) for address in sorted(old - new))


def _addresses(item: Item) -> set[str]:
    content = (item.values or {}).get("content", "").split("\n")
    return {entry for entry in content if "/" not in entry and is_literal(entry)}


async def _gateways(client: Client, changes: Changes) -> Failure | None:
    answer = await client.read("routes/gateway/status", missing_ok=True)
    items = answer.get("items") if isinstance(answer, dict) else None
    if not isinstance(items, list):
        return None
    known = {item.get("name") for item in items if isinstance(item, dict)}
    missing = [name_in(change.key) for change, item in _of(changes, "routing.gateway") if _is_up(item)]
    missing = [name for name in missing if name not in known]
    return _rejected(f"the gateway `{missing[0]}` was activated, but does not run") if missing else None


def _is_up(item: Item) -> bool:
    return item.values is not None and item.values.get("disabled", "0") == "0"


def _service(name: str) -> Callable[[Client, Changes], Awaitable[Failure | None]]:
    """A service answers before it is up, and may stay down; then it is started once more."""

    async def check(client: Client, changes: Changes) -> Failure | None:
        state = ""
        for attempt in range(STATUS_TRIES):
            answer = await client.read(f"{name}/service/status", missing_ok=True)
            state = str(answer.get("status", "")) if isinstance(answer, dict) else ""
            if state in ("running", "disabled", ""):
                return None
            await client.sleep(STATUS_PAUSE_S)
            if attempt == STATUS_TRIES // 2:
                await client.activation(f"{name}/service/reconfigure")
        return Failure(code="unhealthy", message=f"the service {name} is {state} after its configuration was activated")

    return check


async def haproxy_flaw(client: Client) -> Failure | None:
    """Asked before it is activated: what it cannot read it passes over in silence."""
    answer = await client.read("haproxy/service/configtest", missing_ok=True)
    text = str(answer.get("result", "")) if isinstance(answer, dict) else ""
    if any(word in text.lower() for word in ("alert", "fatal", "invalid", "error")):
        return _rejected(f"HAProxy would not take the configuration: {text.strip()[:500]}")
    return None


CHECKS: Final[Mapping[str, Callable[[Client, Changes], Awaitable[Failure | None]]]] = {
    "alias": _aliases,
    "gateway": _gateways,
    "filter": _filter,
    **{name: _service(name) for name in SERVICES},
}


def _of(changes: Changes, type_name: str) -> Iterator[tuple[Change, Item]]:
    """The changes of one type, each with the object as it is to be; of one object only the last counts."""
    last = {change.key: change for change in changes}
    for change in last.values():
        found = type_of(change.key)
        if found is not None and found.name == type_name:
            yield change, as_item(change.after)


def _runs(item: Item) -> bool:
    return item.values is not None and item.values.get("enabled", "1") == "1"


def _rejected(message: Any) -> Failure:
    return Failure(code="api_rejected", message=message)
