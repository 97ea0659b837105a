"""Fields of what gives out names and addresses: Unbound, Kea and Dnsmasq."""

from __future__ import annotations

from typing import Final

from holdfast.testing.opnsense.checks import names as checks
from holdfast.testing.opnsense.fields import (
    AutoNumber,
    Choice,
    Description,
    Field,
    Flag,
    Host,
    Interface,
    Mac,
    Net,
    Port,
    Ref,
    Text,
    Whole,
)
from holdfast.testing.opnsense.resource import Resource
from holdfast.testing.opnsense.world import ALIAS

_LABEL: Final = r"(?:[a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])"
_DOMAIN: Final = rf"(?:{_LABEL}\.)*{_LABEL}"
_UNQUOTED: Final = r'([^\n"])*'
_HOSTNAME: Final = r"[A-Za-z0-9][A-Za-z0-9_\-]{0,62}"
_DOMAINS: Final = rf"{_HOSTNAME}(\.{_HOSTNAME})*"
_DOMAIN_LIST: Final = rf"{_DOMAINS}(,{_DOMAINS})*"

HOST: Final = Resource(
    "unbound.host",
    "unbound/settings",
    "host",
    suffix="host_override",
    checks=(checks.unbound_host,),
    columns=("enabled", "hostname", "domain", "rr", "server", "description"),
    fields=(
        Flag("enabled", required=True, default="1"),
        Host("hostname", star=True, relaxed=True, addresses=False),
        Text("domain", required=True, pattern=_DOMAIN, ignore_case=True),
        Choice("rr", keys="A AAAA MX TXT", required=True, default="A"),
        Whole("mxprio"),
        Host("mx"),
        Whole("ttl", low=0, high=2_147_483_647),
        Net("server", mask="none"),
        Description("txtdata"),
        Flag("addptr", required=True, default="1"),
        Host("aliases", volatile=True, listed=True),
        Description("description"),
    ),
)

HOST_ALIAS: Final = Resource(
    "unbound.alias",
    "unbound/settings",
    "alias",
    suffix="host_alias",
    checks=(checks.unbound_alias,),
    columns=("enabled", "host", "hostname", "domain", "description"),
    fields=(
        Flag("enabled", required=True, default="1"),
        Ref("host", to=(HOST.path,), required=True),
        Host("hostname", star=True, relaxed=True, addresses=False),
        Text("domain", pattern=_DOMAIN, ignore_case=True),
        Description("description"),
    ),
)


def _option_data() -> tuple[Field, ...]:
    return (
        Net("option_data.domain_name_servers", many=True, mask="none", family=4),
        Host("option_data.domain_search", listed=True, addresses=False),
        Net("option_data.routers", many=True, mask="none", family=4),
        Text("option_data.static_routes"),
        Text("option_data.classless_static_route"),
        Host("option_data.domain_name", addresses=False),
        Net("option_data.ntp_servers", many=True, mask="none", family=4),
        Net("option_data.time_servers", many=True, mask="none", family=4),
        Text("option_data.tftp_server_name", pattern=_UNQUOTED),
        Text("option_data.boot_file_name", pattern=_UNQUOTED),
    )


_KEA_OPTION: Final = "kea.option"

SUBNET: Final = Resource(
    "kea.subnet",
    "kea/dhcpv4",
    "subnet4",
    suffix="subnet",
    unique=(("subnet_id",), ("subnet",)),
    checks=(checks.kea_subnet, checks.kea_options),
    columns=("subnet", "description"),
    fields=(
        AutoNumber("subnet_id", low=1, high=4_294_967_294, required=True),
        Net("subnet", required=True, mask="required", family=4),
        Whole("valid_lifetime", low=0),
        Net("next_server", mask="none", family=4),
        Flag("option_data_autocollect", required=True, default="1"),
        *_option_data(),
        Whole("option_data.v6_only_preferred", low=300),
        Text("option_data.v4_dnr", pattern=_UNQUOTED),
        Ref("option", to=(_KEA_OPTION,), many=True),
        Flag("match-client-id", required=True, default="1"),
        Choice("allocator", keys="iterative random flq"),
        Field("pools"),
        Host("ddns_forward_zone", addresses=False),
        Host("ddns_reverse_zone", addresses=False),
        Host("ddns_qualifying_suffix"),
        Net("ddns_dns_server", mask="none"),
        Port("ddns_dns_port"),
        Text("ddns_domain_key_name"),
        Text("ddns_domain_key_secret", pattern="[A-Za-z0-9+/]+={0,2}"),
        Choice("ddns_domain_key_algorithm", keys="hmac-md5 hmac-sha1 hmac-sha224 hmac-sha256 hmac-sha384 hmac-sha512"),
        Flag("ddns_override_no_update"),
        Flag("ddns_override_client_update"),
        Flag("ddns_update_on_renew"),
        Choice("ddns_conflict_resolution_mode", keys="no-check-with-dhcid check-exists-with-dhcid no-check-without-dhcid"),
        Description("description"),
    ),
)

RESERVATION: Final = Resource(
    "kea.reservation",
    "kea/dhcpv4",
    "reservation",
    suffix="reservation",
    unique=(("ip_address",), ("hw_address", "subnet"), ("client_id", "subnet")),
    checks=(checks.kea_reservation, checks.kea_options),
    columns=("subnet", "ip_address", "hw_address", "hostname", "description"),
    fields=(
        Ref("subnet", to=(SUBNET.path,), required=True),
        Net("ip_address", mask="none", family=4),
        Mac("hw_address"),
        Text("client_id", pattern="[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})+"),
        Host("hostname", relaxed=True),
        Description("description"),
        Net("next_server", mask="none", family=4),
        *_option_data(),
        Ref("option", to=(_KEA_OPTION,), many=True),
    ),
)

DNSMASQ_TAG: Final = Resource(
    "dnsmasq.tag",
    "dnsmasq/settings",
    "tag",
    suffix="tag",
    since="25.7",
    unique=(("tag",),),
    fields=(Description("tag", required=True),),
)

_TAG: Final = Ref("set_tag", to=(DNSMASQ_TAG.path,))

DNSMASQ_HOST: Final = Resource(
    "dnsmasq.host",
    "dnsmasq/settings",
    "host",
    suffix="host",
    since="25.7",
    checks=(checks.dnsmasq_host,),
    fields=(
        Text("host", pattern=rf"\*|{_HOSTNAME}"),
        Text("domain", pattern=_DOMAINS),
        Flag("local"),
        Net("ip", many=True, mask="none"),
        Text("cnames", pattern=_DOMAIN_LIST),
        Text("client_id", pattern=r"\*|(?:[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})+)"),
        Mac("hwaddr", many=True),
        Whole("lease_time"),
        Flag("ignore"),
        _TAG,
        Text("descr"),
        Text("comments"),
        Text("aliases", pattern=_DOMAIN_LIST),
    ),
)

DNSMASQ_RANGE: Final = Resource(
    "dnsmasq.range",
    "dnsmasq/settings",
    "range",
    suffix="range",
    since="25.7",
    checks=(checks.dnsmasq_range,),
    fields=(
        Interface("interface"),
        _TAG,
        Net("start_addr", required=True, mask="none"),
        Net("end_addr", mask="none"),
        Net("subnet_mask", mask="none", family=4),
        Interface("constructor"),
        Choice("mode", keys="static", many=True),
        Whole("prefix_len", low=1, high=64),
        Whole("lease_time"),
        Choice("domain_type", keys="interface range", required=True, default="range"),
        Host("domain", relaxed=True, addresses=False),
        Flag("nosync"),
        Choice("ra_mode", keys="ra-only slaac ra-names ra-stateless ra-advrouter off-link", many=True),
        Choice("ra_priority", keys="high low"),
        Whole("ra_mtu"),
        Whole("ra_interval"),
        Whole("ra_router_lifetime"),
        Description("description"),
    ),
)

DNSMASQ_DOMAIN: Final = Resource(
    "dnsmasq.domain",
    "dnsmasq/settings",
    "domainoverride",
    suffix="domain",
    since="25.7",
    fields=(
        AutoNumber("sequence", low=1, high=99_999, required=True, default="1"),
        Text("domain", required=True, pattern=rf"\*|{_DOMAINS}"),
        Ref("ipset", to=(ALIAS,)),
        Net("srcip", mask="none"),
        Port("port"),
        Net("ip", mask="none"),
        Text("descr"),
    ),
)
