"""Fields of VLANs, static routes and gateways."""

from __future__ import annotations

from typing import Final

from holdfast.kinds.opnsense.field import Field, words

VLAN: Final = (
    Field("if", "device", required=True),
    Field("tag", "int", required=True, low=1, high=4094),
    Field("pcp", "enum", required=True, default="0", choices=words("1 0 2 3 4 5 6 7")),
    Field("proto", "enum", choices=words("802.1q 802.1ad")),
    Field("descr", "description"),
    Field("vlanif", "vlan-device"),
)

ROUTE: Final = (
    Field("network", "net", required=True, flags=words("mask")),
    Field("gateway", "dynamic", required=True),
    Field("descr", "description"),
    Field("enabled", "bool", required=True, default="1", since="26.7"),
    Field("disabled", "bool", required=True, default="0", until="26.1"),
)

GATEWAY: Final = (
    Field("disabled", "bool", required=True, default="0"),
    Field("name", "text", required=True, pattern=r"^[a-zA-Z0-9_\-]{1,32}$"),
    Field("descr", "description"),
    Field("interface", "iface", required=True, default="wan"),
    Field("ipprotocol", "enum", required=True, default="inet", choices=words("inet inet6")),
    Field("gateway", "text"),
    Field("defaultgw", "bool"),
    Field("fargw", "bool"),
    Field("monitor_disable", "bool", required=True, default="1"),
    Field("monitor_noroute", "bool"),
    Field("monitor_killstates", "bool"),
    Field("monitor_killstates_priority", "bool"),
    Field("monitor", "text"),
    Field("force_down", "bool"),
    Field("nosync", "bool"),
    Field("priority", "int", required=True, default="255", low=0, high=255),
    Field("weight", "int", required=True, default="1", low=1, high=10),
    Field("latencylow", "int", low=1),
    Field("latencyhigh", "int", low=1),
    Field("losslow", "int", low=1, high=99),
    Field("losshigh", "int", low=1, high=100),
    Field("interval", "int", low=1),
    Field("time_period", "int", low=1),
    Field("loss_interval", "int", low=1),
    Field("data_length", "int", low=0),
)
