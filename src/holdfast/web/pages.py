"""The dashboard as files that were built and shipped: the same for everybody, without any data in them."""

from __future__ import annotations

import hashlib
import mimetypes
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request

from holdfast.web.packing import PACKED, VARIES, WELL, packed, reads_packed

ASSETS: Final = os.path.join(os.path.dirname(__file__), "assets")
INDEX: Final = "index.html"
UNBUILT: Final = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Holdfast</title>
<h1>The dashboard is not built</h1><p>This is an installation from source without Node.js. The API works;
<code>CONTRIBUTING.md</code> says how the dashboard is built.</p></html>
"""


@dataclass(frozen=True, slots=True)
class Page:
    content: bytes
    type: str
    tag: str
    lasting: bool  # its name changes with its content
    packed: bytes  # for who can read it

    @classmethod
    def of(cls, name: str, content: bytes) -> Page:
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        text = "; charset=utf-8" if kind.startswith("text/") or kind == "text/javascript" else ""
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        return cls(content, kind + text, tag, name != INDEX and name.startswith("assets/"), packed(content, WELL))

    async def send(self, request: Request, send: Any, safety: Any) -> None:
        pack = len(self.packed) < len(self.content) and reads_packed(request.headers)
        content, tag = (self.packed, f'{self.tag[:-1]}-gzip"') if pack else (self.content, self.tag)
        known = request.headers.get("if-none-match") == tag
        kept = b"public, max-age=31536000, immutable" if self.lasting else b"no-cache"
        body = b"" if known or request.method == "HEAD" else content
        lines = [(b"content-type", self.type.encode()), (b"etag", tag.encode()), (b"cache-control", kept), VARIES, *safety]
        if not known:
            lines += [(b"content-length", b"%d" % len(content)), *([PACKED] if pack else [])]
        await send({"type": "http.response.start", "status": 304 if known else 200, "headers": lines})
        await send({"type": "http.response.body", "body": body})


class Pages:
    def __init__(self, pages: Mapping[str, Page]) -> None:
        self._pages = pages

    @classmethod
    def shipped(cls, directory: str = ASSETS) -> Pages:
        found = {INDEX: Page.of(INDEX, UNBUILT)}
        for folder, _, names in os.walk(directory):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    shown = os.path.relpath(path, directory)
                    found[shown] = Page.of(shown, file.read())
        return cls(found)

    def find(self, path: str) -> Page | None:
        """A file by its name, never by a way through directories."""
        return self._pages.get(path.removeprefix("/") or INDEX)
