"""`opnsense.*`: an object of an appliance exists with these values, or does not exist.

One class per type of object, all of them the same but for the type. What an object is called is the step's main
argument; `values` holds fields by the names of the API, and a `{ref: STEP}` in it is the uuid of that step's object.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import cached_property
from ipaddress import ip_address, ip_network
from typing import Any, ClassVar, Final, Literal

import msgspec
from msgspec.structs import replace

from holdfast.core.change import FACTS, Change, Claim, Effect
from holdfast.core.predict import Unfit, View
from holdfast.kinds.contract import Flaw, Kind
from holdfast.kinds.opnsense import checks, privileges, uses
from holdfast.kinds.opnsense.field import Field
from holdfast.kinds.opnsense.item import OTHER, Appliance, Item, Options, marked
from holdfast.kinds.opnsense.resources import MATCHES, OPTIONS, SECRETS, TYPES, Type
from holdfast.kinds.opnsense.values import (
    ALIAS_NAME,
    SERVICES,
    UUID,
    complaint,
    entries_of,
    flat,
    is_literal,
    is_secret,
    written,
)

_OFFERED: Final = frozenset({"iface", "dynamic", "device", "cert", "proto", "ref"})  # what only the appliance can list


class ApiObject(Kind, frozen=True, kw_only=True, dict=True):  # a dict for what is worked out once
    family = "opnsense"
    main = "name"
    type: ClassVar[Type]
    exclusive: ClassVar[bool] = True  # one run at a time writes to an appliance
    referring: ClassVar[bool] = True

    name: str
    values: dict[str, Any] = msgspec.field(default_factory=dict)
    state: Literal["present", "absent"] = "present"

    @cached_property
    def key(self) -> str:
        return f"{self.type.name}/{self.type.key_of(self.named)}"

    @property
    def named(self) -> Mapping[str, str]:
        """The fields that its name stands for, as they are compared."""
        fields = self.fields
        found = self.type.split(self.name) or {}
        return {name: written(fields[name], value) for name, value in found.items()}

    @property
    def fields(self) -> Mapping[str, Field]:
        return self.type.named

    # -- references to other steps

    def refs(self) -> Iterator[str]:
        """The steps whose objects the values refer to."""
        for _, value in flat(self.values):
            yield from _refs_in(value)

    def renamed(self, names: Mapping[str, tuple[str, ...]]) -> ApiObject:
        """The same with its references to steps as they are called in the whole plan."""
        return replace(self, values={name: _renamed(value, names) for name, value in self.values.items()})

    # -- what can be said without an appliance

    def flaws(self) -> Iterator[Flaw]:
        if self.type.split(self.name) is None:
            yield Flaw("name", f"`{self.name}` is not of the form {self.type.joined.join(map(str.upper, self.type.key))}")
            return
        for name, value in (self.type.split(self.name) or {}).items():
            yield from _flaws_of(self.fields[name], value, "name")
        if self.state == "absent" and self.values:
            yield Flaw("values", "what is to be absent has no values")
        for name, value in flat(self.values):
            yield from self._flaws_of_value(name, value)

    def _flaws_of_value(self, name: str, value: Any) -> Iterator[Flaw]:
        field = self.fields.get(name)
        if field is None or field.volatile:
            yield Flaw("values", f"`{name}` is not a field of {self.type.name}", "unknown_key", self._hint(name))
        elif name in SECRETS:
            yield from _flaws_of_secret(name, value)
        elif is_secret(value):
            yield Flaw("values", f"`{name}` is shown to whoever looks at the appliance: no field for a secret")
        elif name in self.type.key:
            yield Flaw("values", f"`{name}` is given by what the object is called")
        elif not list(_refs_in(value)):
            yield from _flaws_of(field, value, "values")

    def _hint(self, name: str) -> str:
        known = [field.name for field in self.type.fields if not field.volatile]
        close = [one for one in known if SequenceMatcher(None, one, name).ratio() > 0.75]
        return f"did you mean `{close[0]}`?" if close else f"fields: {', '.join(known)}"

    # -- what it looks at and does

    def claims(self) -> Sequence[Claim]:
        found = [Claim(self.key)]
        if self.state == "absent":
            return [*found, *uses.claims_of(self.type)]
        if self._needs_options:
            found.append(Claim(OPTIONS + self.type.name, writes=False))
        if self.type.name == "kea.reservation":
            found.append(Claim("kea.subnet", writes=False, beneath=True))
        found += [Claim(self._match(name), writes=False) for name in sorted(SECRETS & self._given.keys())]
        return [*found, *(Claim(f"firewall.alias/{name}", writes=False) for name in sorted(self._aliases))]

    def heeds(self) -> Sequence[str]:
        """What is named has to be there before, and who may name what is deleted is changed or deleted before."""
        if self.state == "absent":
            return uses.heeded_by(self.type)
        gateways = {entry for _, field, entries in self._offered() if field.type == "dynamic" for entry in entries}
        return [*(f"firewall.alias/{name}" for name in self._aliases), *(f"routing.gateway/{name}" for name in gateways)]

    def _offered(self) -> Iterator[tuple[str, Field, list[str]]]:
        """The values that have to be among those the appliance offers; what a step makes is none of them."""
        for name, value in {**self.named, **self._given}.items():
            field = self.fields.get(name)
            if field is not None and field.type in _OFFERED and not list(_refs_in(value)):
                yield name, field, entries_of(field, written(field, value))

    @cached_property
    def _needs_options(self) -> bool:
        """Is anything named that only the appliance can list? A network may be called like an interface."""
        return any(self._offered()) or not all(self._aliases.values())

    def _match(self, name: str) -> str:
        """The look that tells whether the object holds the secret that is named."""
        return MATCHES + json.dumps([self.key, name, self._given[name]["secret"]])

    @cached_property
    def _given(self) -> Mapping[str, Any]:
        return dict(flat(self.values))

    @cached_property
    def _aliases(self) -> Mapping[str, bool]:
        """What may be the name of an alias, in a field or within another alias, and whether it is one of ports."""
        found: dict[str, bool] = {}
        kind = str(self._given.get("type", ""))
        for name, value in self._given.items():
            field = self.fields.get(name)
            if field is None or field.type not in ("netalias", "port", "alias-content") or list(_refs_in(value)):
                continue
            entries = entries_of(field, written(field, value))
            if field.type == "netalias":
                found |= {entry: False for entry in entries if entry.isidentifier() and entry != "any"}
            elif field.type == "port" and "alias" in field.flags:
                found |= {entry: True for entry in entries if _may_name(entry)}
            elif field.type == "alias-content" and kind in ("network", "networkgroup", "port"):
                found |= {entry: kind == "port" for entry in entries if _may_name(entry)}
        return found

    def changes(self, view: View, /) -> Sequence[Change]:
        found = self._compared(view, self._found(view))
        if self.state == "absent":
            return uses.deletion(view, self.type, self.key, found)
        wanted = self._wanted(view, found)
        after = Item(found.uuid, {**(found.values or {}), **wanted})
        self._check(view, found, after)
        _notes(view)[view.step] = found.uuid
        if not found.same(after):
            privileges.check(view, self.type)
        return (Change(self.key, found, after, uses.guarantee_of(found, after)),)

    def _compared(self, view: View, found: Item) -> Item:
        """With its secrets marked as those that are wanted, or as others."""
        marks = {name: self._given[name]["secret"] for name in SECRETS & self._given.keys() if (found.values or {}).get(name)}
        if not marks:
            return found
        told = {
            name: marked(reference) if view.seen(self._match(name)).same(Effect(True)) else OTHER
            for name, reference in marks.items()
        }
        return Item(found.uuid, {**(found.values or {}), **told}, found.twins)

    def _found(self, view: View) -> Item:
        seen = view.seen(self.key)
        made = view.made(self.key)
        found = seen if made is None else made.after
        if not isinstance(found, Item):
            raise Unfit("unsupported", f"the target `{view.target}` is not an OPNsense appliance")
        if found.twins > 1:
            hint = "rename all but one of them, or remove them"
            raise Unfit("conflict", f"the appliance has {found.twins} objects that are called `{self.name}`", hint)
        return found

    def _wanted(self, view: View, found: Item) -> dict[str, str]:
        uuids = _notes(view)
        given = {name: written(self.fields[name], _resolved(value, uuids)) for name, value in self._given.items()}
        given = {name: given[name] for name in sorted(given)}
        return given if found.exists else {**self.named, **given}

    def _check(self, view: View, found: Item, after: Item) -> None:
        """Whatever the appliance would say no to, in one problem."""
        appliance = view.seen(FACTS)
        assert isinstance(appliance, Appliance) and after.values is not None
        if not self.type.is_in(appliance.profile):
            told = f"an appliance has `{self.type.name}` since {self.type.since}, and this is {appliance.version}"
            raise Unfit("unsupported", told, "leave this step out for it, or bring it up to date")
        known = self.type.known(appliance.profile)
        wrong = [_out_of_time(self.fields[name], appliance) for name in self._given if name not in known]
        if not found.exists:
            needed = [name for name, field in known.items() if field.required and not field.default]
            wrong += [f"`{name}` is needed" for name in needed if not after.values.get(name)]
        if not found.same(after):
            defaults = {name: field.default for name, field in known.items()}
            wrong += checks.complaints(self.type.name, {**defaults, **after.values})
            wrong += [*self._unknown_names(view), *(self._unheld(view, after) if self.type.name == "kea.reservation" else ())]
        if wrong:
            raise Unfit("invalid_value", "; ".join(wrong), f"see the values of `{self.name}`", self._missing_alias(view))

    def _unknown_names(self, view: View) -> Iterator[str]:
        """Names that nothing on the appliance has, and no step before this one makes."""
        options = view.seen(OPTIONS + self.type.name) if self._needs_options else None
        for name, field, entries in self._offered():
            offered = options.choices.get(name) if isinstance(options, Options) else None
            for entry in entries if offered is not None else ():
                if entry not in (offered or {}) and not self._made(view, field, entry):
                    yield f"`{name}`: `{entry}` is none of {_some(offered or {})}"
        interfaces = _interfaces(options)
        for name, ports in sorted(self._aliases.items()):
            if not ports and (name in interfaces or name.removesuffix("ip") in interfaces):
                continue
            alias = self._alias(view, name)
            if not alias.exists and (ports or interfaces):
                yield f"`{name}` is neither an alias nor an interface of the appliance"
            elif alias.exists and (alias.values.get("type") == "port") is not ports:
                yield f"the alias `{name}` holds {'addresses' if ports else 'ports'}, which do not belong here"

    def _unheld(self, view: View, after: Item) -> Iterator[str]:
        """An address outside of the subnet that it is reserved in."""
        values = after.values or {}
        subnet = uses.listed(view, "kea.subnet").get(values.get("subnet", ""), {}).get("subnet", "")
        address = values.get("ip_address", "")
        if is_literal(subnet) and is_literal(address) and ip_address(address) not in ip_network(subnet, strict=False):
            yield f"`ip_address`: `{address}` is not in the subnet {subnet}"

    def _missing_alias(self, view: View) -> str | None:
        """The key of an alias that is named and not there; a later step may make it."""
        if self.state == "absent":
            return None
        return next((f"firewall.alias/{name}" for name in sorted(self._aliases) if not self._alias(view, name).exists), None)

    def _alias(self, view: View, name: str) -> Any:
        key = f"firewall.alias/{name}"
        made = view.made(key)
        return view.seen(key) if made is None else made.after

    def _made(self, view: View, field: Field, entry: str) -> bool:
        if field.type == "device":
            return entry.startswith(("vlan", "qinq"))  # the appliance names them, and only when they are made
        made = view.made(f"routing.gateway/{entry}") if field.type == "dynamic" else None
        return made is not None and made.after.exists


def _may_name(entry: str) -> bool:
    return ALIAS_NAME.fullmatch(entry) is not None and entry.lower() not in SERVICES


def _some(offered: Mapping[str, str]) -> str:
    """What can be chosen; things with a uuid by what they are called."""
    names = [label if UUID.fullmatch(key) else key for key, label in offered.items() if key]
    return ", ".join(names[:20]) or "nothing: there is nothing to choose from"


def _interfaces(options: Any) -> Mapping[str, str]:
    """Rules may also name the loopback, which no interface of theirs can be. Empty where the appliance does not tell them."""
    offered = options.choices.get("interface") if isinstance(options, Options) else None
    return {"lo0": "Loopback", **offered} if offered else {}


def _notes(view: View) -> dict[str, Any]:
    """By step, the uuid of its object: what references resolve to."""
    found = view.notes().setdefault("opnsense", {})
    assert isinstance(found, dict)
    return found


def _refs_in(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and value.keys() == {"ref"}:
        yield str(value["ref"])
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from _refs_in(entry)


def _renamed(value: Any, names: Mapping[str, tuple[str, ...]]) -> Any:
    if isinstance(value, Mapping):
        if is_secret(value):
            return value
        if value.keys() != {"ref"}:
            return {name: _renamed(inner, names) for name, inner in value.items()}
        found = [{"ref": name} for name in names.get(str(value["ref"]), (str(value["ref"]),))]
        return found[0] if len(found) == 1 else found
    if not isinstance(value, (list, tuple)):
        return value
    entries: list[Any] = []
    for entry in value:
        new = _renamed(entry, names)
        entries += new if isinstance(new, list) else [new]
    return entries


def _flaws_of_secret(name: str, value: Any) -> Iterator[Flaw]:
    if not is_secret(value):
        hint = "write a reference: {secret: env:NAME} or {secret: file:PATH}"
        yield Flaw("values", f"`{name}` holds a secret, which must not stand in a plan", "literal_secret", hint)
    elif str(value["secret"]).partition(":")[0] not in ("env", "file") or not str(value["secret"]).partition(":")[2]:
        yield Flaw("values", f"`{name}`: a secret is `env:NAME` or `file:PATH`")


def _resolved(value: Any, uuids: Mapping[str, str]) -> Any:
    if is_secret(value):
        return marked(value["secret"])
    if isinstance(value, Mapping):
        step = str(value["ref"])
        if step not in uuids:
            raise Unfit(
                "invalid_value",
                f"`{step}` manages no object of this appliance",
                "refer to a step on the same target that does not remove",
            )
        return uuids[step]
    return [_resolved(entry, uuids) for entry in value] if isinstance(value, (list, tuple)) else value


def _out_of_time(field: Field, appliance: Appliance) -> str:
    when = f"until {field.until}" if field.until else f"since {field.since}"
    return f"`{field.name}` is a field only {when}, and this is {appliance.version}"


def _flaws_of(field: Field, value: Any, where: str) -> Iterator[Flaw]:
    try:
        wrong = complaint(field, written(field, value))
    except ValueError as error:
        wrong = str(error)
    if wrong:
        hint = f"allowed: {', '.join(field.choices)}" if field.choices else ""
        yield Flaw(where, f"`{field.name}`: {wrong}", "invalid_value", hint)


class Alias(ApiObject, frozen=True, kw_only=True):
    kind = "opnsense.firewall.alias"
    type = TYPES["firewall.alias"]


class Rule(ApiObject, frozen=True, kw_only=True):
    kind = "opnsense.firewall.rule"
    type = TYPES["firewall.rule"]


class Category(ApiObject, frozen=True, kw_only=True):
    kind = "opnsense.firewall.category"
    type = TYPES["firewall.category"]


class Vlan(ApiObject, frozen=True, kw_only=True):
    kind = "opnsense.interfaces.vlan"
    type = TYPES["interfaces.vlan"]


class Route(ApiObject, frozen=True, kw_only=True):
    kind = "opnsense.routes.route"
    type = TYPES["routes.route"]


class Gateway(ApiObject, frozen=True, kw_only=True):
    kind = "opnsense.routing.gateway"
    type = TYPES["routing.gateway"]


class UnboundHost(ApiObject, frozen=True, kw_only=True):
    kind = "opnsense.unbound.host"
    type = TYPES["unbound.host"]


class KeaSubnet(ApiObject, frozen=True, kw_only=True):
    kind = "opnsense.kea.subnet"
    type = TYPES["kea.subnet"]


class KeaReservation(ApiObject, frozen=True, kw_only=True):
    kind = "opnsense.kea.reservation"
    type = TYPES["kea.reservation"]


class DnsmasqHost(ApiObject, frozen=True, kw_only=True):
    kind = "opnsense.dnsmasq.host"
    type = TYPES["dnsmasq.host"]


class HaproxyServer(ApiObject, frozen=True, kw_only=True):
    kind = "opnsense.haproxy.server"
    type = TYPES["haproxy.server"]


class HaproxyBackend(ApiObject, frozen=True, kw_only=True):
    kind = "opnsense.haproxy.backend"
    type = TYPES["haproxy.backend"]


class HaproxyFrontend(ApiObject, frozen=True, kw_only=True):
    kind = "opnsense.haproxy.frontend"
    type = TYPES["haproxy.frontend"]


class SourceNat(ApiObject, frozen=True, kw_only=True):
    kind = "opnsense.nat.source"
    type = TYPES["nat.source"]


class OneToOneNat(ApiObject, frozen=True, kw_only=True):
    kind = "opnsense.nat.one_to_one"
    type = TYPES["nat.one_to_one"]
