"""Fields of filter rules, aliases and categories."""

from __future__ import annotations

from typing import Final

from holdfast.kinds.opnsense.field import Field, words

RULE: Final = (
    Field("enabled", "bool", required=True, default="1"),
    Field(
        "statetype", "enum", required=True, default="keep", choices=words("keep sloppy modulate synproxy none"), since="25.1"
    ),
    Field("state-policy", "enum", choices=words("if-bound floating"), since="25.1"),
    Field("sequence", "int", low=1, high=999999, flags=words("numbered")),
    Field("sort_order", "text", since="25.7", volatile=True),
    Field("prio_group", "text", since="25.7", volatile=True),
    Field("action", "enum", required=True, default="pass", choices=words("pass block reject")),
    Field("quick", "bool", required=True, default="1"),
    Field("interfacenot", "bool", required=True, default="0", since="25.1"),
    Field("interface", "iface", many="set"),
    Field("direction", "enum", required=True, default="in", choices=words("in out any")),
    Field("ipprotocol", "enum", required=True, default="inet", choices=words("inet inet6 inet46")),
    Field("protocol", "proto", required=True, default="any"),
    Field(
        "icmptype",
        "enum",
        choices=words(
            "echoreq echorep unreach redir routeradv routersol timex paramprob timereq timerep photuris squench althost "
            "inforeq inforep maskreq maskrep trace dataconv mobredir ipv6-where ipv6-here mobregreq mobregrep skip"
        ),
        many="set",
        since="25.7",
    ),
    Field(
        "icmp6type",
        "enum",
        choices=words("1 2 3 4 128 129 130 131 132 133 134 135 136 137 138 139 140 200 201"),
        many="set",
        since="26.1",
    ),
    Field("source_net", "netalias", required=True, default="any", many="set"),
    Field("source_not", "bool", required=True, default="0"),
    Field("source_port", "port", flags=words("names range alias")),
    Field("destination_net", "netalias", required=True, default="any", many="set"),
    Field("destination_not", "bool", required=True, default="0"),
    Field("destination_port", "port", flags=words("names range alias")),
    Field("divert-to", "dynamic", since="26.1"),
    Field("gateway", "dynamic"),
    Field("replyto", "dynamic", since="25.1"),
    Field("disablereplyto", "bool", required=True, default="0", since="25.1"),
    Field("log", "bool", required=True, default="0"),
    Field("allowopts", "bool", required=True, default="0", since="25.1"),
    Field("nosync", "bool", required=True, default="0", since="25.1"),
    Field("nopfsync", "bool", required=True, default="0", since="25.1"),
    Field("statetimeout", "int", low=1, high=2147483647, since="25.1"),
    Field("udp-first", "int", low=1, high=2147483647, since="26.1"),
    Field("udp-multiple", "int", low=1, high=2147483647, since="26.1"),
    Field("udp-single", "int", low=1, high=2147483647, since="26.1"),
    Field("max-src-nodes", "int", low=1, high=2147483647, since="25.1"),
    Field("max-src-states", "int", low=1, high=2147483647, since="25.1"),
    Field("max-src-conn", "int", low=1, high=2147483647, since="25.1"),
    Field("max", "int", low=1, high=2147483647, since="25.1"),
    Field("max-src-conn-rate", "int", low=1, high=4294967, since="25.1"),
    Field("max-src-conn-rates", "int", low=1, high=2147483647, since="25.1"),
    Field("max-pkt-rate-number", "int", low=1, high=4294967, since="25.1"),
    Field("max-pkt-rate-seconds", "int", low=1, high=2147483647, since="25.1"),
    Field("overload", "ref", refers="Alias:aliases.alias", since="25.1"),
    Field("adaptivestart", "int", low=0, high=2147483647, since="25.1"),
    Field("adaptiveend", "int", low=0, high=2147483647, since="25.1"),
    Field("prio", "enum", choices=words("1 0 2 3 4 5 6 7"), since="25.1"),
    Field("set-prio", "enum", choices=words("1 0 2 3 4 5 6 7"), since="25.1"),
    Field("set-prio-low", "enum", choices=words("1 0 2 3 4 5 6 7"), since="25.1"),
    Field("tag", "word", pattern=r"^([0-9a-zA-Z.,_\-]){0,512}$", since="25.1"),
    Field("tagged", "word", pattern=r"^([0-9a-zA-Z.,_\-]){0,512}$", since="25.1"),
    Field("tcpflags1", "enum", choices=words("syn ack fin rst psh urg ece cwr"), many="set", since="25.1"),
    Field("tcpflags2", "enum", choices=words("syn ack fin rst psh urg ece cwr"), many="set", since="25.1"),
    Field("tcpflags_any", "bool", since="26.7"),
    Field("categories", "ref", many="set", refers="Category:categories.category"),
    Field("sched", "dynamic", since="25.1"),
    Field("tos", "tos", since="25.1"),
    Field("shaper1", "ref", refers="TrafficShaper:pipes.pipe", since="25.1"),
    Field("shaper2", "ref", refers="TrafficShaper:pipes.pipe", since="25.1"),
    Field("description", "description"),
)

ALIAS: Final = (
    Field("enabled", "bool", required=True, default="1"),
    Field("name", "alias-name", required=True),
    Field(
        "type",
        "enum",
        required=True,
        choices=words(
            "host network port url urltable urljson geoip networkgroup mac asn dynipv6host authgroup internal external"
        ),
    ),
    Field("path_expression", "text"),
    Field("proto", "enum", choices=words("IPv4 IPv6"), many="set"),
    Field("interface", "iface"),
    Field("counters", "bool"),
    Field("updatefreq", "num"),
    Field("content", "alias-content", many="lines"),
    Field("password", "text"),
    Field("username", "text"),
    Field("authtype", "enum", choices=words("Basic Bearer Header")),
    Field("expire", "int", low=60, high=999999999),
    Field("categories", "ref", many="set", refers="Category:categories.category"),
    Field("current_items", "int", volatile=True),
    Field("last_updated", "text", volatile=True),
    Field("eval_nomatch", "int", volatile=True),
    Field("eval_match", "int", volatile=True),
    Field("in_block_p", "int", volatile=True),
    Field("in_block_b", "int", volatile=True),
    Field("in_pass_p", "int", volatile=True),
    Field("in_pass_b", "int", volatile=True),
    Field("out_block_p", "int", volatile=True),
    Field("out_block_b", "int", volatile=True),
    Field("out_pass_p", "int", volatile=True),
    Field("out_pass_b", "int", volatile=True),
    Field("description", "description"),
)

CATEGORY: Final = (
    Field("name", "text", required=True, pattern=r"[^,]+"),
    Field("auto", "bool"),
    Field("color", "text", pattern=r"^([0-9a-fA-F]){6,6}$"),
)
