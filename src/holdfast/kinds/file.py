"""`file`: a regular file is there, with this content, these permissions and owners.

The content is a text, a secret, a file where Holdfast runs, or a template there. A template is written by the author
of the plan and sees nothing but variables of the plan; nothing that a target says is ever rendered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import msgspec

from holdfast.core.change import Change, Claim, Depth
from holdfast.core.predict import Unfit, View
from holdfast.kinds.content import Content
from holdfast.kinds.contract import Flaw, Secret
from holdfast.kinds.ground import Ground, Room, ground_of
from holdfast.kinds.node import Node, Sealed
from holdfast.kinds.paths import OnConflict, Owned, check_own, check_removable, placing, put, reads, reset, stays, unchanged

SECRET = "@secret/"  # looks at such keys of "local" are answered with a Sealed
_HERE = "local"


class File(Owned, frozen=True, kw_only=True):
    kind: ClassVar[str] = "file"
    main: ClassVar[str] = "path"
    here: ClassVar[tuple[str, ...]] = ("source", "template")
    templates: ClassVar[tuple[str, ...]] = ("template",)

    path: str
    content: str | Secret | None = None
    source: str | None = None
    template: str | None = None
    vars: dict[str, Any] = msgspec.field(default_factory=dict)  # what the template may name; the variables of the plan
    on_conflict: OnConflict = "fail"

    def flaws(self) -> Iterator[Flaw]:
        yield from super().flaws()
        given = [name for name in ("content", "source", "template") if getattr(self, name) is not None]
        if len(given) != 1:
            said = " and ".join(f"`{name}`" for name in given) or "none of them"
            message = f"exactly one of `content`, `source` and `template` is needed, not {said}"
            yield Flaw(given[-1] if given else "path", message)

    def sources(self) -> Sequence[str]:
        return [path for path in (self.source, self.template) if path is not None]

    def claims(self) -> Sequence[Claim]:
        read = [reads(path, Depth.CONTENT, _HERE) for path in self.sources()]
        if isinstance(self.content, Secret):
            read.append(reads(SECRET + self.content.secret, target=_HERE))
        return [*placing(self.path, self.on_conflict, Depth.CONTENT), *read, *self.accounts()]

    def changes(self, view: View, /) -> Sequence[Change]:
        ground = ground_of(view)
        found = ground.node(self.path, Depth.CONTENT)
        if found.type == "file":
            return self._updated(view, ground, found)
        if stays(self.path, found, self.on_conflict):
            return unchanged(self.path, found)
        room = ground.room(self.path)
        means, content = self._wanted(view)
        mode = 0o666 & ~ground.facts().umask
        after = self.fresh(view, room, self.path, "file", mode, digest=means.digest, size=means.size, content=content)
        return put(ground, room, self.path, found, after, self.on_conflict, means)

    def _updated(self, view: View, ground: Ground, found: Node) -> Sequence[Change]:
        after = self.revised(view, self.path, found)
        if after is found and found.content is not None and found.content == self._text:
            return unchanged(self.path, found)  # the usual case, without a digest
        means, content = self._wanted(view)
        if found.digest == means.digest:
            return unchanged(self.path, found) if after is found else (reset(self.path, found, after),)
        return (rewritten(ground, ground.room(self.path), self.path, found, after, means, content),)

    def _wanted(self, view: View) -> tuple[Content, bytes | None]:
        """How the content comes about, and the content itself as far as it is known and may be shown."""
        if isinstance(self.content, Secret):
            return _sealed(view, self.content.secret), None
        if self.source is not None:
            return _source(view, self.source)
        data = self._text
        if data is None:
            assert self.template is not None
            data = _rendered(self.template, _template(view, self.template), self.vars)
        return Content.of(data), data

    @property
    def _text(self) -> bytes | None:
        return self.content.encode("utf-8", "surrogateescape") if isinstance(self.content, str) else None


def rewritten(
    ground: Ground, room: Room, path: str, found: Node, after: Node, means: Content, content: bytes | None, mtime_ns: int = 0
) -> Change:
    """A regular file gets other content: a new object takes its place, with everything else as it was."""
    facts = ground.facts()
    check_removable(facts, room, path, found)
    check_own(facts, path, found)  # else the new object could not be given to the owner of the old one
    ground.spend(room, means.size)
    new = after._replace(
        digest=means.digest, size=means.size, content=content, dev=0, ino=0, mtime_ns=mtime_ns, ctime_ns=0, nlink=1, around_ns=0
    )
    return Change(path, found, new, means=means)


def _sealed(view: View, reference: str) -> Content:
    state = view.seen(SECRET + reference, target=_HERE)
    assert isinstance(state, Sealed)
    if state.digest is None:
        raise Unfit("not_found", f"the secret `{reference}` is not there", "set it, or correct its name")
    return Content(secret=reference, digest=state.digest, size=state.size)


def source_node(view: View, path: str, depth: Depth, target: str | None) -> tuple[str, Node]:
    """What a step is to copy, after all links, and where it really is."""
    real, found = ground_of(view, target).followed(path, depth)
    if not found.exists:
        raise Unfit("source_not_found", f"`{path}` does not exist", missing=path)
    if not found.readable:
        raise Unfit("permission_denied", f"the effective user may not read `{path}`")
    return real, found


def _source(view: View, path: str) -> tuple[Content, bytes | None]:
    real, found = source_node(view, path, Depth.CONTENT, _HERE)
    if found.type != "file":
        raise Unfit("conflict", f"`{path}` is not a regular file", "`tree` and `copy` take directories")
    return Content(path=real, digest=found.digest, size=found.size), found.content


def _template(view: View, path: str) -> bytes:
    content = _source(view, path)[1]
    if content is None:
        raise Unfit("too_large", f"`{path}` is too large for a template")
    return content


def _rendered(path: str, text: bytes, variables: dict[str, Any]) -> bytes:
    from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    world = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
    try:
        return world.from_string(text.decode("utf-8")).render(variables).encode("utf-8", "surrogateescape")
    except UndefinedError as error:
        raise Unfit("undefined_variable", f"template `{path}`: {error.message}") from None
    except (TemplateError, UnicodeDecodeError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        place = f"{path}:{error.lineno}" if isinstance(error, TemplateSyntaxError) else path
        raise Unfit("syntax", f"template `{place}`: {error}", "correct the template") from None
