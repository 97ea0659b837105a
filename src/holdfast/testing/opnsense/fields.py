"""Field types: how a value is taken in, what is wrong with it, and how it is shown by `get` and by a search."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Final

from holdfast.testing.opnsense import addresses, words
from holdfast.testing.opnsense.world import World

_INTEGER: Final = re.compile(r"[+-]?(0|[1-9][0-9]*)")
_CONTROL: Final = re.compile(r"[\n\0\v\f]")


@dataclass(frozen=True)
class Field:
    """Text of any sort, and the base of the others. Versions bound where it exists; outside it is ignored in silence."""

    name: str
    _: KW_ONLY
    required: bool = False
    default: str = ""
    since: str = ""
    until: str = ""
    volatile: bool = False
    server: bool = False  # set by the appliance alone
    many: bool = False
    ordered: bool = False
    lower: bool = False

    def normalise(self, value: str) -> str:
        return value.lower() if self.lower else value

    def problems(self, value: str, world: World) -> Iterator[str]:
        if not value:
            if self.required:
                yield "a value is required"
            return
        for entry in self.entries(value):
            yield from self.entry_problems(entry, world)

    def entries(self, value: str) -> list[str]:
        return value.split(",") if self.many else [value]

    def entry_problems(self, entry: str, world: World) -> Iterator[str]:
        yield from ()

    def options(self, world: World) -> Mapping[str, str] | None:
        """What can be chosen, with its label; None for a field that is typed in."""
        return None

    def shown(self, value: str, world: World) -> object:
        options = self.options(world)
        return value if options is None else self.choice(options, self.entries(value))

    def choice(self, options: Mapping[str, str], chosen: list[str]) -> dict[str, object]:
        blank = {} if self.required or self.many or "" in options else {"": "None"}
        first = {key: options[key] for key in chosen if self.ordered and key in options}
        listed = first | blank | dict(options)
        return {key: {"value": label, "selected": int(key in chosen)} for key, label in listed.items()}

    def display(self, value: str, world: World) -> str:
        options = self.options(world)
        return value if options is None else ",".join(options.get(entry) or entry for entry in self.entries(value))


@dataclass(frozen=True)
class Flag(Field):
    def entry_problems(self, entry: str, world: World) -> Iterator[str]:
        if entry not in ("0", "1"):
            yield "must be 0 or 1"


@dataclass(frozen=True)
class Whole(Field):
    low: int | None = None
    high: int | None = None

    def entry_problems(self, entry: str, world: World) -> Iterator[str]:
        if not _INTEGER.fullmatch(entry):
            yield "must be a whole number"
        elif (self.low is not None and int(entry) < self.low) or (self.high is not None and int(entry) > self.high):
            yield f"must be between {self.low} and {self.high if self.high is not None else 'any number'}"


@dataclass(frozen=True)
class Number(Field):
    def entry_problems(self, entry: str, world: World) -> Iterator[str]:
        if not re.fullmatch(r"[0-9]*[.,]?[0-9]*", entry):
            yield "must be a number"


@dataclass(frozen=True)
class Text(Field):
    """Text that matches a pattern as a whole."""

    pattern: str = ".*"
    ignore_case: bool = False

    def entries(self, value: str) -> list[str]:
        return [value]

    def entry_problems(self, entry: str, world: World) -> Iterator[str]:
        flags = re.DOTALL if self.pattern == ".*" else 0
        if not re.fullmatch(self.pattern, entry, flags | (re.IGNORECASE if self.ignore_case else 0)):
            yield "has characters that do not belong here, or is too long"


@dataclass(frozen=True)
class Tag(Text):
    """A packet tag: no blanks, no control characters."""

    pattern: str = r"[0-9a-zA-Z.,_\-]{0,512}"


@dataclass(frozen=True)
class Description(Field):
    def entry_problems(self, entry: str, world: World) -> Iterator[str]:
        if len(entry.encode()) > 255 or _CONTROL.search(entry):
            yield "must be one line of at most 255 bytes"


@dataclass(frozen=True)
class Choice(Field):
    """One of the listed keys, or several in the order given; each is called as it is written."""

    keys: str = ""

    def options(self, world: World) -> Mapping[str, str]:
        return {key: key for key in self.listed}

    def display(self, value: str, world: World) -> str:
        return value

    @property
    def listed(self) -> list[str]:
        return self.keys.split("|") if "|" in self.keys else self.keys.split()

    def entry_problems(self, entry: str, world: World) -> Iterator[str]:
        if entry not in self.listed:
            yield "is not one of the options"


@dataclass(frozen=True)
class Offered(Field):
    """A choice among what the appliance has at the moment; `source` is the name of a property of the world."""

    source: str = ""
    without: str = ""

    def options(self, world: World) -> Mapping[str, str]:
        offered: Mapping[str, str] = getattr(world, self.source)
        return {key: label for key, label in offered.items() if key != self.without}

    def entry_problems(self, entry: str, world: World) -> Iterator[str]:
        if entry not in self.options(world):
            yield "is not one of the options"


@dataclass(frozen=True)
class Interface(Offered):
    source: str = "interfaces"
    without: str = "lo0"


@dataclass(frozen=True)
class Gateway(Offered):
    """A gateway, and where `groups` are allowed one of those too."""

    source: str = "gateways"
    groups: bool = False

    def options(self, world: World) -> Mapping[str, str]:
        offered = {name: f"{name} - {address}" if address else name for name, address in world.gateways.items()}
        return {**offered, **world.gateway_groups} if self.groups else offered


@dataclass(frozen=True)
class Ref(Field):
    """Uuids of items in other lists."""

    to: tuple[str, ...] = ()

    def options(self, world: World) -> Mapping[str, str]:
        return {uuid: name for path in self.to for uuid, name in world.names(path).items()}

    def entry_problems(self, entry: str, world: World) -> Iterator[str]:
        if not any(entry in world.listing(path) for path in self.to):
            yield "refers to something that does not exist"


@dataclass(frozen=True)
class Protocol(Choice):
    def normalise(self, value: str) -> str:
        return value.lower() if self.lower else value if value == "any" else value.upper()

    @property
    def listed(self) -> list[str]:
        return [name.lower() for name in words.PROTOCOLS] if self.lower else list(words.PROTOCOLS)


@dataclass(frozen=True)
class Net(Field):
    """Addresses and networks; `mask` is "required", "none" or open."""

    mask: str = ""
    family: int = 0
    any: bool = False

    def normalise(self, value: str) -> str:
        return value.strip().lower()

    def shown(self, value: str, world: World) -> object:
        return chosen_entries(value) if self.many else value

    def entry_problems(self, entry: str, world: World) -> Iterator[str]:
        if entry == "any" and self.any:
            return
        parsed = addresses.net(entry)
        if parsed is None or (self.family and parsed.version != self.family):
            yield "is not an address or network of the wanted family"
        elif (self.mask == "required" and "/" not in entry) or (self.mask == "none" and "/" in entry):
            yield f"mask: {self.mask}"


@dataclass(frozen=True)
class NetAlias(Field):
    """What a rule can match: any, interface names, alias names; or one literal, which no list may hold."""

    def entry_problems(self, entry: str, world: World) -> Iterator[str]:
        if entry not in self.known(world) and addresses.net(entry) is None:
            yield f"{entry}: not an address, network, interface or alias"

    def problems(self, value: str, world: World) -> Iterator[str]:
        yield from super().problems(value, world)
        if "," in value and any(addresses.net(entry) is not None for entry in value.split(",")):
            yield "a list cannot hold addresses"

    def known(self, world: World) -> set[str]:
        interfaces = world.interfaces
        return {"any", "(self)", *interfaces, *(f"{key}ip" for key in interfaces), *world.aliases(ports=False)}


@dataclass(frozen=True)
class Port(Field):
    """One port; `names` allows `any` and well-known names, `ranges` low-high, `aliases` aliases for ports."""

    names: bool = False
    ranges: bool = False
    aliases: bool = False

    def normalise(self, value: str) -> str:
        lowered = value.lower()
        return lowered if self.names and lowered in {"any", *words.PORTS} else value

    def entry_problems(self, entry: str, world: World) -> Iterator[str]:
        if self.names and (entry == "any" or entry in words.PORTS):
            return
        if self.aliases and entry in world.aliases(ports=True):
            return
        if not (addresses.port(entry) or (self.ranges and addresses.port_range(entry, "-"))):
            yield "is not a port, or a range that is not low-high"


@dataclass(frozen=True)
class Host(Field):
    """A DNS name. `relaxed` allows underscores, `star` a lone asterisk, `star_label` one as the first label."""

    relaxed: bool = False
    star: bool = False
    star_label: bool = False
    addresses: bool = True
    listed: bool = False

    def shown(self, value: str, world: World) -> object:
        return chosen_entries(value) if self.listed else value

    def entries(self, value: str) -> list[str]:
        return value.split(",") if self.listed else [value]

    def entry_problems(self, entry: str, world: World) -> Iterator[str]:
        if self.star and entry == "*":
            return
        name = entry[2:] if self.star_label and entry.startswith("*.") else entry
        literal = addresses.net(name) is not None and "/" not in name
        if literal != self.addresses and literal:
            yield "must be a name, not an address"
        elif not literal and not addresses.host(name, relaxed=self.relaxed):
            yield "is not a host name"


@dataclass(frozen=True)
class Mac(Field):
    def shown(self, value: str, world: World) -> object:
        return chosen_entries(value) if self.many else value

    def entry_problems(self, entry: str, world: World) -> Iterator[str]:
        if not addresses.mac(entry):
            yield "is not a MAC address"


@dataclass(frozen=True)
class AutoNumber(Whole):
    """The smallest number nobody uses, where none is given."""


@dataclass(frozen=True)
class Sequence(Whole):
    """The place in an ordered list: a hundred behind the last, where none is given."""

    low: int | None = 1
    high: int | None = 999_999


@dataclass(frozen=True)
class ServerId(Field):
    """Made by the appliance whenever an item is made; what a client sends is not looked at."""

    server: bool = True


@dataclass(frozen=True)
class Certificate(Offered):
    source: str = "certificates"


def chosen_entries(value: str) -> dict[str, object]:
    return {entry: {"value": entry, "selected": 1} for entry in value.split(",")}
