"""The types of objects: where their API is, what they are called by, and which activation makes them effective."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final, NamedTuple

from holdfast.kinds.opnsense.field import OLDEST, Field, number
from holdfast.kinds.opnsense.schema import firewall, haproxy, names, nat, network


class Type(NamedTuple):
    name: str  # as in `firewall.alias/web`
    at: str  # module/controller
    suffix: str  # of its actions: get_SUFFIX, set_SUFFIX
    search: str
    wrapper: str
    key: tuple[str, ...]  # the fields that make its natural key; none: it is called by its uuid
    joined: str  # what stands between them
    fields: tuple[Field, ...]
    group: str | None  # its activation; None: effective at once
    always: tuple[str, ...] = ()  # fields that every `set` must hold
    joint: str = "_"  # between verb and suffix of an action
    whole: bool = True  # rows of a search hold every field, where the version has such rows at all
    since: str = OLDEST  # the first version that has such objects

    def is_in(self, version: str) -> bool:
        return number(version) >= number(self.since)

    def known(self, version: str) -> Mapping[str, Field]:
        """The fields that are sent and compared, at this version."""
        return _known(self.name, version)

    @property
    def named(self) -> Mapping[str, Field]:
        """All fields of all versions, by name."""
        return _named(self.name)

    def split(self, key: str) -> dict[str, str] | None:
        """The fields that a natural key stands for; None when it cannot be one."""
        if len(self.key) == 1:
            return {self.key[0]: key} if key else None
        first, found, rest = key.rpartition("/") if self.joined == "/" else key.partition(".")
        return dict(zip(self.key, (first, rest), strict=True)) if found and first and rest else None

    def key_of(self, values: Mapping[str, str]) -> str:
        return self.joined.join(values.get(name, "") for name in self.key)

    def action(self, verb: str, version: str) -> str:
        """The path of an action, spelled as the privileges of this version are."""
        name = self.search if verb == "search" else f"{verb}{self.joint}{self.suffix}"
        return f"{self.at}/{name if number(version) >= (25, 7) else camel(name)}"


def camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)


_NAME: Final = ("name",)
_TOLD: Final = ("description",)
TYPES: Final[Mapping[str, Type]] = {
    found.name: found
    for found in (
        Type("firewall.alias", "firewall/alias", "item", "search_item", "alias", _NAME, "", firewall.ALIAS, "alias"),
        Type("firewall.rule", "firewall/filter", "rule", "search_rule", "rule", _TOLD, "", firewall.RULE, "filter"),
        Type("firewall.category", "firewall/category", "item", "search_item", "category", _NAME, "", firewall.CATEGORY, None),
        Type(
            "interfaces.vlan",
            "interfaces/vlan_settings",
            "item",
            "search_item",
            "vlan",
            ("if", "tag"),
            "/",
            network.VLAN,
            "vlan",
            ("if", "tag"),
        ),
        Type(
            "routes.route",
            "routes/routes",
            "route",
            "searchroute",
            "route",
            ("network",),
            "",
            network.ROUTE,
            "route",
            ("network",),
            "",
        ),
        Type(
            "routing.gateway",
            "routing/settings",
            "gateway",
            "search_gateway",
            "gateway_item",
            _NAME,
            "",
            network.GATEWAY,
            "gateway",
            whole=False,
        ),
        Type(
            "unbound.host",
            "unbound/settings",
            "host_override",
            "search_host_override",
            "host",
            ("hostname", "domain"),
            ".",
            names.UNBOUND_HOST,
            "unbound",
        ),
        Type(
            "unbound.alias",
            "unbound/settings",
            "host_alias",
            "search_host_alias",
            "alias",
            (),
            "",
            names.UNBOUND_ALIAS,
            "unbound",
        ),
        Type("kea.subnet", "kea/dhcpv4", "subnet", "search_subnet", "subnet4", ("subnet",), "", names.KEA_SUBNET, "kea"),
        Type(
            "kea.reservation",
            "kea/dhcpv4",
            "reservation",
            "search_reservation",
            "reservation",
            ("hw_address",),
            "",
            names.KEA_RESERVATION,
            "kea",
        ),
        Type(
            "dnsmasq.host",
            "dnsmasq/settings",
            "host",
            "search_host",
            "host",
            ("host", "domain"),
            ".",
            names.DNSMASQ_HOST,
            "dnsmasq",
            since="25.7",
        ),
        Type("haproxy.server", "haproxy/settings", "server", "search_servers", "server", _NAME, "", haproxy.SERVER, "haproxy"),
        Type(
            "haproxy.backend",
            "haproxy/settings",
            "backend",
            "search_backends",
            "backend",
            _NAME,
            "",
            haproxy.BACKEND,
            "haproxy",
        ),
        Type(
            "haproxy.frontend",
            "haproxy/settings",
            "frontend",
            "search_frontends",
            "frontend",
            _NAME,
            "",
            haproxy.FRONTEND,
            "haproxy",
        ),
        Type("nat.source", "firewall/source_nat", "rule", "search_rule", "rule", _TOLD, "", nat.SOURCE, "filter"),
        Type("nat.one_to_one", "firewall/one_to_one", "rule", "search_rule", "rule", _TOLD, "", nat.ONE_TO_ONE, "filter"),
    )
}

SECRETS: Final = frozenset({"password", "ddns_domain_key_secret"})  # fields whose values are shown to nobody
MATCHES: Final = "@matches/"  # before a key, a field and a reference: the look that tells whether it holds that secret
OPTIONS: Final = "@options/"  # before the name of a type: the look that tells what its fields may hold


@cache
def _known(name: str, version: str) -> Mapping[str, Field]:
    return {field.name: field for field in TYPES[name].fields if field.is_in(version) and not field.volatile}


@cache
def _named(name: str) -> Mapping[str, Field]:
    return {field.name: field for field in TYPES[name].fields}


def type_of(key: str) -> Type | None:
    """The type of the object that a key names: `firewall.alias/web`."""
    return TYPES.get(key.partition("/")[0])


def name_in(key: str) -> str:
    return key.partition("/")[2]
