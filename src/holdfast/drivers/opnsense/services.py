"""Whether services run, and whether they run what is configured, as far as each of them tells.

A name server lists its records and a proxy its frontends and what it was not given. A DHCP server tells nothing of what
it runs: of Kea and Dnsmasq only that they run at all.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address
from typing import Any, Final

from holdfast.core.errors import Failure
from holdfast.drivers.http.door import Unheard, Unsent
from holdfast.drivers.opnsense.client import Client
from holdfast.drivers.opnsense.wanted import Changes, enabled, of_type, patiently, rejected, rows_at
from holdfast.kinds.opnsense.item import Item

SILENT: Final = ("disabled", "unknown", "")  # states of which nothing is to be expected, or nothing known
NO_FLAW: Final = re.compile(r"\b(no|0) (errors?|alerts?|warnings?)\b|\bis valid\b")
FLAW: Final = re.compile(r"alert|fatal|invalid|error")
Record = tuple[str, str]  # a name with its dot at the end, and an address
Look = Callable[[Client, Changes], Awaitable[Failure | None]]


def service(name: str) -> Look:
    """A service answers before it is up, and may stay down or stay as it was; then it is activated once more."""

    async def check(client: Client, changes: Changes) -> Failure | None:
        async def look() -> Failure | None:
            state = await _state(client, name)
            if state in SILENT:
                return None
            if state != "running":
                return Failure(code="unhealthy", message=f"the service {name} is {state} after its configuration was activated")
            return await LOADED[name](client, changes) if name in LOADED else None

        async def again() -> None:
            try:
                await client.activation(f"{name}/service/reconfigure")
            except (Unsent, Unheard):
                return  # the next look tells what became of it

        flaw = await patiently(client, look, again)
        return None if flaw in (LINGERING, UNREADY) else flaw

    return check


async def _state(client: Client, name: str) -> str:
    answer = await client.told(f"{name}/service/status")
    return str(answer.get("status", "")) if isinstance(answer, dict) else ""


# Worth another activation, but no failure: a record that is still there may come from somebody else, such as a lease.
LINGERING: Final = rejected("the name server still answers with what was removed")
UNREADY: Final = rejected("the name server does not tell its records")


async def _records(client: Client, changes: Changes) -> Failure | None:
    answer = await client.told("unbound/diagnostics/listlocaldata")
    if not isinstance(answer, dict):
        return None
    data = answer.get("data")
    if not isinstance(data, list):
        return UNREADY
    running = {(str(row.get("name", "")).lower(), _address(row.get("value"))) for row in data if isinstance(row, dict)}
    pairs = list(of_type(changes, "unbound.host"))
    wanted = {record for _, after in pairs for record in _record(after)}
    missing = sorted(wanted - running)
    if missing:
        name, address = missing[0]
        return rejected(f"the name server was activated, but does not answer {name.rstrip('.')} with {address}")
    removed = {record for before, _ in pairs for record in _record(before)} - wanted
    return LINGERING if removed & running else None


def _record(item: Item) -> list[Record]:
    values: Mapping[str, str] = item.values or {}
    address = _address(values.get("server"))
    if not enabled(item) or values.get("rr", "A") not in ("A", "AAAA") or values.get("hostname") == "*" or not address:
        return []
    name = ".".join(part for part in (values.get("hostname", ""), values.get("domain", "")) if part)
    return [(f"{name.lower()}.", address)]


def _address(shown: Any) -> str:
    try:
        return str(ip_address(str(shown)))
    except ValueError:
        return ""


async def haproxy_flaw(client: Client) -> Failure | None:
    """Asked before it is activated: what it cannot read it passes over in silence."""
    answer = await client.told("haproxy/service/configtest")
    text = str(answer.get("result", "")) if isinstance(answer, dict) else ""
    if FLAW.search(NO_FLAW.sub("", text.lower())):
        return rejected(f"HAProxy would not take the configuration: {text.strip()[:500]}")
    return None


async def _proxy(client: Client, changes: Changes) -> Failure | None:
    """What lies ready differs from what was taken: then it goes on with what it had."""
    answer = await client.told("haproxy/export/diff")
    if isinstance(answer, dict) and str(answer.get("response", "")).strip():
        return rejected("HAProxy was activated, but goes on with the configuration it had")
    counted = await rows_at(client, "haproxy/statistics/counters")
    if counted is None:
        return None
    running = {row.get("pxname") for row in counted if row.get("svname") == "FRONTEND"}
    pairs = list(of_type(changes, "haproxy.frontend"))
    wanted = {_name(after) for _, after in pairs if enabled(after)}
    missing = sorted(wanted - running)
    if missing:
        return rejected(f"HAProxy was activated, but does not run the frontend `{missing[0]}`")
    stale = sorted(({_name(before) for before, _ in pairs if before.exists} - wanted) & running)
    return rejected(f"HAProxy was activated, but still runs the frontend `{stale[0]}`") if stale else None


def _name(item: Item) -> str:
    return (item.values or {}).get("name", "")


LOADED: Final[Mapping[str, Look]] = {"unbound": _records, "haproxy": _proxy}
