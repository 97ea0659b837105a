"""Making configuration effective: once per group, in an order that keeps the dangerous one last, and never believed.

The appliance says "ok" also when it kept its old rules, so what runs is asked for afterwards. A group whose outcome is
unknown is activated again, which is harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from holdfast.core.errors import Failure, WorldError
from holdfast.drivers.http.door import Unheard, Unsent
from holdfast.drivers.opnsense.answers import Meaning, Reply, of_activation
from holdfast.drivers.opnsense.client import Client
from holdfast.kinds.opnsense.item import Item

TRIES: Final = 3
STATUS_TRIES: Final = 5
STATUS_PAUSE_S: Final = 0.5


class Group(NamedTuple):
    call: str
    service: str = ""  # whose state is asked for afterwards
    cuts: bool = False  # can it shut us out?


GROUPS: Final[Mapping[str, Group]] = {  # in the order in which they are activated
    "alias": Group("firewall/alias/reconfigure", cuts=True),
    "vlan": Group("interfaces/vlan_settings/reconfigure", cuts=True),
    "gateway": Group("routing/settings/reconfigure", cuts=True),
    "route": Group("routes/routes/reconfigure", cuts=True),
    "unbound": Group("unbound/service/reconfigure", "unbound"),
    "kea": Group("kea/service/reconfigure", "kea"),
    "dnsmasq": Group("dnsmasq/service/reconfigure", "dnsmasq"),
    "haproxy": Group("haproxy/service/reconfigure", "haproxy"),
    "filter": Group("firewall/filter/apply", cuts=True),
}
Wanted = Mapping[str, Item]  # by uuid: rules as they are to run


async def activate(client: Client, groups: Iterable[str], rules: Wanted) -> dict[str, Failure]:
    """Activate these groups; by group, what went wrong. After the first failure the rest is left alone."""
    wanted = [name for name in GROUPS if name in set(groups)]
    cuts = any(GROUPS[name].cuts for name in wanted)
    failed: dict[str, Failure] = {}
    if cuts:
        await _hold_line(client)
    for name in wanted:
        failure = await _activate(client, name, rules)
        if failure is not None:
            failed[name] = failure
            break
    if cuts and not failed and not await client.answers_anew():
        last = [name for name in wanted if GROUPS[name].cuts][-1]
        failed[last] = Failure(code="unreachable", message="after the activation the appliance answers no new connection")
    if cuts and not failed:
        await client.drop_line()
    return failed


async def _hold_line(client: Client) -> None:
    try:
        await client.hold_line()
    except (Unsent, Unheard):
        await client.drop_line()  # without it there is only less to fall back on


async def _activate(client: Client, name: str, rules: Wanted) -> Failure | None:
    try:
        if name == "haproxy" and (flaw := await _haproxy_flaw(client)) is not None:
            return flaw
        reply = await _called(client, name)
        if reply.meaning is not Meaning.DONE:
            return reply.failure
        if name == "filter":
            return await _filter_flaw(client, rules)
        return await _service_flaw(client, GROUPS[name]) if GROUPS[name].service else None
    except WorldError as error:
        return error.as_failure()


async def _called(client: Client, name: str) -> Reply:
    """The call, again while nobody knows what became of it."""
    if name == "filter":
        await client.read("core/system/dismiss_status", body={"subject": "firewall"}, missing_ok=True)
    for attempt in range(1, TRIES + 1):
        try:
            reply = of_activation(await client.activation(GROUPS[name].call))
        except (Unsent, Unheard) as error:
            reply = Reply(Meaning.UNKNOWN, None, Failure(code="unreachable", message=f"{GROUPS[name].call}: {error}"))
        if reply.meaning is not Meaning.UNKNOWN or attempt == TRIES:
            return reply
        await client.sleep(0.2 * attempt)
    raise AssertionError("unreachable")


async def _filter_flaw(client: Client, rules: Wanted) -> Failure | None:
    """Did the packet filter load what is configured? When it cannot, it silently goes on with the rules it had."""
    status = await client.read("core/system/status", missing_ok=True)
    systems = status.get("subsystems") if isinstance(status, dict) else None
    firewall = systems.get("firewall") if isinstance(systems, dict) else None
    if isinstance(firewall, dict) and str(firewall.get("statusCode")) == "-1":
        return Failure(code="api_rejected", message="the packet filter did not load the rules and goes on with those it had")
    answer = await client.read("firewall/filter_util/rule_stats", missing_ok=True)
    stats = answer.get("stats") if isinstance(answer, dict) else None
    if stats is None:
        return None
    running = set(stats) if isinstance(stats, dict) else set()
    wrong = [uuid for uuid, item in rules.items() if (uuid in running) is not _runs(item)]
    if not wrong:
        return None
    return Failure(code="api_rejected", message=f"the packet filter does not run what is configured: rule {wrong[0]}")


def _runs(item: Item) -> bool:
    return item.values is not None and item.values.get("enabled", "1") == "1"


async def _haproxy_flaw(client: Client) -> Failure | None:
    answer = await client.read("haproxy/service/configtest", missing_ok=True)
    text = str(answer.get("result", "")) if isinstance(answer, dict) else ""
    if any(word in text.lower() for word in ("alert", "fatal", "invalid", "error")):
        return Failure(code="api_rejected", message=f"HAProxy would not take the configuration: {text.strip()[:500]}")
    return None


async def _service_flaw(client: Client, group: Group) -> Failure | None:
    """A service answers before it is up, and may stay down; then it is started once more."""
    state = ""
    for attempt in range(STATUS_TRIES):
        answer = await client.read(f"{group.service}/service/status", missing_ok=True)
        state = str(answer.get("status", "")) if isinstance(answer, dict) else ""
        if state in ("running", "disabled", ""):
            return None
        await client.sleep(STATUS_PAUSE_S)
        if attempt == STATUS_TRIES // 2:
            await client.activation(group.call)
    return Failure(code="unhealthy", message=f"the service {group.service} is {state} after its configuration was activated")
