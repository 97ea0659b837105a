"""Fields of source NAT, one-to-one NAT, prefix translation and destination NAT rules."""

from __future__ import annotations

from typing import Final

from holdfast.testing.opnsense.checks import firewall as shared
from holdfast.testing.opnsense.checks import nat as checks
from holdfast.testing.opnsense.fields import (
    Choice,
    Description,
    Field,
    Flag,
    Interface,
    Net,
    NetAlias,
    Port,
    Protocol,
    Sequence,
    Tag,
)
from holdfast.testing.opnsense.resource import Resource
from holdfast.testing.opnsense.tables.firewall import CATEGORIES

_PLACE: Final = (
    Sequence("sequence", required=True, default="1"),
    Field("sort_order", volatile=True, since="25.7"),
    Field("prio_group", volatile=True, since="25.7"),
)
_COLUMNS: Final = ("enabled", "sequence", "interface", "description")

SOURCE: Final = Resource(
    "firewall.source_nat",
    "firewall/source_nat",
    "rule",
    suffix="rule",
    checks=(shared.ports_need_a_protocol, shared.families, checks.source_nat),
    columns=_COLUMNS,
    fields=(
        Flag("enabled", required=True, default="1"),
        Flag("nonat", required=True, default="0"),
        Flag("nosync", required=True, default="0", since="26.7"),
        *_PLACE,
        Interface("interface", required=True, default="lan"),
        Choice("ipprotocol", keys="inet inet6", required=True, default="inet"),
        Protocol("protocol", required=True, default="any"),
        NetAlias("source_net", required=True, default="any"),
        Flag("source_not", required=True, default="0"),
        Port("source_port", names=True, ranges=True, aliases=True),
        NetAlias("destination_net", required=True, default="any"),
        Flag("destination_not", required=True, default="0"),
        Port("destination_port", names=True, ranges=True, aliases=True),
        NetAlias("target"),
        Port("target_port", names=True, ranges=True),
        Flag("staticnatport", since="26.7"),
        Flag("log", required=True, default="0"),
        CATEGORIES,
        Tag("tag", since="26.7"),
        Tag("tagged", since="26.1"),
        Flag("endpoint-independent"),
        Description("description"),
    ),
)

ONE_TO_ONE: Final = Resource(
    "firewall.one_to_one",
    "firewall/one_to_one",
    "rule",
    suffix="rule",
    checks=(checks.one_to_one,),
    columns=_COLUMNS,
    fields=(
        Flag("enabled", required=True, default="1"),
        Flag("log", required=True, default="0"),
        *_PLACE,
        Interface("interface", required=True, default="wan"),
        Choice("type", keys="binat nat", required=True, default="binat"),
        NetAlias("source_net", required=True),
        Flag("source_not", required=True, default="0"),
        NetAlias("destination_net", required=True, default="any"),
        Flag("destination_not", required=True, default="0"),
        Net("external", required=True),
        Choice("natreflection", keys="enable disable"),
        CATEGORIES,
        Description("description"),
    ),
)

PREFIX: Final = Resource(
    "firewall.npt",
    "firewall/npt",
    "rule",
    suffix="rule",
    checks=(checks.prefix,),
    columns=_COLUMNS,
    fields=(
        Flag("enabled", required=True, default="1"),
        Flag("log", required=True, default="0"),
        *_PLACE,
        Interface("interface", required=True, default="lan"),
        Net("source_net", required=True, family=6),
        Net("destination_net", family=6),
        Interface("trackif"),
        CATEGORIES,
        Description("description"),
    ),
)

DESTINATION: Final = Resource(
    "firewall.d_nat",
    "firewall/d_nat",
    "rule",
    suffix="rule",
    since="26.1",
    toggles="disabled",
    checks=(checks.destination_nat,),
    fields=(
        Sequence("sequence", required=True),
        Flag("disabled"),
        Flag("nordr"),
        Interface("interface", many=True),
        Choice("ipprotocol", keys="inet inet6 inet46"),
        Protocol("protocol", lower=True),
        *(
            field
            for side in ("source", "destination")
            for field in (
                NetAlias(f"{side}.network"),
                Field(f"{side}.address", volatile=True),
                Port(f"{side}.port", names=True, ranges=True, aliases=True),
                Flag(f"{side}.not"),
            )
        ),
        NetAlias("target"),
        Port("local-port", names=True, aliases=True),
        Choice("poolopts", keys="round-robin|round-robin sticky-address|random|random sticky-address|source-hash|bitmask"),
        Flag("log"),
        Field("category", many=True),
        Field("categories", volatile=True),
        Description("descr"),
        Tag("tag"),
        Tag("tagged"),
        Flag("nosync"),
        Choice("natreflection", keys="purenat disable"),
        Choice("pass", keys="pass rule"),
        Field("associated-rule-id"),
        *(
            Field(f"{when}.{what}", server=True)
            for when in ("created", "updated")
            for what in ("username", "time", "description")
        ),
    ),
)
