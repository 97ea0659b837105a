"""Making configuration effective: once per group, in an order that keeps the dangerous one last, and never believed.

A group whose outcome is unknown is activated again, which is harmless.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from holdfast.core.change import Change
from holdfast.core.errors import Failure, WorldError
from holdfast.drivers.http.door import Unheard, Unsent
from holdfast.drivers.opnsense.answers import Meaning, Reply, of_activation
from holdfast.drivers.opnsense.client import Client
from holdfast.drivers.opnsense.services import haproxy_flaw
from holdfast.drivers.opnsense.verifying import dismiss_notice, flaw_of
from holdfast.kinds.opnsense.resources import Type, type_of

TRIES: Final = 3
OVERHEAD: Final = 10  # requests by which a group is looked at, activated and verified, beside its writes
NOBODY: Final = "00000000-0000-4000-8000-000000000000"


class Group(NamedTuple):
    call: str
    cuts: bool = False  # can it shut us out?
    loads: bool = False  # does it load the packet filter, whose failures are told by a notice only?


GROUPS: Final[Mapping[str, Group]] = {  # in the order in which they are activated
    "alias": Group("firewall/alias/reconfigure", cuts=True, loads=True),
    "vlan": Group("interfaces/vlan_settings/reconfigure", cuts=True),
    "gateway": Group("routing/settings/reconfigure", cuts=True),
    "route": Group("routes/routes/reconfigure", cuts=True),
    "unbound": Group("unbound/service/reconfigure"),
    "kea": Group("kea/service/reconfigure"),
    "dnsmasq": Group("dnsmasq/service/reconfigure"),
    "haproxy": Group("haproxy/service/reconfigure"),
    "filter": Group("firewall/filter/apply", cuts=True, loads=True),
}


def calls_of(type_: Type, version: str) -> list[str]:
    """What changing an object of this type, taking it back and making either effective calls, of no object in particular."""
    verbs = ("del",) if type_.name == "interfaces.vlan" else ("set", "del")  # without a body its `set` fails, allowed or not
    calls = [f"{type_.action(verb, version)}/{NOBODY}" for verb in verbs]
    return [*calls, GROUPS[type_.group].call] if type_.group is not None else calls


async def activate(client: Client, changes: Sequence[Change]) -> dict[str, Failure]:
    """Activate the groups of these changes; by group, what went wrong. After the first failure the rest is left alone."""
    touched = {type_.group for change in changes if (type_ := type_of(change.key)) is not None}
    wanted = [name for name in GROUPS if name in touched]
    cuts = [name for name in wanted if GROUPS[name].cuts]
    failed: dict[str, Failure] = {}
    for name in wanted:
        if name in cuts:
            await client.hold_line(len(changes) + OVERHEAD * len(wanted))
        failure = await _activate(client, name, changes)
        if failure is not None:
            failed[name] = failure
            break
    if cuts and not failed:
        await client.drop_line()
    return failed


async def _activate(client: Client, name: str, changes: Sequence[Change]) -> Failure | None:
    try:
        if name == "haproxy" and (flaw := await haproxy_flaw(client)) is not None:
            return flaw
        if GROUPS[name].loads:
            await dismiss_notice(client)
        reply = await _called(client, name)
        if GROUPS[name].cuts and not await client.answers_anew():  # first of all: what else is asked may need a new connection
            return Failure(code="unreachable", message="after the activation the appliance answers no new connection")
        return await flaw_of(client, name, changes) if reply.meaning is Meaning.DONE else reply.failure
    except WorldError as error:
        return error.as_failure()


async def _is_cut_off(client: Client, name: str) -> bool:
    """An answer that found no way back is not waited for again."""
    return GROUPS[name].cuts and not await client.answers_anew()


async def _called(client: Client, name: str) -> Reply:
    """The call, again while nobody knows what became of it."""
    for attempt in range(1, TRIES + 1):
        try:
            reply = of_activation(await client.activation(GROUPS[name].call))
        except (Unsent, Unheard) as error:
            reply = Reply(Meaning.UNKNOWN, None, Failure(code="unreachable", message=f"{GROUPS[name].call}: {error}"))
        if reply.meaning is not Meaning.UNKNOWN or attempt == TRIES or await _is_cut_off(client, name):
            return reply
        await client.sleep(0.2 * attempt)
    raise AssertionError("unreachable")
