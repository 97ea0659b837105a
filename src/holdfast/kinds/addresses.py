"""Addresses of services and what is sent to them: what may be written, and what may not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from holdfast.kinds.contract import Flaw, Secret

_METHOD: Final = re.compile(r"[A-Z]{1,20}")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_FINGERPRINT: Final = re.compile(r"(sha256:)?([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}", re.IGNORECASE)


def flaws_of_url(field: str, url: str) -> Iterator[Flaw]:
    try:
        address = urlsplit(url)
        address.port  # noqa: B018  # it is only read to find out whether it can be
    except ValueError as error:
        yield Flaw(field, f"this is not an address: {error}")
        return
    if address.scheme not in ("http", "https") or not address.hostname or not url.isprintable() or " " in url:
        yield Flaw(field, f"`{url}` is not an address", hint="write it like http://127.0.0.1:8080/config")
    if address.username is not None or address.password is not None:
        yield Flaw(field, "an address must not hold a user or a password", "literal_secret", "use `headers` with a secret")


def flaws_of_method(field: str, method: str) -> Iterator[Flaw]:
    if _METHOD.fullmatch(method) is None:
        yield Flaw(field, f"`{method}` is not a method of HTTP", hint="write it like GET, PUT or POST")


def flaws_of_headers(headers: Mapping[str, str | Secret]) -> Iterator[Flaw]:
    for name, value in headers.items():
        if _HEADER.fullmatch(name) is None:
            yield Flaw("headers", f"{name!r} is not the name of a header")
        if isinstance(value, str) and not (value.isprintable() and value.isascii()):
            yield Flaw("headers", f"the value of `{name}` cannot be sent", hint="use printable ASCII")
        if isinstance(value, str) and name.lower() in ("authorization", "cookie", "proxy-authorization"):
            yield Flaw("headers", f"`{name}` holds a secret", "literal_secret")
        if isinstance(value, Secret):
            yield from value.flaws_at("headers")


def flaws_of_trust(ca: str | None, fingerprint: str | None, verify: bool) -> Iterator[Flaw]:
    """Whose certificate is believed: that of a public authority, of a CA file, exactly one, or anybody's."""
    if fingerprint is not None and _FINGERPRINT.fullmatch(fingerprint) is None:
        yield Flaw("fingerprint", f"`{fingerprint}` is not the fingerprint of a certificate", hint="write sha256:HEX")
    if not verify and (ca or fingerprint):
        yield Flaw("verify", "with `verify: false` nothing is compared with `ca` or `fingerprint`", hint="drop one of them")
