"""Who refers to an object, and what goes with it: known before it is deleted, not from the appliance's refusal.

By uuid or by a field of its own, as the table `USES` says. What the appliance would not notice counts as well: a rule
whose gateway or overload table is gone does not load.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from holdfast.core.change import Change, Claim, Guarantee
from holdfast.core.predict import Unfit, View
from holdfast.kinds.opnsense import privileges
from holdfast.kinds.opnsense.item import Item, Listing, alike
from holdfast.kinds.opnsense.resources import SECRETS, TYPES, Type, name_in, type_of

Values = Mapping[str, str]


class Use(NamedTuple):
    """Objects of the type `by` refer to others in these fields: by uuid, or by the other's field `name`."""

    by: str
    fields: tuple[str, ...]
    name: str = ""
    orders: bool = True  # does what refers come and go before? Not where two types refer to one another


_NETS: Final = ("source_net", "destination_net")
_PORTS: Final = ("source_port", "destination_port")
USES: Final[Mapping[str, tuple[Use, ...]]] = {
    "firewall.alias": (
        Use("firewall.rule", (*_NETS, *_PORTS), "name"),
        Use("firewall.rule", ("overload",)),
        Use("nat.source", (*_NETS, *_PORTS, "target"), "name"),
        Use("nat.one_to_one", _NETS, "name"),
        Use("firewall.alias", ("content",), "name"),
    ),
    "firewall.category": tuple(
        Use(by, ("categories",)) for by in ("firewall.rule", "firewall.alias", "nat.source", "nat.one_to_one")
    ),
    "interfaces.vlan": (Use("interfaces.vlan", ("if",), "vlanif"),),
    "routing.gateway": (Use("routes.route", ("gateway",), "name"), Use("firewall.rule", ("gateway", "replyto"), "name")),
    "kea.subnet": (Use("kea.reservation", ("subnet",)),),
    "haproxy.server": (Use("haproxy.backend", ("linkedServers",)),),
    "haproxy.backend": (Use("haproxy.frontend", ("defaultBackend",)),),
    "haproxy.frontend": (Use("haproxy.server", ("unix_socket",), orders=False),),
}
CASCADES: Final[Mapping[str, Use]] = {"unbound.host": Use("unbound.alias", ("host",))}  # what goes with the object


def claims_of(type_: Type) -> list[Claim]:
    """What has to be looked at before an object of this type may go."""
    by = {use.by for use in USES.get(type_.name, ())} | {use.by for use in _cascade(type_)}
    if type_.name == "interfaces.vlan":
        by.add(type_.name)
    return [Claim(name, writes=False, beneath=True) for name in sorted(by)]


def heeded_by(type_: Type) -> list[str]:
    """Whose steps come before one that deletes an object of this type: they may be the last that refer to it."""
    return list(dict.fromkeys(use.by for use in USES.get(type_.name, ()) if use.orders))


def deletion(view: View, type_: Type, key: str, found: Item) -> tuple[Change, ...]:
    """The object goes, and before it what would go with it; refused while others refer to it."""
    if not found.exists:
        return (Change(key, found, found, Guarantee.REVERSIBLE),)
    privileges.check(view, type_)
    for by, user in _users(view, type_, found):
        hint = "take the reference out first, or delete what refers to it before this"
        raise Unfit("conflict", f"`{name_in(key)}` is in use: {by} `{user}` refers to it", hint, f"{by}/{user}")
    going = [(found_key, item) for use in _cascade(type_) for found_key, item in _going(view, use, found.uuid)]
    return tuple(Change(key, item, gone, guarantee_of(item, gone)) for key, item, gone in _pairs(*going, (key, found)))


def _pairs(*going: tuple[str, Item]) -> Iterator[tuple[str, Item, Item]]:
    yield from ((key, item, Item(item.uuid)) for key, item in going)


def guarantee_of(before: Item, after: Item) -> Guarantee:
    """A secret that is written over or deleted is kept nowhere, so it cannot be given back."""
    lost = [name for name in SECRETS if not _kept(name, before, after)]
    return Guarantee.IRREVERSIBLE if lost else Guarantee.REVERSIBLE


def _kept(name: str, before: Item, after: Item) -> bool:
    old = (before.values or {}).get(name, "")
    return not old or (after.values is not None and alike(old, after.values.get(name, "")))


def _cascade(type_: Type) -> tuple[Use, ...]:
    return (CASCADES[type_.name],) if type_.name in CASCADES else ()


def _users(view: View, type_: Type, found: Item) -> Iterator[tuple[str, str]]:
    """Type and name of every object that refers to this one."""
    for use in USES.get(type_.name, ()):
        wanted = (found.values or {}).get(use.name, "") if use.name else found.uuid
        for uuid, values in listed(view, use.by).items():
            if wanted and uuid != found.uuid and any(_holds(use.by, values, field, wanted) for field in use.fields):
                yield use.by, TYPES[use.by].key_of(values)
    listing = view.seen(type_.name) if type_.name == "interfaces.vlan" else None
    if isinstance(listing, Listing) and found.uuid in listing.tied:
        yield "interface", listing.tied[found.uuid]


def _holds(by: str, values: Values, field: str, wanted: str) -> bool:
    return wanted in _entries(by, values, field)


def _entries(by: str, values: Values, field: str) -> list[str]:
    separator = "\n" if (by, field) == ("firewall.alias", "content") else ","
    return values.get(field, "").removeprefix("!").replace(f"{separator}!", separator).split(separator)


def named(key: str, state: object) -> Iterator[tuple[str, str]]:
    """What others of its own type would name this object by."""
    for use, values in _among_themselves(key, state):
        yield use.by, values.get(use.name, "")


def naming(key: str, state: object) -> Iterator[tuple[str, str]]:
    """The names by which this object may refer to others of its own type."""
    for use, values in _among_themselves(key, state):
        yield from ((use.by, entry) for field in use.fields for entry in _entries(use.by, values, field))


def _among_themselves(key: str, state: object) -> Iterator[tuple[Use, Values]]:
    found = type_of(key)
    if found is not None and isinstance(state, Item) and state.values is not None:
        yield from ((use, state.values) for use in USES.get(found.name, ()) if use.by == found.name)


def _going(view: View, use: Use, uuid: str) -> Iterator[tuple[str, Item]]:
    for other, values in listed(view, use.by).items():
        if any(uuid in values.get(field, "").split(",") for field in use.fields):
            yield f"{use.by}/{other}", Item(other, values)


def listed(view: View, type_name: str) -> Mapping[str, Values]:
    """The objects of a type as the steps so far will have left them; each change is taken in once."""
    kept = view.notes().setdefault("opnsense.listed", {})
    assert isinstance(kept, dict)
    if type_name not in kept:
        listing = view.seen(type_name)
        kept[type_name] = [0, dict(listing.objects) if isinstance(listing, Listing) else {}]
    log = view.log()
    taken_in, objects = kept[type_name]
    for change in log[taken_in:]:
        found = type_of(change.key)
        if found is not None and found.name == type_name:
            _take_in(objects, change)
    kept[type_name][0] = len(log)
    return dict(objects)


def _take_in(objects: dict[str, Values], change: Change) -> None:
    after = change.after
    if isinstance(after, Item) and after.values is not None:
        objects[after.uuid] = after.values
    elif isinstance(change.before, Item):
        objects.pop(change.before.uuid, None)
