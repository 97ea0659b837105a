"""How programs write a value down: every form in which a secret could be shown."""

from __future__ import annotations

import base64
import html
import json
import shlex
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, quote_plus

from holdfast.drivers.output import plain_text

LINE_LENGTH_MIN: Final = 8  # a shorter line of a secret of many lines says nothing and stands everywhere
FORM_LENGTH_MIN: Final = 4  # the same for what is left of a short secret in base64
_BASH: Final = " '\"\\|&;()<>!{}*[]?^$`,"  # what its printf %q puts a backslash before
_ANSI_C: Final = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 27: "\\E", 39: "\\'", 92: "\\\\"}


def plain_forms(value: str) -> Iterator[str]:
    """The ways in which programs write a value so that it still stands there in one piece."""
    yield value
    lines = [line.strip() for line in value.splitlines()]
    parts = [value.strip(), plain_text(value), *(line for line in lines if len(lines) > 1 and len(line) >= LINE_LENGTH_MIN)]
    for part in filter(None, dict.fromkeys([value, *parts])):
        yield part
        yield from (form for form in _escaped(part) if len(form) >= min(FORM_LENGTH_MIN, len(part)))


def _escaped(value: str) -> Iterator[str]:
    raw = _bytes(value)
    for encoded in (quote(raw, safe=""), quote(raw), quote_plus(raw), quote(quote(raw, safe=""), safe="")):
        yield from (encoded, _lower_percent(encoded))
    in_json = (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1])
    for written in in_json:
        yield from (written, written.replace("/", "\\/"), json.dumps(written)[1:-1])
    yield from (shlex.quote(value), value.replace("'", "'\\''"), value.replace("'", "'\"'\"'"))
    yield _backslashed(value, _BASH)
    yield _backslashed(value, '"\\$`')  # between double quotes
    yield from (repr(value)[1:-1], repr(raw)[2:-1], "".join(f"\\x{byte:02x}" for byte in raw))
    yield _ansi_c(raw)
    yield from (html.escape(value), html.escape(value, quote=False), html.escape(value).replace("&#x27;", "&#39;"))


def _backslashed(value: str, special: str) -> str:
    return "".join("\\" + char if char in special else char for char in value)


def _ansi_c(raw: bytes) -> str:
    """What bash puts into `$'...'` where its locale is the plain one of C, as it often is on hosts."""
    return "".join(_ANSI_C.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}") for byte in raw)


def dense_forms(value: str) -> Iterator[str]:
    """Base64 at each of the three places a value can have in what surrounds it; base32; hex."""
    raw = _bytes(value)
    for pad in range(3):
        whole = base64.b64encode(b"\0" * pad + raw).decode()
        certain = whole[(0, 2, 3)[pad] : (pad + len(raw)) * 8 // 6]  # what does not depend on the neighbours
        yield from (form for form in (certain, _url_safe(certain)) if len(form) >= FORM_LENGTH_MIN)
    for whole in (base64.b64encode(raw).decode(), base64.b32encode(raw).decode()):
        yield from (form for form in (whole, whole.rstrip("="), _url_safe(whole)) if len(form) >= FORM_LENGTH_MIN)
    if len(raw) * 2 >= FORM_LENGTH_MIN:
        yield from (raw.hex(), raw.hex().upper(), raw.hex(":"), raw.hex(":").upper())


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def _url_safe(text: str) -> str:
    return text.replace("+", "-").replace("/", "_")


def _lower_percent(text: str) -> str:
    parts = text.split("%")
    return "%".join([parts[0], *(part[:2].lower() + part[2:] for part in parts[1:])])
