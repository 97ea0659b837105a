"""`http`: a resource of a REST service holds this document, or does not exist. Asked from where Holdfast runs.

The fields that are wanted count; a service may add others. Undoing puts back the document that was there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final, Literal

import msgspec

from holdfast.core.change import Change, Claim, Depth, Guarantee
from holdfast.core.errors import Bug
from holdfast.core.predict import View
from holdfast.kinds.addresses import flaws_of_headers, flaws_of_method, flaws_of_trust, flaws_of_url
from holdfast.kinds.contract import Flaw, Kind, Secret
from holdfast.kinds.document import Document

PREFIX: Final = "http:"
VERBS: Final = ("read", "create", "update", "delete")
_METHODS: Final = {"read": "GET", "create": "PUT", "update": "PUT", "delete": "DELETE"}


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How one of the four is asked for, where it differs from the usual."""

    method: str | None = None
    url: str | None = None
    body: dict[str, Any] | None = None  # instead of the wanted document
    expect: int | tuple[int, ...] | None = None  # the status that means yes; default: 200 to 299


class Rest(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a resource is and how it is asked for. Its key holds all of it, so that undoing needs nothing else."""

    url: str
    read: Request = Request()
    create: Request = Request()
    update: Request = Request()
    delete: Request = Request()
    headers: dict[str, str | Secret] = {}
    compare: tuple[str, ...] = ()
    ca: str | None = None
    fingerprint: str | None = None
    verify: bool = True

    @property
    def key(self) -> str:
        ways = {name: value for name, value in msgspec.to_builtins(self).items() if name != "url"}
        return f"{PREFIX}{self.url}" + (f" {msgspec.json.encode(ways, order='sorted').decode()}" if ways else "")

    @classmethod
    def of(cls, key: str) -> Rest:
        url, _, ways = key.removeprefix(PREFIX).partition(" ")
        return msgspec.convert({"url": url, **(msgspec.json.decode(ways) if ways else {})}, cls)

    def asked(self, verb: str) -> tuple[str, str]:
        """Method and address."""
        request: Request = getattr(self, verb)
        return request.method or _METHODS[verb], request.url or self.url

    def accepts(self, verb: str, status: int) -> bool:
        wanted = getattr(self, verb).expect
        if wanted is None:
            return 200 <= status < 300
        return status == wanted if isinstance(wanted, int) else status in wanted

    def counted(self, document: Document) -> Document:
        """Only the fields that count."""
        if not self.compare or document.values is None:
            return document
        return Document({name: document.values[name] for name in self.compare if name in document.values}, document.partial)

    def alike(self, one: Document, other: Document) -> bool:
        return self.counted(one).same(self.counted(other))


def document_of(state: Any) -> Document:
    """A state as it comes out of a journal, where what is absent has no type."""
    if isinstance(state, Document):
        return state
    if state.exists:
        raise Bug("the state of a REST resource is a document")
    return Document()


class Http(Kind, frozen=True, kw_only=True):
    kind: ClassVar[str] = "http"
    main: ClassVar[str] = "url"
    family: ClassVar[str] = "http"
    batched: ClassVar[bool] = False
    here: ClassVar[tuple[str, ...]] = ("ca",)

    url: str
    body: dict[str, Any] | None = None
    state: Literal["present", "absent"] = "present"
    read: Request = Request()
    create: Request = Request()
    update: Request = Request()
    delete: Request = Request()
    headers: dict[str, str | Secret] = msgspec.field(default_factory=dict)
    compare: tuple[str, ...] = ()
    ca: str | None = None  # a file of certificates
    fingerprint: str | None = None  # sha256:HEX of the one certificate that is accepted
    verify: bool = True

    def flaws(self) -> Iterator[Flaw]:
        yield from flaws_of_url("url", self.url)
        yield from flaws_of_headers(self.headers)
        for verb in VERBS:
            request: Request = getattr(self, verb)
            if request.method is not None:
                yield from flaws_of_method(verb, request.method)
            if request.url is not None:
                yield from flaws_of_url(verb, request.url)
        if (self.body is None) is (self.state == "present"):
            yield Flaw("body", "what is present has a `body`, and what is absent has none")
        yield from flaws_of_trust(self.ca, self.fingerprint, self.verify)
        for name in self.compare if self.body is not None else ():
            if name not in self.body:  # type: ignore[operator]
                yield Flaw("compare", f"`{name}` is to be compared, but `body` does not have it")

    @property
    def rest(self) -> Rest:
        ways: Mapping[str, Request] = {verb: getattr(self, verb) for verb in VERBS}
        plain = {"headers": self.headers, "compare": self.compare}
        trust = {"ca": self.ca, "fingerprint": self.fingerprint, "verify": self.verify}
        return msgspec.structs.replace(Rest(url=self.url), **plain, **trust, **ways)

    def claims(self) -> Sequence[Claim]:
        return (Claim(self.rest.key, depth=Depth.CONTENT),)

    def changes(self, view: View, /) -> Sequence[Change]:
        rest = self.rest
        earlier = view.made(rest.key)
        found = view.seen(rest.key, Depth.CONTENT) if earlier is None else earlier.after
        if not isinstance(found, Document):
            raise Bug(f"{rest.key} was not answered with a document")
        wanted = Document() if self.body is None else Document(self.body, partial=True)
        before = wanted if rest.counted(found).same(rest.counted(wanted)) else found
        return (Change(rest.key, before, wanted, Guarantee.REVERSIBLE),)
