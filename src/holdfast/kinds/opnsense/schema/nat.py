"""Fields of source NAT and one-to-one NAT."""

from __future__ import annotations

from typing import Final

from holdfast.kinds.opnsense.field import Field, words

SOURCE: Final = (
    Field("enabled", "bool", required=True, default="1"),
    Field("nonat", "bool", required=True, default="0"),
    Field("nosync", "bool", required=True, default="0", since="26.7"),
    Field("sequence", "int", low=1, high=999999, flags=words("numbered")),
    Field("sort_order", "text", volatile=True),
    Field("prio_group", "text", volatile=True),
    Field("interface", "iface", required=True, default="lan"),
    Field("ipprotocol", "enum", required=True, default="inet", choices=words("inet inet6")),
    Field("protocol", "proto", required=True, default="any"),
    Field("source_net", "netalias", required=True, default="any"),
    Field("source_not", "bool", required=True, default="0"),
    Field("source_port", "port", flags=words("names range alias")),
    Field("destination_net", "netalias", required=True, default="any"),
    Field("destination_not", "bool", required=True, default="0"),
    Field("destination_port", "port", flags=words("names range alias")),
    Field("target", "netalias"),
    Field("target_port", "port", flags=words("names range")),
    Field("staticnatport", "bool", since="26.7"),
    Field("log", "bool", required=True, default="0"),
    Field("categories", "ref", many="set", refers="Category:categories.category"),
    Field("tag", "word", pattern=r"^([0-9a-zA-Z.,_\-]){0,512}$", since="26.7"),
    Field("tagged", "word", pattern=r"^([0-9a-zA-Z.,_\-]){0,512}$", since="26.1"),
    Field("endpoint-independent", "bool"),
    Field("description", "description"),
)

ONE_TO_ONE: Final = (
    Field("enabled", "bool", required=True, default="1"),
    Field("log", "bool", required=True, default="0"),
    Field("sequence", "int", low=1, high=999999, flags=words("numbered")),
    Field("sort_order", "text", volatile=True),
    Field("prio_group", "text", volatile=True),
    Field("interface", "iface", required=True, default="wan"),
    Field("type", "enum", required=True, default="binat", choices=words("binat nat")),
    Field("source_net", "netalias", required=True),
    Field("source_not", "bool", required=True, default="0"),
    Field("destination_net", "netalias", required=True, default="any"),
    Field("destination_not", "bool", required=True, default="0"),
    Field("external", "net", required=True, flags=words("no-any")),
    Field("natreflection", "enum", choices=words("enable disable")),
    Field("categories", "ref", many="set", refers="Category:categories.category"),
    Field("description", "description"),
)
