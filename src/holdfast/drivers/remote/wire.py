"""How the two ends of a worker speak: frames of JSON with bytes beside it. The host carries this module.

A frame is two lengths, a JSON text, and the bytes that the text refers to by place. Nothing that a host says is ever
evaluated: it is read field by field into plain values.
"""

from __future__ import annotations

import json
from struct import Struct
from typing import Any

from holdfast.drivers.files.values import Order
from holdfast.kinds.content import Content
from holdfast.kinds.node import Account, Node

HEAD = Struct(">II")
CHUNK_BYTES = 1 << 18  # of contents that travel in pieces
QUESTIONS = (  # that every worker answers, whatever it is made of
    *("inspect", "apply", "settle", "slots", "take_over", "fetch", "fetch_all"),
    *("arm", "extend", "disarm", "mark", "probe"),
)
_CONTENT = Node._fields.index("content")
_ENTRIES = Node._fields.index("entries")
_BEFORE, _AFTER, _MEANS, _NEEDS = (Order._fields.index(name) for name in ("before", "after", "means", "needs"))


def pack(document: Any) -> bytes:
    """One frame. Bytes anywhere in the document are stowed beside the text."""
    stowed: list[bytes] = []
    at = 0

    def stow(value: Any) -> list[int]:
        nonlocal at
        if not isinstance(value, (bytes, bytearray)):
            raise TypeError(f"{type(value).__name__} cannot be sent")
        stowed.append(bytes(value))
        place = [at, len(value)]
        at += len(value)
        return place

    text = json.dumps(document, default=stow, separators=(",", ":")).encode("ascii")
    return b"".join([HEAD.pack(len(text), at), text, *stowed])


def sizes(head: bytes) -> tuple[int, int]:
    """How long the text of a frame is, and the bytes beside it."""
    text, beside = HEAD.unpack(head)
    return text, beside


def taken(place: Any, beside: bytes) -> Any:
    """The bytes a place refers to; None stays None."""
    if place is None:
        return None
    at, size = place
    return beside[at : at + size]


def node_from(values: Any, beside: bytes) -> Node:
    found = list(values)
    found[_CONTENT] = taken(found[_CONTENT], beside)
    if found[_ENTRIES] is not None:
        found[_ENTRIES] = {path: node_from(node, beside) for path, node in found[_ENTRIES].items()}
    return Node(*found)


def content_from(values: Any, beside: bytes) -> Content:
    found = Content(*values)
    xattrs = tuple((name, taken(place, beside)) for name, place in found.xattrs)
    return found._replace(data=taken(found.data, beside), xattrs=xattrs)


def order_from(values: Any, beside: bytes) -> Order:
    found = list(values)
    means = found[_MEANS]
    if isinstance(means, dict):
        found[_MEANS] = {path: content_from(content, beside) for path, content in means.items()}
    elif means is not None:
        found[_MEANS] = content_from(means, beside)
    found[_BEFORE] = node_from(found[_BEFORE], beside)
    found[_AFTER] = node_from(found[_AFTER], beside)
    found[_NEEDS] = tuple(found[_NEEDS])
    return Order(*found)


def state_from(key: str, values: Any, beside: bytes) -> Any:
    """What a look at a key found: facts about the host, an account, or a node."""
    if not key.startswith("@"):
        return node_from(values, beside)
    return Account(*values) if isinstance(values, list) else dict(values)
