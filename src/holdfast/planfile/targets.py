"""Where steps can work: the targets that are always there, and the types that a plan may declare more of.

A type is a row of TARGETS: the key that names it, and a struct with what else may be said. Its secrets are fields of
type `Secret`, so that nothing else is accepted there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec

from holdfast.core.errors import Problem
from holdfast.kinds.addresses import flaws_of_trust
from holdfast.kinds.contract import Flaw, Secret
from holdfast.planfile.arguments import fill, rewrite, rewrite_secrets, shape_of
from holdfast.planfile.paths import Anchor, Misplaced
from holdfast.planfile.source import Spot, meant

BUILT_IN: Final = ("local", "memory")
NEARBY: Final = frozenset(BUILT_IN)  # targets whose paths may be relative to the plan file
NO_FILE: Final = "none"  # said of a path that is not wanted at all, as OpenSSH does
PORT_MAX: Final = 65535
_PORT: Final = re.compile(r"(?:^|@)(?:[^:@\[\]]*|\[[^\]]+\]):([^:@\[\]]*)$")  # one colon, unless the host stands in brackets
_ADDRESS: Final = re.compile(r"https?://(?![^/]*@)[^\s/?#]+/?")
_WAY_IN: Final = re.compile(r"(?!-)[^\s@]+|(?!-)[^\s]+@(?!-)[^\s@]+")  # [user@]host[:port]


class Ssh(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A host over SSH. What is not said here is as ssh_config says."""

    here: ClassVar[tuple[str, ...]] = ("key", "known_hosts", "config")  # paths where Holdfast runs

    ssh: str
    key: str | None = None  # a private key file
    password: Secret | None = None
    known_hosts: str | None = None
    host_key: str | None = None  # the only one that is accepted, or its fingerprint
    config: str | None = None  # a file instead of ~/.ssh/config; `none` for no file
    jump: str | None = None
    sudo: bool = False
    sudo_password: Secret | None = None
    shell: str | None = None  # what steps with `shell: true` are handed to
    max_sessions: Annotated[int, msgspec.Meta(ge=1, le=100)] | None = None

    def flaws(self) -> Iterator[Flaw]:
        for field, text in (("ssh", self.ssh), *(("jump", hop) for hop in (self.jump or "").split(",") if hop)):
            if _WAY_IN.fullmatch(text.strip()) is None:
                yield Flaw(field, f"{text!r} is not a host", hint="write [user@]host[:port]")
            elif (port := _PORT.search(text.strip())) and not (port[1].isdecimal() and 1 <= int(port[1]) <= PORT_MAX):
                yield Flaw(field, f"{port[1]!r} is not a port", hint=f"write a number from 1 to {PORT_MAX}")
        yield from _flaws_of_secrets(password=self.password, sudo_password=self.sudo_password)
        if self.shell is not None and not self.shell.startswith("/"):
            yield Flaw("shell", f"`{self.shell}` is not the absolute path of a shell")


class Opnsense(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An OPNsense appliance, by the address of its web interface."""

    here: ClassVar[tuple[str, ...]] = ("ca",)

    opnsense: str
    key: Secret
    secret: Secret
    ca: str | None = None  # a file of certificates
    fingerprint: str | None = None  # sha256:HEX of the one certificate that is accepted
    verify: bool = True
    profile: Literal["24.7", "25.1", "25.7", "26.1", "26.7"] | None = None  # treat it as this version
    switch: str | None = None  # an SSH target of the same box, which takes a run back that nobody confirms
    config: str | None = None  # the file that the switch puts back
    reload: tuple[str, ...] | None = None  # the command that makes it run

    def flaws(self) -> Iterator[Flaw]:
        if _ADDRESS.fullmatch(self.opnsense) is None:
            yield Flaw("opnsense", f"`{self.opnsense}` is not an address", hint="write https://HOST or https://HOST:PORT")
        yield from _flaws_of_secrets(key=self.key, secret=self.secret)
        yield from flaws_of_trust(self.ca, self.fingerprint, self.verify)
        for field in ("config", "reload"):
            if getattr(self, field) is not None and self.switch is None:
                yield Flaw(
                    field, f"`{field}` says what a `switch` does, and there is none", hint="name an SSH target as `switch`"
                )


def _flaws_of_secrets(**given: Secret | None) -> Iterator[Flaw]:
    for field, secret in given.items():
        if secret is not None:
            yield from secret.flaws_at(field)


TARGETS: Final[dict[str, type[msgspec.Struct]]] = {"ssh": Ssh, "opnsense": Opnsense}


def read_targets(raw: Mapping[str, Any], anchor: Anchor | None, spot: Spot, found: list[Problem]) -> dict[str, Any]:
    """The declarations, once they are known to be sound: as they were written, but with every path absolute.

    Without an anchor they are so already.
    """
    for name, declaration in raw.items():
        _check(name, declaration, spot.into(name), found)
        box = declaration.get("switch") if "opnsense" in declaration else None
        if box is not None and "ssh" not in raw.get(str(box), {}):
            hint = "declare it: {ssh: user@host}"
            found.append(spot.into(name, "switch").problem("not_found", f"`{box}` is no SSH target of this plan", hint))
    return dict(raw) if anchor is None else {name: _anchored(raw[name], anchor, spot.into(name), found) for name in raw}


def _anchored(declaration: Mapping[str, Any], anchor: Anchor, spot: Spot, found: list[Problem]) -> dict[str, Any]:
    struct = next((TARGETS[key] for key in declaration if key in TARGETS), None)
    if struct is None:
        return dict(declaration)
    shape = shape_of(struct)

    def place(path: str) -> str | Misplaced:
        return path if path.startswith(("/", "~")) or path == NO_FILE else anchor.place(path)

    made = dict(declaration)
    for name, change, walk in [
        *((name, place, rewrite) for name, *_ in shape.here),
        *((name, anchor.secret, rewrite_secrets) for name in shape.secrets),
    ]:
        if name in made:
            made[name] = walk(made[name], (), change, spot.into(name), found)
    return made


def _check(name: str, declaration: Any, spot: Spot, found: list[Problem]) -> None:
    if name in BUILT_IN:
        found.append(spot.problem("invalid_value", f"the target `{name}` is always there and cannot be declared", key=True))
        return
    types = [key for key in declaration if key in TARGETS]
    if len(types) == 1:
        fill(shape_of(TARGETS[types[0]]), declaration, spot, found)
    elif types:
        found.append(spot.problem("invalid_value", f"`{name}` cannot be {' and '.join(f'`{t}`' for t in types)} at once"))
    elif not declaration:
        found.append(spot.problem("missing_key", f"nothing says where `{name}` is", "write it like {ssh: user@host}"))
    else:
        known = ", ".join(f"`{key}`" for key in TARGETS)
        hint = next(filter(None, (meant(key, TARGETS) for key in declaration)), "")
        there = f"declare one of {known}" if known else "there is only " + " and ".join(f"`{target}`" for target in BUILT_IN)
        message = f"the target `{name}` is of a type that this installation does not have"
        found.append(spot.problem("unsupported", message, hint or there))
