"""Fields of VLANs, static routes, gateways and gateway groups."""

from __future__ import annotations

from typing import Final

from holdfast.testing.opnsense.checks import network as checks
from holdfast.testing.opnsense.fields import Choice, Description, Flag, Gateway, Interface, Net, Offered, Text, Whole
from holdfast.testing.opnsense.resource import Resource
from holdfast.testing.opnsense.world import GATEWAY, GATEWAY_GROUP
from holdfast.testing.opnsense.world import VLAN as VLAN_PATH

VLAN: Final = Resource(
    VLAN_PATH,
    "interfaces/vlan_settings",
    "vlan",
    unique=(("tag", "if"), ("vlanif",)),
    checks=(checks.vlan,),
    columns=("if", "tag", "pcp", "descr", "vlanif"),
    fields=(
        Offered("if", source="devices", required=True),
        Whole("tag", low=1, high=4094, required=True),
        Choice("pcp", keys="1 0 2 3 4 5 6 7", required=True, default="0"),
        Choice("proto", keys="802.1q 802.1ad"),
        Description("descr"),
        Text("vlanif", required=True),
    ),
)

ROUTE: Final = Resource(
    "routes.route",
    "routes/routes",
    "route",
    suffix="route",
    checks=(checks.route,),
    columns=("enabled", "disabled", "network", "gateway", "descr"),
    fields=(
        Net("network", required=True, mask="required"),
        Gateway("gateway", required=True),
        Description("descr"),
        Flag("enabled", required=True, default="1", since="26.7"),
        Flag("disabled", required=True, default="0", until="26.1"),
    ),
)

GATEWAYS: Final = Resource(
    GATEWAY,
    "routing/settings",
    "gateway_item",
    suffix="gateway",
    unique=(("name",), ("gateway",)),
    toggles="disabled",
    checks=(checks.gateway, checks.gateway_timing),
    columns=("disabled", "name", "interface", "gateway", "descr"),
    fields=(
        Flag("disabled", required=True, default="0"),
        Text("name", required=True, pattern=r"[a-zA-Z0-9_\-]{1,32}"),
        Description("descr"),
        Interface("interface", required=True, default="wan"),
        Choice("ipprotocol", keys="inet inet6", required=True, default="inet"),
        Text("gateway"),
        Flag("defaultgw"),
        Flag("fargw"),
        Flag("monitor_disable", required=True, default="1"),
        Flag("monitor_noroute"),
        Flag("monitor_killstates"),
        Flag("monitor_killstates_priority"),
        Text("monitor"),
        Flag("force_down"),
        Flag("nosync"),
        Whole("priority", low=0, high=255, required=True, default="255"),
        Whole("weight", low=1, high=10, required=True, default="1"),
        Whole("latencylow", low=1),
        Whole("latencyhigh", low=1),
        Whole("losslow", low=1, high=99),
        Whole("losshigh", low=1, high=100),
        Whole("interval", low=1),
        Whole("time_period", low=1),
        Whole("loss_interval", low=1),
        Whole("data_length", low=0),
    ),
)

TIERS: Final = ("item", "item2", "item3", "item4", "item5")

GATEWAY_GROUPS: Final = Resource(
    GATEWAY_GROUP,
    "routing/group_settings",
    "gateway_group",
    suffix="",
    since="26.7",
    unique=(("name",),),
    checks=(checks.gateway_group,),
    fields=(
        Text("name", required=True, pattern=r"[a-zA-Z0-9_\-]{1,32}"),
        *(Gateway(tier, many=True) for tier in TIERS),
        Choice("trigger", keys="down downloss downlatency downlosslatency", required=True, default="down"),
        Choice("poolopts", keys="round-robin|round-robin sticky-address"),
        Description("descr"),
    ),
)
