"""Which kinds there are: a table from name to class, loaded when first needed; others come by entry point."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Final

from holdfast.kinds.contract import Kind

KINDS: Final[dict[str, str]] = {
    "dir": "holdfast.kinds.dir:Dir",
    "file": "holdfast.kinds.file:File",
    "link": "holdfast.kinds.link:Link",
    "move": "holdfast.kinds.move:MoveKind",
    "copy": "holdfast.kinds.copy:Copy",
    "remove": "holdfast.kinds.remove:Remove",
    "attributes": "holdfast.kinds.attributes:Attributes",
    "edit": "holdfast.kinds.edit:Edit",
    "tree": "holdfast.kinds.tree:Tree",
    "upload": "holdfast.kinds.upload:Upload",
    "download": "holdfast.kinds.download:Download",
    "command": "holdfast.kinds.command:Command",
    "script": "holdfast.kinds.script:Script",
    "config": "holdfast.kinds.config:Config",
    "broadcast": "holdfast.kinds.broadcast:Broadcast",
    "wait": "holdfast.kinds.wait:Wait",
    "health": "holdfast.kinds.health:Health",
    "approve": "holdfast.kinds.approve:Approve",
    "http": "holdfast.kinds.http:Http",
    "opnsense.firewall.alias": "holdfast.kinds.opnsense.objects:Alias",
    "opnsense.firewall.rule": "holdfast.kinds.opnsense.objects:Rule",
    "opnsense.firewall.category": "holdfast.kinds.opnsense.objects:Category",
    "opnsense.interfaces.vlan": "holdfast.kinds.opnsense.objects:Vlan",
    "opnsense.routes.route": "holdfast.kinds.opnsense.objects:Route",
    "opnsense.routing.gateway": "holdfast.kinds.opnsense.objects:Gateway",
    "opnsense.unbound.host": "holdfast.kinds.opnsense.objects:UnboundHost",
    "opnsense.kea.subnet": "holdfast.kinds.opnsense.objects:KeaSubnet",
    "opnsense.kea.reservation": "holdfast.kinds.opnsense.objects:KeaReservation",
    "opnsense.dnsmasq.host": "holdfast.kinds.opnsense.objects:DnsmasqHost",
    "opnsense.haproxy.server": "holdfast.kinds.opnsense.objects:HaproxyServer",
    "opnsense.haproxy.backend": "holdfast.kinds.opnsense.objects:HaproxyBackend",
    "opnsense.haproxy.frontend": "holdfast.kinds.opnsense.objects:HaproxyFrontend",
    "opnsense.nat.source": "holdfast.kinds.opnsense.objects:SourceNat",
    "opnsense.nat.one_to_one": "holdfast.kinds.opnsense.objects:OneToOneNat",
}


@cache
def kind_of(name: str) -> type[Kind] | None:
    """The class of a kind, or None when nobody provides it."""
    where = KINDS.get(name)
    if where is None:
        return _foreign().get(name)
    module, _, attribute = where.partition(":")
    found: type[Kind] = getattr(import_module(module), attribute)
    return found


def names() -> list[str]:
    return [*KINDS, *sorted(_foreign())]


@cache
def _foreign() -> dict[str, type[Kind]]:
    """Kinds that other packages register under the entry point group `holdfast.kinds`."""
    from importlib.metadata import entry_points

    return {point.name: point.load() for point in entry_points(group="holdfast.kinds")}
