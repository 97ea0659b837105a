"""`download`: a file or a tree of a host is on the machine where Holdfast runs.

What it changes is there, so that is where the step works and what its run locks; the host is only read.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import ClassVar

import msgspec

from holdfast.core.change import Change, Claim, Depth
from holdfast.core.predict import View
from holdfast.kinds.content import Content
from holdfast.kinds.contract import Flaw, Mode
from holdfast.kinds.file import File, source_node
from holdfast.kinds.node import Node
from holdfast.kinds.paths import OnConflict, Owned, placing, reads
from holdfast.kinds.tree import Tree
from holdfast.kinds.upload import OwnedTree


class Download(Owned, frozen=True, kw_only=True):
    """Permissions are those of the source where none are asked for; `mode` is that of files, in a tree of every one."""

    kind: ClassVar[str] = "download"
    main: ClassVar[str] = "source"
    lands: ClassVar[str] = "local"
    here: ClassVar[tuple[str, ...]] = ("to",)
    there: ClassVar[tuple[str, ...]] = ("source",)

    source: str
    to: str
    host: str = ""  # the target where `source` is; without it the one that the step was written for
    on_conflict: OnConflict = "fail"

    def flaws(self) -> Iterator[Flaw]:
        yield from super().flaws()
        if self.host in ("", self.lands):
            yield Flaw("source", "there is no host to bring it from", hint="say `on: HOST`; `copy` stays on one machine")
        if not posixpath.isabs(self.source):
            yield Flaw("source", f"`{self.source}` is not an absolute path")

    def claims(self) -> Sequence[Claim]:
        own = Claim(self.to, beneath=True, depth=Depth.TREE)
        read = reads(self.source, Depth.TREE, self.host, beneath=True)
        return [own, *placing(self.to, self.on_conflict)[1:], read, *self.accounts()]

    def changes(self, view: View, /) -> Sequence[Change]:
        _, found = source_node(view, self.source, Depth.TREE, self.host)
        if found.type == "dir":
            return self._tree(view).changes(view)
        brought = _BroughtFile(
            path=self.to,
            source=self.source,
            host=self.host,
            mode=Mode(found.mode & 0o777) if self.mode is None else self.mode,
            owner=self.owner,
            group=self.group,
            on_conflict=self.on_conflict,
        )
        return brought.changes(view)

    def _tree(self, view: View) -> Tree:
        return _BroughtTree(
            path=self.to,
            source=self.source,
            host=self.host,
            on_conflict=self.on_conflict,
            mode=self.mode,
            uid=self.uid(view, -1),
            gid=self.gid(view, -1),
        )


class _BroughtFile(File, frozen=True, kw_only=True):
    host: str

    def _wanted(self, view: View) -> tuple[Content, bytes | None]:
        real, found = source_node(view, self.source or "", Depth.CONTENT, self.host)
        return Content(feed=(self.host, real), digest=found.digest, size=found.size), found.content


class _BroughtTree(OwnedTree, frozen=True, kw_only=True):
    host: str = msgspec.field(default="")

    @property
    def _side(self) -> str | None:
        return self.host

    def means(self, path: str, node: Node) -> Content:
        return Content(feed=(self.host, path), digest=node.digest, size=node.size)
