"""Fields of what gives hosts names and addresses: Unbound, Kea and Dnsmasq."""

from __future__ import annotations

from typing import Final

from holdfast.kinds.opnsense.field import Field, words

_DOMAIN: Final = r"^(?:(?:[a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])\.)*(?:[a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])$"

UNBOUND_HOST: Final = (
    Field("enabled", "bool", required=True, default="1"),
    Field("hostname", "host", flags=words("star dnsname no-ip")),
    Field("domain", "text", required=True, pattern=_DOMAIN, ignore_case=True),
    Field("rr", "enum", required=True, default="A", choices=words("A AAAA MX TXT")),
    Field("mxprio", "int"),
    Field("mx", "host"),
    Field("ttl", "int", low=0, high=2147483647),
    Field("server", "net", flags=words("no-mask")),
    Field("txtdata", "description"),
    Field("addptr", "bool", required=True, default="1"),
    Field("aliases", "text", many="set", volatile=True),
    Field("description", "description"),
)

UNBOUND_ALIAS: Final = (
    Field("enabled", "bool", required=True, default="1"),
    Field("host", "ref", required=True, refers="Unbound:hosts.host"),
    Field("hostname", "host", flags=words("star dnsname no-ip")),
    Field("domain", "text", pattern=_DOMAIN, ignore_case=True),
    Field("description", "description"),
)

_KEA_OPTIONS: Final = (
    Field("option_data.domain_name_servers", "net", many="set", flags=words("no-mask v4")),
    Field("option_data.domain_search", "host", many="set", flags=words("no-ip")),
    Field("option_data.routers", "net", many="set", flags=words("no-mask v4")),
    Field("option_data.static_routes", "static-routes"),
    Field("option_data.classless_static_route", "classless-routes"),
    Field("option_data.domain_name", "host", flags=words("no-ip")),
    Field("option_data.ntp_servers", "net", many="set", flags=words("no-mask v4")),
    Field("option_data.time_servers", "net", many="set", flags=words("no-mask v4")),
    Field("option_data.tftp_server_name", "text", pattern=r"^([^\n\x22])*$"),
    Field("option_data.boot_file_name", "text", pattern=r"^([^\n\x22])*$"),
)

KEA_SUBNET: Final = (
    Field("subnet_id", "int", low=1, high=4294967294, flags=words("numbered")),
    Field("subnet", "net", required=True, flags=words("mask v4")),
    Field("valid_lifetime", "int", low=0),
    Field("next_server", "net", flags=words("no-mask v4")),
    Field("option_data_autocollect", "bool", required=True, default="1"),
    *_KEA_OPTIONS,
    Field("option_data.v6_only_preferred", "int", low=300),
    Field("option_data.v4_dnr", "text", pattern=r"^([^\n\x22])*$"),
    Field("option", "ref", many="set", refers="KeaDhcpv4:options.option"),
    Field("match-client-id", "bool", required=True, default="1"),
    Field("allocator", "enum", choices=words("iterative random flq")),
    Field("pools", "pools", many="lines"),
    Field("ddns_forward_zone", "host", flags=words("no-ip")),
    Field("ddns_reverse_zone", "host", flags=words("no-ip")),
    Field("ddns_qualifying_suffix", "host"),
    Field("ddns_dns_server", "net", flags=words("no-mask")),
    Field("ddns_dns_port", "port"),
    Field("ddns_domain_key_name", "text"),
    Field("ddns_domain_key_secret", "base64"),
    Field(
        "ddns_domain_key_algorithm", "enum", choices=words("hmac-md5 hmac-sha1 hmac-sha224 hmac-sha256 hmac-sha384 hmac-sha512")
    ),
    Field("ddns_override_no_update", "bool"),
    Field("ddns_override_client_update", "bool"),
    Field("ddns_update_on_renew", "bool"),
    Field(
        "ddns_conflict_resolution_mode",
        "enum",
        choices=words("no-check-with-dhcid check-exists-with-dhcid no-check-without-dhcid"),
    ),
    Field("description", "description"),
)

KEA_RESERVATION: Final = (
    Field("subnet", "ref", required=True, refers="KeaDhcpv4:subnets.subnet4"),
    Field("ip_address", "net", flags=words("no-mask v4")),
    Field("hw_address", "mac"),
    Field("client_id", "text", pattern=r"^(?:[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})+)$"),
    Field("hostname", "host", flags=words("dnsname")),
    Field("description", "description"),
    Field("next_server", "net", flags=words("no-mask v4")),
    *_KEA_OPTIONS,
    Field("option", "ref", many="set", refers="KeaDhcpv4:options.option"),
)

DNSMASQ_HOST: Final = (
    Field("host", "label", flags=words("star")),
    Field("domain", "label", flags=words("domain")),
    Field("local", "bool"),
    Field("ip", "net", many="set", flags=words("no-mask")),
    Field("cnames", "label", many="set", flags=words("domain")),
    Field("client_id", "text", pattern=r"^(?:\*|(?:[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})+))$"),
    Field("hwaddr", "mac", many="set"),
    Field("lease_time", "int"),
    Field("ignore", "bool"),
    Field("set_tag", "ref", refers="Dnsmasq:dhcp_tags"),
    Field("descr", "text"),
    Field("comments", "text"),
    Field("aliases", "label", many="set", flags=words("domain")),
)
