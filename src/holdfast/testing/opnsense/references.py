"""Who names whom: by uuid, and by the names that rules and groups carry. Finding, and rewriting when a name changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from holdfast.testing.opnsense.store import Config, Item
from holdfast.testing.opnsense.world import ALIAS

RULES: Final = ("firewall.rule", "firewall.source_nat", "firewall.one_to_one", "firewall.npt", "firewall.d_nat", "legacy.rule")
_NETS: Final = ("source_net", "destination_net", "source.network", "destination.network", "target")
_PORTS: Final = ("source_port", "destination_port", "source.port", "destination.port", "target_port", "local-port")
ALIAS_FIELDS: Final = (*_NETS, *_PORTS)
INTERFACE_FIELDS: Final = ("interface", *_NETS)


def by_uuid(config: Config, uuid: str) -> str:
    """The first item that holds this uuid, in words; empty when none does."""
    for path, listing in config.items():
        for item in listing.values():
            if any(uuid in value.split(",") for value in item.values()):
                return f"{path} {item.get('name') or item.get('description') or ''}".strip()
    return ""


def by_name(config: Config, name: str, paths: tuple[str, ...], fields: tuple[str, ...]) -> str:
    for path, item in _items(config, paths):
        if any(name in item.get(field, "").split(",") for field in fields):
            return f"{path} {item.get('description') or item.get('descr') or ''}".strip()
    return ""


def in_content(config: Config, name: str) -> str:
    return next((f"alias {item['name']}" for _, item in _items(config, (ALIAS,)) if name in _lines(item)), "")


def renamed(config: Config, old: str, new: str, paths: tuple[str, ...], fields: tuple[str, ...]) -> Config:
    """The configuration with every use of a name in these fields replaced."""
    return {
        path: {uuid: _changed(item, fields, lambda value: _swapped(value, ",", old, new)) for uuid, item in listing.items()}
        if path in paths
        else listing
        for path, listing in config.items()
    }


def alias_renamed(config: Config, old: str, new: str) -> Config:
    config = renamed(config, old, new, RULES, ALIAS_FIELDS)
    aliases = config[ALIAS].items()
    swap: Callable[[str], str] = lambda value: _swapped(value, "\n", old, new)  # noqa: E731
    return {**config, ALIAS: {uuid: _changed(item, ("content",), swap) for uuid, item in aliases}}


def _items(config: Config, paths: tuple[str, ...]) -> Iterator[tuple[str, Item]]:
    for path in paths:
        for item in config.get(path, {}).values():
            yield path, item


def _lines(item: Item) -> list[str]:
    return item.get("content", "").split("\n")


def _swapped(value: str, separator: str, old: str, new: str) -> str:
    return separator.join(new if part == old else part for part in value.split(separator))


def _changed(item: Item, fields: tuple[str, ...], change: Callable[[str], str]) -> Item:
    return {**item, **{field: change(item[field]) for field in fields if field in item}}
