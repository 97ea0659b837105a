"""The table of everything that answers: which resource, at which version, by which behaviour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from holdfast.testing.opnsense.actions import Actions
from holdfast.testing.opnsense.api import Routes, address
from holdfast.testing.opnsense.behaviours import firewall as lists
from holdfast.testing.opnsense.behaviours import network as net
from holdfast.testing.opnsense.behaviours import rules
from holdfast.testing.opnsense.collection import Collection
from holdfast.testing.opnsense.profile import Profile
from holdfast.testing.opnsense.resource import Resource
from holdfast.testing.opnsense.tables import firewall, haproxy, names, nat, network

COLLECTIONS: Final[tuple[tuple[Resource, type[Collection]], ...]] = (
    (firewall.RULE, rules.FilterRules),
    (firewall.ALIASES, lists.Aliases),
    (firewall.CATEGORY_ITEMS, lists.Categories),
    (firewall.GROUPS, lists.Groups),
    (nat.SOURCE, rules.SourceNat),
    (nat.ONE_TO_ONE, rules.Rules),
    (nat.PREFIX, rules.Rules),
    (nat.DESTINATION, rules.DestinationNat),
    (network.VLAN, net.Vlans),
    (network.ROUTE, net.Routes),
    (network.GATEWAYS, net.Gateways),
    (network.GATEWAY_GROUPS, net.GatewayGroups),
    (names.HOST, lists.UnboundHosts),
    (names.HOST_ALIAS, Collection),
    (names.SUBNET, lists.Referred),
    (names.RESERVATION, lists.Reservations),
    (names.DNSMASQ_TAG, lists.Referred),
    (names.DNSMASQ_HOST, lists.Referred),
    (names.DNSMASQ_RANGE, Collection),
    (names.DNSMASQ_DOMAIN, Collection),
    *((resource, lists.HaproxyItems) for resource in haproxy.ALL),
)


RESOURCES: Final = {resource.path: resource for resource, _ in COLLECTIONS}


def collections(profile: Profile, new_uuid: Callable[[], str]) -> list[Collection]:
    return [make(resource, new_uuid) for resource, make in COLLECTIONS if profile.has(resource.since, "")]


def routes(profile: Profile, new_uuid: Callable[[], str], actions: Actions) -> Routes:
    items = {
        address(collection.resource.at, action): handler
        for collection in collections(profile, new_uuid)
        for action, handler in collection.actions(profile).items()
    }
    return {**actions.table(), **items}
