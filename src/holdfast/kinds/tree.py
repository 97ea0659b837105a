"""`tree`: a directory has what a source directory has, as copies or as links to it.

Where nothing is yet, a whole subtree is one change; an existing destination is merged with, entry by entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar, Literal

import msgspec

from holdfast.core.change import Change, Claim, Depth, Facts
from holdfast.core.predict import Unfit, View
from holdfast.kinds.content import Content
from holdfast.kinds.contract import Flaw
from holdfast.kinds.file import rewritten, source_node
from holdfast.kinds.globs import matched
from holdfast.kinds.ground import Room, ground_of, noun, under
from holdfast.kinds.node import ABSENT, Node
from holdfast.kinds.paths import (
    Files,
    OnConflict,
    check_apart,
    check_own,
    check_removable,
    may_write,
    placing,
    put,
    reads,
    reset,
    stays,
    unchanged,
)

Form = Callable[[str, Node], Node]


class Tree(Files, frozen=True, kw_only=True):
    """Copies come from where Holdfast runs; links lead to a source on the target itself."""

    kind: ClassVar[str] = "tree"
    main: ClassVar[str] = "path"
    here: ClassVar[tuple[str, ...]] = ("source",)

    path: str
    source: str
    form: Literal["copies", "links"] = msgspec.field(default="copies", name="as")
    delete: bool = False
    exclude: tuple[str, ...] = ()
    on_conflict: OnConflict = "fail"

    def flaws(self) -> Iterator[Flaw]:
        yield from super().flaws()
        for pattern in self.exclude:
            if not pattern.strip("/") or "\0" in pattern:
                yield Flaw("exclude", f"{pattern!r} is not a pattern for names")

    def sources(self) -> Sequence[str]:
        return [self.source] if self.form == "copies" else []

    @property
    def _depth(self) -> Depth:
        return Depth.TREE if self.form == "copies" else Depth.SHAPE

    @property
    def _side(self) -> str | None:
        return "local" if self.form == "copies" else None

    def claims(self) -> Sequence[Claim]:
        own = Claim(self.path, beneath=True, depth=self._depth)
        return [own, *placing(self.path, self.on_conflict)[1:], reads(self.source, self._depth, self._side, beneath=True)]

    def changes(self, view: View, /) -> Sequence[Change]:
        ground = ground_of(view)
        real, source = source_node(view, self.source, self._depth, self._side)
        if source.type != "dir":
            raise Unfit("conflict", f"`{self.source}` is a {noun(source)}, not a directory", "`file` and `copy` take files")
        if self._side is None or view.target == self._side:
            check_apart(ground, real, self.path)
        standing = ground.node(self.path, self._depth)
        if standing.type != "dir" and stays(self.path, standing, self.on_conflict):
            return unchanged(self.path, standing)
        entries = source.entries or {}
        excluded = matched(self.exclude, entries)
        if standing.type == "dir":
            return _Merge(self, view, standing, real).changes(entries, excluded)
        room = ground.room(self.path)
        form = self.form_in(ground.facts(), room, real)
        inside = {name: form(name, node) for name, node in entries.items() if name not in excluded}
        means = self.means(real, Node("dir")) if self.form == "copies" else None
        return put(ground, room, self.path, standing, form("", source)._replace(entries=inside), self.on_conflict, means)

    def form_in(self, facts: Facts, room: Room, source: str) -> Form:
        """What a node of the source becomes in a directory of the destination."""
        if self.form == "copies":
            return lambda name, node: _copy(node, under(source, name), facts.uid, room.gid)
        mode = 0o777 & ~facts.umask | room.handed_on
        return lambda name, node: _link(node, f"{source}/{name}", mode, facts.uid, room.gid)

    def means(self, path: str, node: Node) -> Content:
        """How the content of an entry of the source, or of everything below it, comes about."""
        return Content(path=path, digest=node.digest, size=node.size)

    def met(self, found: Node, wanted: Node) -> Node:
        """What a file that is there already becomes."""
        return found._replace(mode=wanted.mode)


def _copy(node: Node, origin: str, uid: int, gid: int) -> Node:
    if not node.readable:
        raise Unfit("permission_denied", f"the effective user may not read `{origin}`")
    kept = node.mtime_ns if node.type != "dir" else 0
    mode = node.mode & 0o1777
    return Node(node.type, mode, uid, gid, node.digest, node.target, node.rdev, size=node.size, mtime_ns=kept, nlink=node.nlink)


def _link(node: Node, origin: str, mode: int, uid: int, gid: int) -> Node:
    return Node("dir", mode, uid, gid) if node.type == "dir" else Node("link", 0o777, uid, gid, None, origin)


class _Merge:
    """One pass over the source, parents before children, then one over what only the destination has."""

    def __init__(self, kind: Tree, view: View, standing: Node, source: str) -> None:
        self.kind, self.view, self.standing, self.source = kind, view, standing, source
        self.ground = ground_of(view)
        self.facts = self.ground.facts()
        self.have = standing.entries or {}
        self.made: list[Change] = []
        self.fresh: dict[str, tuple[int, dict[str, Node], Form]] = {}  # within new directories: how to add to the topmost
        self.left: set[str] = set()  # what a conflict is told to leave alone, with everything beneath
        self.gone: set[str] = set()  # what is replaced or removed, with everything beneath
        self.rooms: dict[str, tuple[Room, Form]] = {}
        self.bytes = 0  # that new directories take
        self.taken: set[str] = set()

    def changes(self, source: Mapping[str, Node], excluded: set[str]) -> Sequence[Change]:
        if self.kind.on_conflict == "backup":
            self.taken.update(map(self._path, source))
        for name, node in source.items():
            if name not in excluded:
                self._enter(name, node)
        removed = self._removed(source) if self.kind.delete else []
        if self.bytes:
            self.ground.spend(self._room("")[0], self.bytes)
        exact = self.kind.delete and not self.kind.exclude
        kept = self.standing if exact else self.standing._replace(entries=None)  # what else is in there is not ours
        return [*removed, *self.made] or unchanged(self.kind.path, kept)

    def _enter(self, name: str, node: Node) -> None:
        parent = name.rpartition("/")[0]
        around = self.fresh.get(parent)
        if around is not None:
            cut, entries, form = around
            wanted = entries[name[cut:]] = form(name, node)
            if wanted.type == "dir":
                self.fresh[name] = around
            elif wanted.type == "file":
                self.bytes += wanted.size
        elif parent in self.left:
            self.left.add(name)
        else:
            found = self.have.get(name) or ABSENT._replace(around_ns=self._folder(parent).mtime_ns)
            if not found.exists:
                self._put(name, parent, found, node)
            elif found.type != "dir" or node.type != "dir":
                self._meet(name, parent, found, node)

    def _put(self, name: str, parent: str, found: Node, node: Node) -> None:
        room, form = self._room(parent)
        wanted = form(name, node)
        if wanted.type == "dir":
            inside: dict[str, Node] = {}  # filled as the source is walked on
            wanted = wanted._replace(entries=inside)
            self.fresh[name] = (len(name) + 1, inside, form)
        means = self._means(name, node) if wanted.type in ("dir", "file") and self.kind.form == "copies" else None
        self.made += put(self.ground, room, self._path(name), found, wanted, self.kind.on_conflict, means, self.taken)

    def _meet(self, name: str, parent: str, found: Node, node: Node) -> None:
        """Something stands where an entry goes, and one of the two is no directory."""
        room, form = self._room(parent)
        wanted, path = form(name, node), self._path(name)
        if found.type == wanted.type == "file":
            self.made += self._updated(room, path, found, wanted, self._means(name, node))
        elif found.type == wanted.type and found.target == wanted.target and found.rdev == wanted.rdev:
            return
        elif stays(path, found, self.kind.on_conflict):
            self.left.add(name)
        else:
            self.gone.add(name)
            self._put(name, parent, found, node)

    def _updated(self, room: Room, path: str, found: Node, wanted: Node, means: Content) -> Iterator[Change]:
        after = self.kind.met(found, wanted)
        if found.digest != wanted.digest:
            yield rewritten(self.ground, room, path, found, after, means, None, wanted.mtime_ns)
        elif (found.mode, found.uid, found.gid) != (after.mode, after.uid, after.gid):
            check_own(self.facts, path, found)
            yield reset(path, found, after)

    def _removed(self, source: Mapping[str, Node]) -> Iterator[Change]:
        spared = matched(self.kind.exclude, self.have)
        holding = {above for name in spared for above in _above(name)}
        for name, node in self.have.items():
            parent = name.rpartition("/")[0]
            if parent in self.gone:
                self.gone.add(name)
            elif parent in self.left:
                self.left.add(name)
            elif name not in source and name not in spared and name not in holding:
                self.gone.add(name)
                room = self._room(parent)[0]
                check_removable(self.facts, room, self._path(name), node)
                yield Change(self._path(name), node, ABSENT)

    def _room(self, parent: str) -> tuple[Room, Form]:
        """An existing directory of the destination, as it was seen with the whole tree."""
        found = self.rooms.get(parent)
        if found is None:
            node = self._folder(parent)
            if not parent or not may_write(self.facts, node):  # an access list may still allow it: look more closely
                room = self.ground.room(under(self._path(parent), "-"))
            else:
                setgid, top = node.mode & 0o2000, self._room("")[0]
                gid = node.gid if setgid else self.facts.gid
                room = top._replace(path=self._path(parent), node=node, gid=gid, handed_on=setgid)
            found = self.rooms[parent] = room, self.kind.form_in(self.facts, room, self.source)
        return found

    def _folder(self, parent: str) -> Node:
        return self.have[parent] if parent else self.standing

    def _path(self, name: str) -> str:
        return under(self.kind.path, name) if name else self.kind.path

    def _means(self, name: str, node: Node) -> Content:
        return self.kind.means(f"{self.source}/{name}", node)


def _above(name: str) -> Iterator[str]:
    while name := name.rpartition("/")[0]:
        yield name
