"""`config`: the configuration document of a service is so. Undoing puts the previous document back.

What counts as previous is `previous`, or else what the service held before the change. Where it held none and none
is given, the step is `irreversible`: nothing is invented.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import msgspec

from holdfast.core.change import Change, Claim, Depth, Guarantee
from holdfast.core.errors import Bug
from holdfast.core.predict import View
from holdfast.kinds.addresses import flaws_of_headers, flaws_of_method, flaws_of_url
from holdfast.kinds.contract import Flaw, Kind, Secret
from holdfast.kinds.document import Document, Place, versions_in


class Config(Kind, frozen=True, kw_only=True):
    kind: ClassVar[str] = "config"
    main: ClassVar[str] = "url"
    family: ClassVar[str] = "service"
    batched: ClassVar[bool] = False

    url: str
    values: dict[str, Any]
    version: str | int | None = None
    previous: dict[str, Any] | None = None
    read: str = "GET"
    write: str = "PUT"
    headers: dict[str, str | Secret] = msgspec.field(default_factory=dict)

    def flaws(self) -> Iterator[Flaw]:
        yield from flaws_of_url("url", self.url)
        yield from flaws_of_method("read", self.read)
        yield from flaws_of_method("write", self.write)
        yield from flaws_of_headers(self.headers)
        if self.version is not None and self.values.get("version", self.version) != self.version:
            yield Flaw("version", "`values` names another version", hint="leave one of the two out")
        if not self.values and self.version is None:
            yield Flaw("values", "there is nothing to write")

    @property
    def place(self) -> Place:
        return Place(url=self.url, read=self.read, write=self.write, headers=self.headers)

    @property
    def document(self) -> Document:
        version = {} if self.version is None else {"version": self.version}
        return Document({**self.values, **version}, partial=True)

    def claims(self) -> Sequence[Claim]:
        return (Claim(self.place.key, depth=Depth.CONTENT),)

    def changes(self, view: View, /) -> Sequence[Change]:
        key = self.place.key
        earlier = view.made(key)
        found = view.seen(key, Depth.CONTENT) if earlier is None else earlier.after
        if not isinstance(found, Document):
            raise Bug(f"{key} was not answered with a document")
        after = self.document
        before = Document(found.values, found.partial, self.previous) if self.previous is not None else found
        if found.same(after):
            before = after
        versions_in(view.notes("local"))[view.step] = (after.version, before.version)
        guarantee = Guarantee.REVERSIBLE if before.wanted.exists else Guarantee.IRREVERSIBLE
        return (Change(key, before, after, guarantee),)
