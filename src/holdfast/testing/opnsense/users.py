"""API keys: whose they are, and what they may call."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from holdfast.testing.opnsense.profile import Profile
from holdfast.testing.opnsense.wire import Request


@dataclass(frozen=True, slots=True)
class User:
    """`privileges` are patterns in the newer spelling, such as `api/firewall/alias/*`; `networks` bound where from."""

    name: str
    key: str
    secret: str
    privileges: tuple[str, ...] = ("*",)
    read_only: bool = False
    disabled: bool = False
    networks: tuple[str, ...] = ()

    def may(self, request: Request, profile: Profile) -> bool:
        from_here = not self.networks or any(ip_address(request.peer) in ip_network(net) for net in self.networks)
        uri = request.uri.lstrip("/")
        return from_here and any(_covers(pattern, uri) for pattern in spelled(self.privileges, profile))


ADMIN = User("root", "sim-admin-key", "sim-admin-secret")
NARROW = User(
    "narrow",
    "sim-narrow-key",
    "sim-narrow-secret",
    (
        "api/firewall/alias/*",
        "api/firewall/category/*",
        "api/core/system/status*",
        "api/diagnostics/system/system_information*",
    ),
)
READER = User("reader", "sim-reader-key", "sim-reader-secret", read_only=True)
DISABLED = User("gone", "sim-disabled-key", "sim-disabled-secret", disabled=True)
FIXTURE = (ADMIN, NARROW, READER, DISABLED)


def credentials(request: Request) -> tuple[str, str]:
    """Key and secret: the second word of the header, whatever the scheme; what follows a second colon is dropped."""
    words = request.headers.get("authorization", "").split()
    if len(words) < 2:
        return "", ""
    try:
        key, secret, *_ = [*base64.b64decode(words[1], validate=True).decode().split(":"), "", ""]
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return key, secret


def spelled(privileges: Iterable[str], profile: Profile) -> list[str]:
    """Patterns as the version has them: before 25.7 actions are written in camel case."""
    if profile.since("25.7"):
        return list(privileges)
    return ["/".join([*head, camel(action)]) for *head, action in (pattern.split("/", 3) for pattern in privileges)]


def camel(action: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), action)


def _covers(pattern: str, uri: str) -> bool:
    expression = re.escape(pattern).replace(r"\*", ".*")
    if pattern.endswith("/*"):
        expression = expression.removesuffix("/.*") + "(/.*)?"
    return bool(re.fullmatch(expression, uri))
