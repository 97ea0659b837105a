"""Fields of filter rules, aliases, categories and interface groups."""

from __future__ import annotations

from typing import Final

from holdfast.testing.opnsense import words
from holdfast.testing.opnsense.checks import firewall as checks
from holdfast.testing.opnsense.fields import (
    Choice,
    Description,
    Field,
    Flag,
    Gateway,
    Interface,
    NetAlias,
    Number,
    Offered,
    Port,
    Protocol,
    Ref,
    Sequence,
    Tag,
    Text,
    Whole,
)
from holdfast.testing.opnsense.resource import Resource
from holdfast.testing.opnsense.world import ALIAS, CATEGORY, GROUP

BIG: Final = 2_147_483_647
_ICMP: Final = (
    "echoreq echorep unreach redir routeradv routersol timex paramprob timereq timerep photuris squench althost inforeq "
    "inforep maskreq maskrep trace dataconv mobredir ipv6-where ipv6-here mobregreq mobregrep skip"
)
_ICMP6: Final = "1 2 3 4 128 129 130 131 132 133 134 135 136 137 138 139 140 200 201"
_PRIORITIES: Final = "1 0 2 3 4 5 6 7"
_TCP_FLAGS: Final = "syn ack fin rst psh urg ece cwr"
_SHAPERS: Final = ("shaper.pipe", "shaper.queue")

CATEGORIES: Final = Ref("categories", to=(CATEGORY,), many=True)

RULE: Final = Resource(
    "firewall.rule",
    "firewall/filter",
    "rule",
    suffix="rule",
    checks=(checks.rule, checks.rule_states, checks.rule_options),
    columns=("enabled", "sequence", "description"),
    fields=(
        Flag("enabled", required=True, default="1"),
        Choice("statetype", keys="keep sloppy modulate synproxy none", required=True, default="keep", since="25.1"),
        Choice("state-policy", keys="if-bound floating", since="25.1"),
        Sequence("sequence", required=True, default="1"),
        Field("sort_order", volatile=True, since="25.7"),
        Field("prio_group", volatile=True, since="25.7"),
        Choice("action", keys="pass block reject", required=True, default="pass"),
        Flag("quick", required=True, default="1"),
        Flag("interfacenot", required=True, default="0", since="25.1"),
        Interface("interface", many=True),
        Choice("direction", keys="in out any", required=True, default="in"),
        Choice("ipprotocol", keys="inet inet6 inet46", required=True, default="inet"),
        Protocol("protocol", required=True, default="any"),
        Choice("icmptype", keys=_ICMP, many=True, since="25.7"),
        Choice("icmp6type", keys=_ICMP6, many=True, since="26.1"),
        NetAlias("source_net", required=True, default="any", many=True),
        Flag("source_not", required=True, default="0"),
        Port("source_port", names=True, ranges=True, aliases=True),
        NetAlias("destination_net", required=True, default="any", many=True),
        Flag("destination_not", required=True, default="0"),
        Port("destination_port", names=True, ranges=True, aliases=True),
        Offered("divert-to", source="diverts", since="26.1"),
        Gateway("gateway", groups=True),
        Gateway("replyto", since="25.1"),
        Flag("disablereplyto", required=True, default="0", since="25.1"),
        Flag("log", required=True, default="0"),
        Flag("allowopts", required=True, default="0", since="25.1"),
        Flag("nosync", required=True, default="0", since="25.1"),
        Flag("nopfsync", required=True, default="0", since="25.1"),
        Whole("statetimeout", low=1, high=BIG, since="25.1"),
        Whole("udp-first", low=1, high=BIG, since="26.1"),
        Whole("udp-multiple", low=1, high=BIG, since="26.1"),
        Whole("udp-single", low=1, high=BIG, since="26.1"),
        Whole("max-src-nodes", low=1, high=BIG, since="25.1"),
        Whole("max-src-states", low=1, high=BIG, since="25.1"),
        Whole("max-src-conn", low=1, high=BIG, since="25.1"),
        Whole("max", low=1, high=BIG, since="25.1"),
        Whole("max-src-conn-rate", low=1, high=4_294_967, since="25.1"),
        Whole("max-src-conn-rates", low=1, high=BIG, since="25.1"),
        Whole("max-pkt-rate-number", low=1, high=4_294_967, since="25.1"),
        Whole("max-pkt-rate-seconds", low=1, high=BIG, since="25.1"),
        Ref("overload", to=(ALIAS,), since="25.1"),
        Whole("adaptivestart", low=0, high=BIG, since="25.1"),
        Whole("adaptiveend", low=0, high=BIG, since="25.1"),
        Choice("prio", keys=_PRIORITIES, since="25.1"),
        Choice("set-prio", keys=_PRIORITIES, since="25.1"),
        Choice("set-prio-low", keys=_PRIORITIES, since="25.1"),
        Tag("tag", since="25.1"),
        Tag("tagged", since="25.1"),
        Choice("tcpflags1", keys=_TCP_FLAGS, many=True, since="25.1"),
        Choice("tcpflags2", keys=_TCP_FLAGS, many=True, since="25.1"),
        Flag("tcpflags_any", since="26.7"),
        CATEGORIES,
        Offered("sched", source="schedules", since="25.1"),
        Choice("tos", keys=" ".join(words.TOS), since="25.1"),
        Ref("shaper1", to=_SHAPERS, since="25.1"),
        Ref("shaper2", to=_SHAPERS, since="25.1"),
        Description("description"),
    ),
)

ALIASES: Final = Resource(
    ALIAS,
    "firewall/alias",
    "alias",
    unique=(("name",),),
    checks=(checks.alias_name, checks.alias_content, checks.alias_login),
    columns=("enabled", "name", "type", "description"),
    fields=(
        Flag("enabled", required=True, default="1"),
        Field("name", required=True),
        Choice(
            "type",
            keys="host network port url urltable urljson geoip networkgroup mac asn dynipv6host authgroup internal external",
            required=True,
            default="alert",
        ),
        Text("path_expression"),
        Choice("proto", keys="IPv4 IPv6", many=True),
        Interface("interface"),
        Flag("counters"),
        Number("updatefreq"),
        Field("content"),
        Text("password"),
        Text("username"),
        Choice("authtype", keys="Basic Bearer Header"),
        Whole("expire", low=60, high=999_999_999),
        CATEGORIES,
        *(
            Field(name, volatile=True)
            for name in (
                *("current_items", "last_updated", "eval_nomatch", "eval_match"),
                *(f"{way}_{verdict}_{what}" for way in ("in", "out") for verdict in ("block", "pass") for what in ("p", "b")),
            )
        ),
        Description("description"),
    ),
)

CATEGORY_ITEMS: Final = Resource(
    CATEGORY,
    "firewall/category",
    "category",
    unique=(("name",),),
    columns=("name", "auto", "color"),
    fields=(
        Text("name", required=True, pattern="[^,]+"),
        Flag("auto"),
        Text("color", pattern="[0-9a-fA-F]{6}"),
    ),
)

GROUPS: Final = Resource(
    GROUP,
    "firewall/group",
    "group",
    unique=(("ifname",),),
    columns=("ifname", "members", "descr"),
    fields=(
        Text("ifname", required=True, pattern="(?![0-9])[A-Za-z0-9_]{1,15}(?<![0-9])"),
        Offered("members", source="plain_interfaces", required=True, many=True),
        Flag("nogroup"),
        Whole("sequence", low=0, high=9999, required=True, default="0"),
        Description("descr"),
    ),
)
