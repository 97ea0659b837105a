"""`edit`: a text file has this line, this block, or this in place of that. Everything else in it stays as it is.

Bytes that are not UTF-8, line endings and a missing newline at the end are kept. What is inserted ends as most lines do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

import msgspec

from holdfast.core.change import Change, Claim, Depth
from holdfast.core.predict import Unfit, View
from holdfast.kinds.content import Content
from holdfast.kinds.contract import Flaw
from holdfast.kinds.file import rewritten
from holdfast.kinds.ground import ground_of, noun
from holdfast.kinds.lines import with_block, with_line
from holdfast.kinds.paths import Files, placing, unchanged

MARKER = "# holdfast {mark}"


class Edit(Files, frozen=True, kw_only=True):
    """`line`: the last line that `match` finds is replaced; without one it is appended, unless it is there already.
    `block`: what stands between two marker lines; `{mark}` in `marker` becomes `begin` and `end`. An empty one goes.
    `replace`: every match of a regular expression, line by line anchored, becomes `with`.
    """

    kind: ClassVar[str] = "edit"
    main: ClassVar[str] = "path"

    path: str
    line: str | None = None
    match: str | None = None
    block: str | None = None
    marker: str | None = None
    replace: str | None = None
    replacement: str | None = msgspec.field(default=None, name="with")

    def flaws(self) -> Iterator[Flaw]:
        yield from super().flaws()
        given = [name for name in ("line", "block", "replace") if getattr(self, name) is not None]
        if len(given) != 1:
            said = " and ".join(f"`{name}`" for name in given) or "none of them"
            yield Flaw(given[-1] if given else "path", f"exactly one of `line`, `block` and `replace` is needed, not {said}")
        company = (("match", self.match, "line"), ("marker", self.marker, "block"), ("with", self.replacement, "replace"))
        for name, value, owner in company:
            if value is not None and getattr(self, owner) is None:
                yield Flaw(name, f"`{name}` goes with `{owner}`")
        if self.line is not None and ("\n" in self.line or "\r" in self.line):
            yield Flaw("line", "a line has no line break in it", hint="`block` takes several lines")
        if self.marker is not None and (not self.marker.strip() or "\n" in self.marker):
            yield Flaw("marker", "a marker is one line and not empty")
        yield from self._flaws_of_patterns()

    def _flaws_of_patterns(self) -> Iterator[Flaw]:
        for field, pattern in (("match", self.match), ("replace", self.replace)):
            try:
                if pattern is not None:
                    re.compile(pattern)
            except re.error as error:
                yield Flaw(field, f"`{pattern}` is not a regular expression: {error}")
                return
        if self.replace is not None and self.replacement is not None:
            try:
                re.compile(self.replace).sub(self.replacement, "")
            except (re.error, IndexError) as error:
                yield Flaw("with", f"`{self.replacement}` does not fit the expression: {error}")

    def claims(self) -> Sequence[Claim]:
        return placing(self.path, "fail", Depth.CONTENT)

    def changes(self, view: View, /) -> Sequence[Change]:
        ground = ground_of(view)
        found = ground.node(self.path, Depth.CONTENT)
        if not found.exists:
            raise Unfit("source_not_found", f"`{self.path}` does not exist", "create it first with `file`", missing=self.path)
        if found.type != "file":
            hint = f"name the file it leads to: `{ground.followed(self.path)[0]}`" if found.type == "link" else ""
            raise Unfit("conflict", f"`{self.path}` is a {noun(found)}, not a regular file", hint)
        data = ground.bytes_at(self.path)
        if data is None:
            raise self._unknown(found.readable)
        if b"\0" in data:
            raise Unfit("unsupported", f"`{self.path}` is not a text: it has NUL bytes", "write the whole file with `file`")
        new = self._edited(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        if new == data:
            return unchanged(self.path, found)
        return (rewritten(ground, ground.room(self.path), self.path, found, found, Content.of(new), new),)

    def _unknown(self, readable: bool) -> Unfit:
        if not readable:
            return Unfit("permission_denied", f"the effective user may not read `{self.path}`")
        hint = "write the whole file with `file`"
        return Unfit("too_large", f"the content of `{self.path}` is too large to edit, or a secret", hint)

    def _edited(self, text: str) -> str:
        if self.line is not None:
            return with_line(text, self.line, self.match)
        if self.replace is not None:
            return re.sub(self.replace, self.replacement or "", text, flags=re.MULTILINE)
        found = with_block(text, self.block or "", self.marker or MARKER)
        if found is None:
            hint = "put both marker lines back, or take the other one away"
            raise Unfit("conflict", f"the marker lines in `{self.path}` are not a pair", hint)
        return found
